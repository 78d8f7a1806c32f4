// For each invariant a bug is planted between the real controller and the simulated ports, and some seed must go red
// with that invariant's name. A check that no bug can turn red would be no check.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "core/binary.hpp"
#include "sim/world/seed_checks.hpp"
#include "sim/world/simulate_seeds.hpp"
#include "unit/sim/between.hpp"

namespace virga::test {

namespace {

constexpr std::uint64_t k_seeds_tried = 40;

/// Small and without faults: the planted bug is the only thing that can turn it red.
const SeedLimits k_quiet{.jobs_max = 60, .nodes_max = 16, .faults = false};

/// Changes each start command before it reaches the engine, by a function that may also swallow it.
struct EngineThatChanges : EngineBetween {
  using Change = std::function<bool(StartJob&)>;
  EngineThatChanges(std::unique_ptr<Engine> inner_engine, Change how)
      : EngineBetween(std::move(inner_engine)), change(std::move(how)) {}
  void start(const StartJob& c, LaunchPayload payload) override {
    StartJob changed = c;
    if (change(changed)) inner->start(changed, std::move(payload));
  }
  Change change;
};

SeedHooks changing_starts(EngineThatChanges::Change change) {
  SeedHooks hooks;
  hooks.engine = [change](std::unique_ptr<Engine> inner, EventSink&) {
    return std::make_unique<EngineThatChanges>(std::move(inner), change);
  };
  return hooks;
}

/// The first of some seeds that goes red must name this invariant.
void check_red(const char* invariant, const SeedHooks& hooks, const SeedLimits& limits = k_quiet) {
  for (std::uint64_t seed = 1; seed <= k_seeds_tried; ++seed) {
    const SeedOutcome outcome = run_seed(seed, limits, hooks);
    if (outcome.ok()) continue;
    INFO("seed ", seed, ": ", outcome.what);
    CHECK(outcome.broken == invariant);
    return;
  }
  FAIL("no seed found the planted bug: ", std::string(invariant));
}

}  // namespace

TEST_CASE("planted: an end that never reaches the accounts") {
  struct Forgetful : JournalBetween {
    using JournalBetween::JournalBetween;
    Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                       std::span<const VmRecord> vms) override {
      std::vector<Job> kept(jobs.begin(), jobs.end());
      std::erase_if(kept, [](const Job& job) { return job.id.value % 3 == 0; });
      return inner->append(entries, kept, vms);
    }
  };
  SeedHooks hooks;
  hooks.journal = [](std::unique_ptr<Journal> inner) { return std::make_unique<Forgetful>(std::move(inner)); };
  check_red(broken::k_job, hooks);
}

TEST_CASE("planted: a gang of which one node is left out") {
  check_red(broken::k_gang, changing_starts([](StartJob& c) {
              if (c.job.nodes.size() > 1) c.job.nodes.edit().pop_back();
              return true;
            }));
}

TEST_CASE("planted: a cloud that takes machines away under their jobs") {
  struct Hasty : CloudBetween, std::enable_shared_from_this<Hasty> {
    using CloudBetween::CloudBetween;
    void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>& user_data) override {
      if (last) inner->release(last);
      last = c.vms[0].vm;
      inner->reserve(c, user_data);
    }
    VmId last;
  };
  SeedHooks hooks;
  hooks.cloud = [](std::unique_ptr<Cloud> inner, EventSink&) { return std::make_unique<Hasty>(std::move(inner)); };
  SeedLimits busy = k_quiet;
  busy.jobs_max = 200;
  check_red(broken::k_gang, hooks, busy);
}

TEST_CASE("planted: an engine that starts a job twice") {
  struct Stutter : EngineBetween {
    using EngineBetween::EngineBetween;
    void start(const StartJob& c, LaunchPayload payload) override {
      inner->start(c, payload);
      StartJob again = c;
      again.job.incarnation += 100;
      inner->start(again, std::move(payload));
    }
  };
  SeedHooks hooks;
  hooks.engine = [](std::unique_ptr<Engine> inner, EventSink&) { return std::make_unique<Stutter>(std::move(inner)); };
  check_red(broken::k_incarnation, hooks);
}

TEST_CASE("planted: a job that takes more of its node than it was given") {
  check_red(broken::k_room, changing_starts([](StartJob& c) {
              c.job.spec.edit().exclusive = false;
              c.job.spec.edit().per_node.cpus = 1'000;
              return true;
            }));
}

TEST_CASE("planted: two jobs with the same GPU") {
  check_red(broken::k_room, changing_starts([](StartJob& c) {
              for (JobNode& node : c.job.nodes.edit()) {
                for (std::size_t i = 0; i < node.gpus.size(); ++i) node.gpus[i] = static_cast<std::uint32_t>(i);
              }
              return true;
            }),
            {.jobs_max = 300, .nodes_max = 8, .faults = false});
}

