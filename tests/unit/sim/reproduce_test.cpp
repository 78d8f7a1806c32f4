// Recorded runs come out the same, and what was changed in one is found where it first matters. The runs are weeks of
// seeds: faults, evictions, requeues, refusals, and controllers that are killed at their crash points.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "sim/reproduce/journal_mode.hpp"
#include "sim/reproduce/recorded_run.hpp"
#include "sim/reproduce/reproduction.hpp"
#include "sim/world/memory_journal.hpp"
#include "sim/world/seed_run.hpp"
#include "unit/sim/between.hpp"

namespace virga::test {

namespace {

const SeedLimits k_small{.jobs_max = 60, .nodes_max = 16};
constexpr std::uint64_t k_long_seed = 35;  ///< its run has snapshots

/// All that one world's controllers wrote, whatever they dropped later.
struct Tape {
  JournalDisk disk;
  std::vector<Snapshot> snapshots;
};

struct TapingJournal : JournalBetween {
  TapingJournal(std::unique_ptr<Journal> inner_journal, Tape& to)
      : JournalBetween(std::move(inner_journal)), tape(to), copy(*open_memory_journal(to.disk)) {}
  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    Result<Seq> first = inner->append(entries, jobs, vms);
    if (first) REQUIRE(copy->append(entries, jobs, vms).value() == *first);
    return first;
  }
  Status save_snapshot(const Snapshot& snapshot) override {
    Status saved = inner->save_snapshot(snapshot);
    if (saved) tape.snapshots.push_back(snapshot);
    return saved;
  }
  Tape& tape;
  std::unique_ptr<Journal> copy;
};

Tape tape_of(std::uint64_t seed, const SeedLimits& limits = k_small) {
  Tape tape;
  SeedHooks hooks;
  hooks.journal = [&tape](std::unique_ptr<Journal> inner) {
    return std::make_unique<TapingJournal>(std::move(inner), tape);
  };
  const SeedOutcome outcome = run_seed(seed, limits, hooks);
  REQUIRE_MESSAGE(outcome.ok(), outcome.what);
  return tape;
}

/// What the journal looks like if its newest snapshot is this one, and all before it was dropped.
JournalDisk compacted(JournalDisk disk, const Snapshot& snapshot) {
  disk.snapshots = {snapshot};
  disk.first_kept = snapshot.seq.value + 1;
  return disk;
}

Reproduction reproduce(JournalDisk disk) {
  disk.is_open = false;
  const Result<RecordedRun> run = read_recorded_run(**open_memory_journal(disk));
  REQUIRE_MESSAGE(run, run.error().message);
  return virga::reproduce(*run);
}

std::string words_of(const Reproduction& again) {
  if (!again.deviation) return "";
  return "event " + std::to_string(again.deviation->seq.value) + ": recorded " + again.deviation->recorded +
         "; simulated " + again.deviation->simulated;
}

template <class T>
std::size_t place_of(const JournalDisk& disk, std::size_t nth = 0) {
  for (std::size_t i = 0; i < disk.history.size(); ++i) {
    if (std::holds_alternative<T>(disk.history[i].body) && nth-- == 0) return i;
  }
  FAIL("the run has no such event");
  return 0;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("reproduce: seeds' weeks with faults and crashes come out the same, from any snapshot on") {
  std::uint64_t lives = 0;
  std::uint64_t refusals = 0;
  std::uint64_t from_snapshots = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    const Tape tape = tape_of(seed);
    const Reproduction whole = reproduce(tape.disk);
    CHECK_MESSAGE(!whole.deviation, words_of(whole));
    CHECK(whole.events == tape.disk.history.size());
    CHECK(whole.job_accounts == tape.disk.jobs.size());
    CHECK(whole.vm_accounts == tape.disk.vms.size());
    lives += whole.lives;
    refusals += whole.refusals;
    for (std::size_t i = 0; i < tape.snapshots.size(); i += 1 + tape.snapshots.size() / 3) {
      if (tape.snapshots[i].seq.value == tape.disk.history.size()) continue;
      CAPTURE(tape.snapshots[i].seq.value);
      const Reproduction rest = reproduce(compacted(tape.disk, tape.snapshots[i]));
      CHECK_MESSAGE(!rest.deviation, words_of(rest));
      CHECK(rest.digest == whole.digest);
      ++from_snapshots;
    }
  }
  CHECK(lives > 80);
  CHECK(refusals > 40);
  CHECK(from_snapshots > 10);
}

TEST_CASE("reproduce: a snapshot that lies ahead is met on the way") {
  Tape tape = tape_of(k_long_seed);
  REQUIRE_FALSE(tape.snapshots.empty());
  tape.disk.snapshots = {tape.snapshots.front()};
  CHECK(reproduce(tape.disk).snapshot_confirmed);
  tape.disk.snapshots.front().digest ^= 1;
  const Reproduction again = reproduce(tape.disk);
  REQUIRE(again.deviation);
  CHECK(again.events == tape.snapshots.front().seq.value);
  CHECK(contains(again.deviation->recorded, "the snapshot after event"));
}

TEST_CASE("reproduce: what was changed is found") {
  Tape tape = tape_of(k_long_seed);
  JournalDisk& disk = tape.disk;
  REQUIRE_FALSE(reproduce(disk).deviation);

  SUBCASE("another policy makes other decisions") {
    auto& config = std::get<ConfigChanged>(disk.history[place_of<ConfigChanged>(disk)].body).config;
    for (Pool& pool : config.pools) pool.idle_time = pool.idle_time + Duration::seconds(7);
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.events < disk.history.size());
    INFO(words_of(again));
    CHECK(contains(words_of(again), "timer_fired"));
  }
  SUBCASE("names of nodes") {
    auto& config = std::get<ConfigChanged>(disk.history[place_of<ConfigChanged>(disk)].body).config;
    for (Pool& pool : config.pools) pool.node_prefix = "other-" + pool.node_prefix;
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(contains(again.deviation->simulated, "reserves gang 1: other-"));
    CHECK(contains(again.deviation->recorded, "VM 1 is "));
  }
  SUBCASE("a grant that nobody asked for") {
    const std::size_t place = place_of<GangGranted>(disk, 3);
    std::get<GangGranted>(disk.history[place].body).gang = {1'000'000};
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.deviation->seq == Seq{place + 1});
    CHECK(again.deviation->at == disk.history[place].at);
    CHECK(again.deviation->simulated == "the controller has not asked for gang 1000000");
  }
  SUBCASE("a grant of another size") {
    auto& granted = std::get<GangGranted>(disk.history[place_of<GangGranted>(disk)].body);
    granted.addresses.push_back("10.9.9.9");
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(contains(again.deviation->recorded, "is granted with " + std::to_string(granted.addresses.size())));
    CHECK(contains(again.deviation->simulated, "reserves gang"));
  }
  SUBCASE("an end of a job that did not run") {
    const std::size_t place = place_of<JobEnded>(disk, 2);
    std::get<JobEnded>(disk.history[place].body).incarnation += 70;
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.deviation->seq == Seq{place + 1});
    CHECK(contains(again.deviation->simulated, "the controller has not started job"));
  }
  SUBCASE("a request that is refused") {
    const std::size_t place = place_of<JobSubmitted>(disk, 4);
    std::get<JobSubmitted>(disk.history[place].body).spec.partition = "nowhere";
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.deviation->seq == Seq{place + 1});
    CHECK(contains(again.deviation->simulated, "that is refused: "));
  }
  SUBCASE("an event that came later") {
    const std::size_t place = place_of<JobEnded>(disk, 1);
    disk.history[place].at = disk.history[place].at + Duration{1};
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
  }
  SUBCASE("a timer that never fired") {
    const std::size_t place = place_of<TimerFired>(disk, 5);
    disk.history[place].body = CheckpointDone{{0, 0, "root", true}, {1}, 1, 1};
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.deviation->seq.value <= place + 1);
  }
  SUBCASE("a timer before its deadline") {
    const std::size_t place = place_of<TimerFired>(disk, 5);
    disk.history[place].at = disk.history[place - 1].at;
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(contains(again.deviation->recorded, "timer_fired"));
  }
  SUBCASE("a run that ends too early for its accounts") {
    disk.history.resize(disk.history.size() / 2);
    CHECK_FALSE(reproduce(disk).deviation);  // accounts of later events say nothing about these
  }
}

