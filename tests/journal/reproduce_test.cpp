// `virga simulate --journal` over SQLite's files, as real controllers leave them: whole, compacted, changed, damaged.
#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "sim/reproduce/journal_mode.hpp"
#include "sim/simulate.hpp"
#include "sim/world/seed_run.hpp"
#include "unit/journals_sqlite/helpers.hpp"
#include "unit/sim/between.hpp"

namespace virga {

using test::contains;
using test::open_or_fail;
using test::TempDir;

namespace {

constexpr std::uint64_t k_seed = 35;  ///< its controllers die, and take snapshots
const SeedLimits k_small{.jobs_max = 60, .nodes_max = 16};

/// The journal of a simulated world, and the same in a file, with or without what compact() drops.
struct AlsoInFile : test::JournalBetween {
  AlsoInFile(std::unique_ptr<Journal> inner_journal, Journal& file_journal, bool compacts_file)
      : JournalBetween(std::move(inner_journal)), file(file_journal), compacts(compacts_file) {}
  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    Result<Seq> first = inner->append(entries, jobs, vms);
    if (first) REQUIRE(file.append(entries, jobs, vms).value() == *first);
    return first;
  }
  Status save_snapshot(const Snapshot& snapshot) override {
    Status saved = inner->save_snapshot(snapshot);
    if (saved) REQUIRE(file.save_snapshot(snapshot));
    return saved;
  }
  Status compact() override {
    Status done = inner->compact();
    if (done && compacts) REQUIRE(file.compact());
    return done;
  }
  Journal& file;
  bool compacts;
};

void record(const std::string& path, bool compacts) {
  const std::unique_ptr<Journal> file = open_or_fail(path);
  SeedHooks hooks;
  hooks.journal = [&](std::unique_ptr<Journal> inner) {
    return std::make_unique<AlsoInFile>(std::move(inner), *file, compacts);
  };
  const SeedOutcome outcome = run_seed(k_seed, k_small, hooks);
  REQUIRE_MESSAGE(outcome.ok(), outcome.what);
}

Result<std::unique_ptr<Journal>> open_to_read(const std::string& path) {
  return open_sqlite_journal(path, OpenMode::read_only);
}

JournalOutput reproduced(const std::string& path) {
  const Result<JournalOutput> output = run_journal_mode({.journal = path}, open_to_read);
  REQUIRE_MESSAGE(output, output.error().message);
  return *output;
}

/// The same journal with one of its events changed: its checksums are right, as if it had been recorded so.
void copy_changed(const std::string& from, const std::string& to, const std::function<bool(EventBody&)>& change) {
  const std::unique_ptr<Journal> old = *open_to_read(from);
  const std::unique_ptr<Journal> copy = open_or_fail(to);
  std::vector<JournalEntry> entries;
  bool changed = false;
  REQUIRE(old->read({}, [&](Seq, const Event& event) {
    entries.push_back({event, std::nullopt});
    if (!changed) changed = change(entries.back().event.body);
    return true;
  }));
  REQUIRE(changed);
  REQUIRE(copy->append(entries, old->archived_jobs({}).value(), old->archived_vms({}).value()));
}

int exit_of(std::vector<std::string> words) {
  words.insert(words.begin(), "simulate");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return simulate_main(static_cast<int>(argv.size()), argv.data(), open_to_read);
}

}  // namespace

TEST_CASE("simulate --journal: a file with every event, and what was changed in it") {
  TempDir dir;
  const std::string path = dir / "run.db";
  record(path, false);
  const JournalOutput whole = reproduced(path);
  CHECK_MESSAGE(whole.reproduced, whole.text);
  CHECK(contains(whole.text, "begins          with the first event\n"));
  CHECK(contains(whole.text, "; the newest snapshot was met on the way\n"));
  CHECK(exit_of({"--journal", path, "--json", dir / "figures.json"}) == 0);
  CHECK(contains(test::slurp(dir / "figures.json"), "\"snapshot_confirmed\":true"));

  SUBCASE("another policy") {
    copy_changed(path, dir / "other.db", [](EventBody& body) {
      auto* changed = std::get_if<ConfigChanged>(&body);
      if (changed == nullptr) return false;
      for (Pool& pool : changed->config.pools) pool.idle_time = pool.idle_time + Duration::seconds(7);
      return true;
    });
    const JournalOutput other = reproduced(dir / "other.db");
    CHECK_FALSE(other.reproduced);
    CHECK(contains(other.text, "deviates        after "));
    CHECK(contains(other.text, "\n  recorded      "));
    CHECK(contains(other.text, "\n  simulated     "));
    CHECK(exit_of({"--journal", dir / "other.db"}) == 1);
  }
  SUBCASE("one end that was another one") {
    copy_changed(path, dir / "other.db", [](EventBody& body) {
      auto* ended = std::get_if<JobEnded>(&body);
      if (ended == nullptr || !ended->exit.ok()) return false;
      ended->exit.code = 9;
      return true;
    });
    CHECK_FALSE(reproduced(dir / "other.db").reproduced);
  }
}

TEST_CASE("simulate --journal: a compacted file begins on its snapshot") {
  TempDir dir;
  const std::string path = dir / "run.db";
  record(path, true);
  const JournalInfo info = open_to_read(path).value()->info().value();
  REQUIRE(info.first.value > 1);
  const JournalOutput output = reproduced(path);
  CHECK_MESSAGE(output.reproduced, output.text);
  CHECK(contains(output.text, "begins          on the snapshot after event " + std::to_string(info.snapshot.value)));
}

TEST_CASE("simulate --journal: what cannot be read is one line and 2") {
  TempDir dir;
  const std::string path = dir / "run.db";
  record(path, false);
  const auto error_of = [](const std::string& file) {
    return run_journal_mode({.journal = file}, open_to_read).error().message;
  };
  CHECK(contains(error_of(dir / "none.db"), "there is no journal " + (dir / "none.db")));
  CHECK(exit_of({"--journal", dir / "none.db"}) == 2);
  std::filesystem::copy_file("/proc/self/exe", dir / "program.db");
  CHECK(contains(error_of(dir / "program.db"), "program.db"));
  CHECK(exit_of({"--journal", dir / "program.db"}) == 2);
  SQLite::Database(path, SQLite::OPEN_READWRITE).exec("UPDATE events SET record = x'00' WHERE seq = 40");
  CHECK(contains(error_of(path), "event 40 does not match its CRC-32C"));
  CHECK(exit_of({"--journal", path}) == 2);
  CHECK(exit_of({"--journal", path, "--scenario", "machine.toml"}) == 2);
}

}  // namespace virga