TEST_CASE("planted: a cloud that says released, and goes on billing") {
  struct Leaky : CloudBetween {
    Leaky(std::unique_ptr<Cloud> inner_cloud, EventSink& to) : CloudBetween(std::move(inner_cloud)), sink(to) {}
    void release(VmId vm) override { sink.post(VmReleased{vm}); }
    EventSink& sink;
  };
  SeedHooks hooks;
  hooks.cloud = [](std::unique_ptr<Cloud> inner, EventSink& sink) {
    return std::make_unique<Leaky>(std::move(inner), sink);
  };
  check_red(broken::k_billing, hooks);
}

TEST_CASE("planted: a release that is swallowed") {
  struct Deaf : CloudBetween {
    using CloudBetween::CloudBetween;
    void release(VmId vm) override {
      if (vm.value % 2 == 0) inner->release(vm);
    }
  };
  SeedHooks hooks;
  hooks.cloud = [](std::unique_ptr<Cloud> inner, EventSink&) { return std::make_unique<Deaf>(std::move(inner)); };
  check_red(broken::k_idle, hooks);
}

TEST_CASE("planted: a journal that keeps another event than it was given") {
  struct Liar : JournalBetween {
    using JournalBetween::JournalBetween;
    Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                       std::span<const VmRecord> vms) override {
      std::vector<JournalEntry> changed(entries.begin(), entries.end());
      for (JournalEntry& entry : changed) {
        if (std::holds_alternative<JobStarted>(entry.event.body)) entry.event.body = TimerFired{};
      }
      return inner->append(changed, jobs, vms);
    }
  };
  SeedHooks hooks;
  hooks.journal = [](std::unique_ptr<Journal> inner) { return std::make_unique<Liar>(std::move(inner)); };
  check_red(broken::k_replay, hooks);
}

TEST_CASE("planted: a start that is swallowed") {
  check_red(broken::k_starved, changing_starts([](StartJob& c) { return c.job.id.value % 4 != 0; }));
}

TEST_CASE("planted: success is told of jobs that never ran") {
  struct Flattering : EngineBetween {
    Flattering(std::unique_ptr<Engine> inner_engine, EventSink& to)
        : EngineBetween(std::move(inner_engine)), sink(to) {}
    void start(const StartJob& c, LaunchPayload) override {
      sink.post(JobStarted{c.job.id, c.job.incarnation});
      sink.post(JobEnded{c.job.id, c.job.incarnation, {}, {}});
    }
    EventSink& sink;
  };
  SeedHooks hooks;
  hooks.engine = [](std::unique_ptr<Engine> inner, EventSink& sink) {
    return std::make_unique<Flattering>(std::move(inner), sink);
  };
  check_red(broken::k_truth, hooks);
}

TEST_CASE("planted: a grant of which the brain is told too little") {
  struct Blind : CloudBetween {
    Blind(std::unique_ptr<Cloud> inner_cloud, EventSink& to) : CloudBetween(std::move(inner_cloud)), sink(to) {}
    void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>& user_data) override {
      inner->reserve(c, user_data);
      sink.post(GangRefused{c.gang, Refusal::capacity, "so it says", Duration::minutes(5)});
    }
    EventSink& sink;
  };
  SeedHooks hooks;
  hooks.cloud = [](std::unique_ptr<Cloud> inner, EventSink& sink) {
    return std::make_unique<Blind>(std::move(inner), sink);
  };
  check_red(broken::k_billing, hooks);
}

TEST_CASE("planted: a front door that reads a zero too many") {
  SeedHooks hooks;
  hooks.wish = [](JobSpec& spec) { spec.nodes *= 10; };
  check_red(broken::k_refusal, hooks);
}

TEST_CASE("planted: a front door that makes of what is too large something that fits") {
  SeedHooks hooks;
  hooks.wish = [](JobSpec& spec) { spec.nodes = 1; };
  SeedLimits single = k_quiet;
  single.nodes_max = 1;  // so that only jobs that no pool can hold ask for more
  check_red(broken::k_refusal, hooks, single);
}

TEST_CASE("planted: a front door that makes every job urgent, so that no limit holds it") {
  SeedHooks hooks;
  hooks.wish = [](JobSpec& spec) {
    if (!spec.account.empty()) spec.qos = "urgent";
  };
  SeedLimits busy = k_quiet;
  busy.jobs_max = 300;
  check_red(broken::k_limits, hooks, busy);
}

