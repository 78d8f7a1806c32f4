// Adapters that stand between a controller and its ports and change nothing: tests derive from them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/cloud.hpp"
#include "ports/engine.hpp"
#include "ports/journal.hpp"

namespace virga::test {

struct CloudBetween : Cloud {
  explicit CloudBetween(std::unique_ptr<Cloud> inner_cloud) : inner(std::move(inner_cloud)) {}
  void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>& user_data) override {
    inner->reserve(c, user_data);
  }
  void release(VmId vm) override { inner->release(vm); }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override { return inner->list(known); }
  void adopt(VmId vm) override { inner->adopt(vm); }
  Market market(const MarketQuery& query) override { return inner->market(query); }
  std::unique_ptr<Cloud> inner;
};

struct EngineBetween : Engine {
  explicit EngineBetween(std::unique_ptr<Engine> inner_engine) : inner(std::move(inner_engine)) {}
  std::string user_data(const WantedVm& vm, const Pool& pool) override { return inner->user_data(vm, pool); }
  void attach(VmId vm, const std::string& pool) override { inner->attach(vm, pool); }
  void detach(VmId vm) override { inner->detach(vm); }
  void start(const StartJob& c, LaunchPayload payload) override { inner->start(c, std::move(payload)); }
  void signal(const SignalJob& c) override { inner->signal(c); }
  void end(const EndJob& c) override { inner->end(c); }
  void forget(const ForgetJob& c) override { inner->forget(c); }
  std::unique_ptr<Engine> inner;
};

struct JournalBetween : Journal {
  explicit JournalBetween(std::unique_ptr<Journal> inner_journal) : inner(std::move(inner_journal)) {}
  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    return inner->append(entries, jobs, vms);
  }
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    return inner->read(after, each);
  }
  Result<LaunchPayload> payload(Seq seq) override { return inner->payload(seq); }
  Status save_snapshot(const Snapshot& snapshot) override { return inner->save_snapshot(snapshot); }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return inner->oldest_snapshot(); }
  Result<std::optional<Snapshot>> newest_snapshot() override { return inner->newest_snapshot(); }
  Status compact() override { return inner->compact(); }
  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override { return inner->archived_jobs(query); }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) override { return inner->archived_vms(query); }
  Result<JournalInfo> info() override { return inner->info(); }
  Status backup(const std::string& path) override { return inner->backup(path); }
  std::unique_ptr<Journal> inner;
};

}  // namespace virga::test