TEST_CASE("reproduce: a run with an event more or less ends with a word, wherever it is") {
  const Tape tape = tape_of(k_long_seed);
  Prng random(1);
  int deviations = 0;
  for (int n = 0; n < 100; ++n) {
    JournalDisk disk = tape.disk;
    const auto place = static_cast<std::ptrdiff_t>(random.below(disk.history.size()));
    CAPTURE(place);
    if (n % 2 == 0) {
      disk.history.erase(disk.history.begin() + place);
    } else {
      disk.history.insert(disk.history.begin() + place, disk.history[static_cast<std::size_t>(place)]);
    }
    const Reproduction again = reproduce(std::move(disk));
    if (again.deviation) CHECK_FALSE(again.deviation->recorded.empty());
    deviations += again.deviation ? 1 : 0;
  }
  CHECK(deviations > 50);  // the others are echoes, or nothing follows from them
}

TEST_CASE("reproduce: accounts are decisions that were written down") {
  Tape tape = tape_of(k_long_seed);
  JournalDisk& disk = tape.disk;
  SUBCASE("a job's nodes in another order") {
    const auto gang = std::find_if(disk.jobs.begin(), disk.jobs.end(), [](const auto& entry) {
      return entry.second.nodes.size() > 1 && entry.second.started.is_set();
    });
    REQUIRE(gang != disk.jobs.end());
    std::vector<JobNode>& nodes = gang->second.nodes.edit();
    std::swap(nodes[0], nodes[1]);
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(contains(again.deviation->recorded, "job " + std::to_string(gang->first.first.value)));
    INFO(words_of(again));
    CHECK(contains(again.deviation->recorded, "; rank 0 is " + nodes[0].name));
    CHECK(contains(again.deviation->simulated, "; rank 0 is " + nodes[1].name));
  }
  SUBCASE("a job's end") {
    Job& job = disk.jobs.begin()->second;
    job.exit.code += 1;
    const Reproduction again = reproduce(disk);
    REQUIRE(again.deviation);
    CHECK(again.events == disk.history.size());
    CHECK(again.deviation->at == job.ended);
    CHECK(contains(again.deviation->recorded, "the account of job " + std::to_string(job.id.value)));
    CHECK(contains(again.deviation->recorded, ": exit {"));
  }
  SUBCASE("a job that is not in the accounts") {
    disk.jobs.erase(disk.jobs.begin());
    CHECK(contains(words_of(reproduce(disk)), "recorded no account of job"));
  }
  SUBCASE("a VM that is in the accounts alone") {
    VmRecord more = disk.vms.begin()->second;
    more.id = {1'000'000};
    disk.vms[more.id] = more;
    CHECK(contains(words_of(reproduce(disk)), "recorded the account of VM 1000000"));
  }
}