TEST_CASE("planted: a port that answers each event with another one") {
  struct Echo : JournalBetween {
    Echo(std::unique_ptr<Journal> inner_journal, EventSink*& to) : JournalBetween(std::move(inner_journal)), sink(to) {}
    Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                       std::span<const VmRecord> vms) override {
      if (sink != nullptr) sink->post(VmReady{{999'999}});
      return inner->append(entries, jobs, vms);
    }
    EventSink*& sink;
  };
  EventSink* sink = nullptr;
  SeedHooks hooks;
  hooks.journal = [&](std::unique_ptr<Journal> inner) { return std::make_unique<Echo>(std::move(inner), sink); };
  hooks.cloud = [&](std::unique_ptr<Cloud> inner, EventSink& to) {
    sink = &to;
    return inner;
  };
  check_red(broken::k_livelock, hooks);
}

namespace {

/// A journal whose snapshots have one bit wrong: a running job comes back as one that was never launched.
SeedHooks with_rotten_snapshots() {
  struct Rotten : JournalBetween {
    using JournalBetween::JournalBetween;
    Result<std::optional<Snapshot>> oldest_snapshot() override { return newest_snapshot(); }
    Result<std::optional<Snapshot>> newest_snapshot() override {
      Result<std::optional<Snapshot>> snapshot = inner->newest_snapshot();
      if (!snapshot || !*snapshot) return snapshot;
      Result<State> state = decode<State>((*snapshot)->state);
      REQUIRE(state.has_value());
      for (auto& [id, job] : state->jobs) {
        if (job.state == JobState::running) job.launched = false;
      }
      (*snapshot)->state = encode(*state);
      return snapshot;
    }
  };
  SeedHooks hooks;
  hooks.journal = [](std::unique_ptr<Journal> inner) { return std::make_unique<Rotten>(std::move(inner)); };
  return hooks;
}

}  // namespace

TEST_CASE("planted: a snapshot with a wrong bit, which the brain's own assertions see") {
  check_red(broken::k_brain, with_rotten_snapshots(), {});  // with faults: only a second life reads snapshots
  const bool is_as_before = assertion_handler == nullptr;
  CHECK(is_as_before);
}

TEST_CASE("a failed assertion is a red seed, told with its number, the invariant and how to see it again") {
  std::vector<std::string> said;
  const auto say = [&](const std::string& line) { said.push_back(line); };
  CHECK(simulate_seeds({.first = 1, .count = 10}, say, with_rotten_snapshots()) == 1);
  REQUIRE(said.size() >= 3);
  INFO(said[0]);
  CHECK(said[0].rfind("seed ", 0) == 0);
  const std::string number = said[0].substr(5, said[0].find(' ', 5) - 5);
  CHECK(said[0].find("invariant the brain's own assertions: a running job was launched (") != std::string::npos);
  CHECK(said[1] == "  again: virga simulate --seed " + number + " --verbose");
  const SeedOutcome again = run_seed(std::stoull(number), {}, with_rotten_snapshots());
  CHECK(again.broken == broken::k_brain);
  CHECK(said[0].find(again.what) != std::string::npos);
}

TEST_CASE("no name of a broken invariant is without its planted bug") {
  namespace fs = std::filesystem;
  fs::path root = fs::read_symlink("/proc/self/exe").parent_path();
  while (root.has_relative_path() && !fs::exists(root / "src/sim/world/seed_checks.hpp")) root = root.parent_path();
  const auto text_of = [&](const char* path) {
    std::ifstream file(root / path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string planted = text_of("tests/unit/sim/planted_test.cpp");
  const std::string names = text_of("src/sim/world/seed_checks.hpp");
  const std::string before = "inline constexpr const char* ";
  int count = 0;
  for (std::size_t at = names.find(before); at != std::string::npos; at = names.find(before, at + 1)) {
    const std::size_t begin = at + before.size();
    const std::string name = names.substr(begin, names.find(' ', begin) - begin);
    INFO(name);
    CHECK(planted.find("check_red(broken::" + name + ",") != std::string::npos);
    ++count;
  }
  CHECK(count > 0);
}

TEST_CASE("the same seed gives the same run, and different seeds different ones") {
  const SeedOutcome one = run_seed(7, {});
  CHECK(one.ok());
  CHECK(run_seed(7, {}).digest == one.digest);
  CHECK(run_seed(8, {}).digest != one.digest);
}

TEST_CASE("a few seeds with all faults are green") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SeedOutcome outcome = run_seed(seed, {});
    INFO("seed ", seed, " at step ", outcome.step, ": ", outcome.broken, ": ", outcome.what);
    CHECK(outcome.ok());
  }
}

}  // namespace virga::test
