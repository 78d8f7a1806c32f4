// decision_digest FIRST COUNT: what was decided in that many seeds, as one number that every build must agree on.
//
//   $ decision_digest 1 2
//   seed 1: 5121 events, 2310 commands, digest 0f3c…
//   seed 2: …
//   all: 77aa…
//
// A seed is a drawn week with faults under the real control code (sim/world/seed_run.hpp). Its journal is then given to
// a new brain, and each command that comes out is counted in, byte by byte, and the final state. Only integers and text
// get in, nothing that a compiler or the place of the heap may choose. Exit code 1 if a seed is red.
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "brain/brain.hpp"
#include "core/binary.hpp"
#include "sim/world/seed_run.hpp"

namespace virga {
namespace {

/// Keeps a copy of each event that was made durable.
class Listening : public Journal {
 public:
  Listening(std::unique_ptr<Journal> inner, std::vector<Event>& events) : inner_(std::move(inner)), events_(events) {}

  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    Result<Seq> first = inner_->append(entries, jobs, vms);
    for (const JournalEntry& entry : entries) {
      if (first) events_.push_back(entry.event);
    }
    return first;
  }
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    return inner_->read(after, each);
  }
  Result<LaunchPayload> payload(Seq seq) override { return inner_->payload(seq); }
  Status save_snapshot(const Snapshot& snapshot) override { return inner_->save_snapshot(snapshot); }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return inner_->oldest_snapshot(); }
  Result<std::optional<Snapshot>> newest_snapshot() override { return inner_->newest_snapshot(); }
  Status compact() override { return inner_->compact(); }
  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override { return inner_->archived_jobs(query); }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) override { return inner_->archived_vms(query); }
  Result<JournalInfo> info() override { return inner_->info(); }
  Status backup(const std::string& path) override { return inner_->backup(path); }

 private:
  std::unique_ptr<Journal> inner_;
  std::vector<Event>& events_;
};

/// All that a command says, in the core types' own bytes.
struct CommandBytes {
  BinaryWriter out = {};

  template <class... Parts>
  void put(const Parts&... parts) {
    (out.put(parts), ...);
  }

  void operator()(const ReserveGang& c) {
    put(c.gang, c.pool);
    for (const WantedVm& vm : c.vms) put(vm.vm, vm.name);
  }
  void operator()(const ReleaseVm& c) { put(c.vm, c.pool); }
  void operator()(const StartJob& c) { put(c.job); }
  void operator()(const SignalJob& c) { put(c.job, c.incarnation, c.signal, c.batch_shell_only); }
  void operator()(const EndJob& c) { put(c.job, c.incarnation, c.signal, c.nodes, c.why); }
  void operator()(const ForgetJob& c) { put(c.job, c.incarnation, c.nodes); }
  void operator()(const ArchiveJob& c) { put(c.job); }
  void operator()(const ArchiveVm& c) { put(c.vm); }
  void operator()(const WarnOfBudget& c) { put(c.tenant, c.text); }
  void operator()(const SendMail& c) { put(c.job, static_cast<std::uint32_t>(c.what)); }
  void operator()(const Reply& c) {
    put(c.request, c.result.has_value());
    if (c.result) {
      put(*c.result);
    } else {
      put(c.result.error().code, c.result.error().message);
    }
  }
};

struct Decisions {
  std::uint64_t commands = 0;
  Digest digest;
};

Decisions replay(const std::vector<Event>& events) {
  Decisions decisions;
  Brain brain;
  for (std::uint64_t n = 1; n <= events.size(); ++n) {
    brain.apply({n}, events[n - 1], n);
    for (const Command& command : brain.take_commands()) {
      CommandBytes bytes;
      bytes.put(static_cast<std::uint16_t>(command.index()));
      std::visit(bytes, command);
      decisions.digest.add(bytes.out.take());
      ++decisions.commands;
    }
  }
  decisions.digest.add(brain.save());
  return decisions;
}

bool say_seed(std::uint64_t seed, Digest& all) {
  std::vector<Event> events;
  SeedHooks hooks;
  hooks.journal = [&](std::unique_ptr<Journal> inner) { return std::make_unique<Listening>(std::move(inner), events); };
  const SeedOutcome outcome = run_seed(seed, {}, hooks);
  const Decisions decisions = replay(events);
  const std::string line = "seed " + std::to_string(seed) + ": " + std::to_string(outcome.events) + " events, " +
                           std::to_string(decisions.commands) + " commands, digest ";
  std::printf("%s%016" PRIx64 "\n", line.c_str(), decisions.digest.value());
  if (!outcome.ok()) std::printf("it is red: %s: %s\n", outcome.broken.c_str(), outcome.what.c_str());
  all.add(line + std::to_string(outcome.digest) + " " + std::to_string(decisions.digest.value()) + " " +
          std::to_string(outcome.billed.micro_usd) + "\n");
  return outcome.ok() && outcome.events == events.size() && decisions.commands > 0;
}

bool parse(std::string_view text, std::uint64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

}  // namespace
}  // namespace virga

int main(int argc, char** argv) {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  if (argc != 3 || !virga::parse(argv[1], first) || !virga::parse(argv[2], count) || count == 0) {
    std::fprintf(stderr, "usage: decision_digest FIRST COUNT\n");
    return 2;
  }
  virga::Digest all;
  bool ok = true;
  for (std::uint64_t seed = first; seed < first + count; ++seed) ok = virga::say_seed(seed, all) && ok;
  std::printf("all: %016" PRIx64 "\n", all.value());
  return ok ? 0 : 1;
}