TEST_CASE("reproduce: a journal that holds nothing to reproduce is told from one that does") {
  const auto output_of = [](JournalDisk& disk, const std::string& json = "") {
    disk.is_open = false;
    return run_journal_mode({.journal = "run.db", .json = json},
                            [&](const std::string&) { return open_memory_journal(disk); });
  };
  JournalDisk empty;
  CHECK(output_of(empty).error().message == "run.db: nothing to reproduce: the journal has no event");
  Tape tape = tape_of(k_long_seed);
  REQUIRE_FALSE(tape.snapshots.empty());
  JournalDisk all_dropped = compacted(tape.disk, tape.snapshots.front());
  all_dropped.history.resize(tape.snapshots.front().seq.value);
  CHECK(contains(output_of(all_dropped).error().message, "no event after its snapshot of event"));
  JournalDisk broken = compacted(tape.disk, tape.snapshots.front());
  broken.snapshots.front().state.resize(20);
  CHECK(contains(output_of(broken).error().message, "run.db: the snapshot after event"));

  const auto whole = output_of(tape.disk);
  REQUIRE(whole);
  CHECK(whole->reproduced);
  CHECK(contains(whole->text, "reproduced      "));
  CHECK(contains(whole->text, "begins          with the first event\n"));
  const auto json = output_of(tape.disk, "-");
  CHECK(contains(json->text, "\"reproduced\":true"));
  tape.disk.jobs.erase(tape.disk.jobs.begin());
  const auto less = output_of(tape.disk);
  CHECK_FALSE(less->reproduced);
  CHECK(contains(less->text, "deviates        after "));
  CHECK(contains(less->text, "\n  recorded      no account of job "));
}

}  // namespace virga::test
