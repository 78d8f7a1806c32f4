// A whole controller behind a real HTTP server: journal in memory, machines that come at once, jobs that end when told.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/client.hpp"
#include "control/controller.hpp"
#include "http/server.hpp"
#include "wire/api_bodies.hpp"

namespace virga::test {

class MemoryJournal : public Journal {
 public:
  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    if (full) return fail(Code::exhausted, "disk full");
    Seq begin{events.size() + 1};
    for (const JournalEntry& e : entries) {
      events.push_back(e.event);
      payloads.push_back(e.payload.value_or(LaunchPayload{}));
    }
    for (const Job& job : jobs) archived.push_back(job);
    jobs_archived += jobs.size();
    for (const VmRecord& vm : vms) archived_vm.push_back(vm);
    return begin;
  }
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    for (std::uint64_t i = std::max<std::uint64_t>(after.value, compacted); i < events.size(); ++i) {
      if (!each({i + 1}, events[i])) break;
    }
    return {};
  }
  Result<LaunchPayload> payload(Seq seq) override { return payloads.at(seq.value - 1); }
  Status save_snapshot(const Snapshot&) override { return {}; }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return newest_snapshot(); }
  Result<std::optional<Snapshot>> newest_snapshot() override { return std::optional<Snapshot>(); }
  Status compact() override { return {}; }
  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override {
    std::vector<Job> out;
    for (const Job& job : archived) {
      bool wanted = query.jobs.empty();
      for (JobId id : query.jobs) wanted = wanted || id == job.id;
      if (wanted) out.push_back(job);
    }
    return out;
  }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery&) override { return archived_vm; }
  Result<JournalInfo> info() override {
    JournalInfo info;
    info.first = {compacted < events.size() ? compacted + 1 : 0};
    info.last = {events.size()};
    return info;
  }
  Status backup(const std::string& path) override {
    backups.push_back(path);
    return {};
  }

  std::vector<Event> events;
  std::vector<LaunchPayload> payloads;
  std::vector<Job> archived;
  std::vector<VmRecord> archived_vm;
  std::vector<std::string> backups;
  std::uint64_t compacted = 0;
  std::atomic<bool> full = false;
  std::atomic<std::size_t> jobs_archived = 0;  ///< the rest is the control thread's
};

struct QuickCloud : Cloud {
  void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>&) override {
    sink->post(GangGranted{c.gang, std::vector<std::string>(c.vms.size(), "10.0.0.1")});
  }
  void release(VmId vm) override { sink->post(VmReleased{vm}); }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>&) override { return std::vector<ListedVm>(); }
  void adopt(VmId) override {}
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools); }
  EventSink* sink = nullptr;
};

struct QuickEngine : Engine {
  std::string user_data(const WantedVm&, const Pool&) override { return "#!/bin/sh\n"; }
  void attach(VmId vm, const std::string&) override { sink->post(VmReady{vm}); }
  void detach(VmId) override {}
  void start(const StartJob& c, LaunchPayload) override { sink->post(JobStarted{c.job.id, c.job.incarnation}); }
  void signal(const SignalJob&) override {}
  void end(const EndJob& c) override { sink->post(JobEnded{c.job, c.incarnation, {0, c.signal}, {}}); }
  void forget(const ForgetJob&) override {}
  EventSink* sink = nullptr;
};

struct TickingClock : Clock {
  Time now() override { return {time += 1'000'000}; }
  std::int64_t time = Time::from_seconds(1'000'000).ns;
};

inline Config small_config() {
  Config c;
  Pool& pool = c.pools.emplace_back();
  pool.name = "nd";
  pool.node_prefix = "nd-";
  pool.max_nodes = 4;
  pool.sku.resources = {8, 8, 1ULL << 40};
  Partition& partition = c.partitions.emplace_back();
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  return c;
}

/// A folder of its own, gone afterwards.
struct TempHome {
  TempHome() {
    std::string pattern = (std::filesystem::temp_directory_path() / "virga-http-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    home.path = pattern;
    std::filesystem::permissions(pattern, std::filesystem::perms(0755));
  }
  ~TempHome() {
    std::error_code ignored;
    std::filesystem::remove_all(home.path, ignored);
  }
  Home home;
};

struct World {
  explicit World(const std::function<void(HttpOptions&, Config&)>& change = nullptr) {
    cloud.sink = &controller;
    engine.sink = &controller;
    HttpOptions options;
    options.home = temp.home;
    options.daemon_uid = ::geteuid();
    options.version = "9.9.9";
    options.reload = [this] {
      ++reloads;
      return Status();
    };
    Config config = small_config();
    if (change) change(options, config);
    REQUIRE(controller.recover({&journal, &cloud, &engine, &clock}, config).has_value());
    auto started = HttpServer::start(options, controller);
    REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
    server = *std::move(started);
    thread = std::thread([this] { controller.run(); });
  }
  ~World() {
    controller.stop();
    thread.join();
    if (server) server->stop();
  }

  Client client() const { return Client::on_socket(temp.home.api_socket()); }

  SubmitBody small_job(const std::string& name = "job") const {
    SubmitBody body;
    body.spec.name = name;
    body.spec.work_dir = "/tmp";
    body.payload.script = "#!/bin/sh\ntrue\n";
    body.payload.environment = {"A=b"};
    return body;
  }
  JobId submit(Client& client, const SubmitBody& body) const {
    auto answer = client.post_as<SubmittedBody>("/v1/jobs", body);
    REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().message));
    return answer->job_id;
  }
  void end_job(JobId id, std::uint32_t code = 0) { controller.post(JobEnded{id, 0, {code, 0}, {}}); }

  TempHome temp;
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  Controller controller;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
  std::atomic<int> reloads = 0;
};

/// Polls, with a deadline that only a broken program misses.
inline bool comes_true(const std::function<bool()>& what) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return what();
}

/// Talks HTTP byte by byte.
class RawSocket {
 public:
  explicit RawSocket(const std::string& path);
  explicit RawSocket(std::uint16_t port);
  ~RawSocket() { ::close(fd_); }
  void send(std::string_view bytes);
  void end_input();
  /// Until the other side closes, or `text` has come.
  std::string read_until(std::string_view text);
  std::string read_all() { return read_until("\x01 never \x01"); }

 private:
  int fd_;
  std::string seen_;
};

}  // namespace virga::test
