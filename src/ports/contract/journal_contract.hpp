// What every journal must do, whatever it stores its events in (ports/journal.hpp). Included by an adapter's own
// doctest file:
//
//   TEST_CASE("sqlite journal: contract") {
//     TempDir dir;
//     check_journal_contract({.open = [&] { return open_sqlite_journal(dir / "j.db", OpenMode::create_or_open); },
//                             .backup_path = dir / "copy",
//                             .open_backup = …});
//   }
//
// `open` opens one and the same store, which is empty at the beginning of each subcase: the test case runs anew for
// every SUBCASE, so what it makes before the call is fresh.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "core/binary.hpp"
#include "ports/journal.hpp"

namespace virga {

struct JournalUnderTest {
  using Open = std::function<Result<std::unique_ptr<Journal>>()>;
  Open open;
  std::string backup_path;  ///< where backup() may write
  Open open_backup;         ///< opens what backup() wrote there
};

namespace journal_contract {

/// An event that differs for every n in each of its parts.
inline Event event(std::uint32_t n) {
  JobSubmitted body;
  body.actor = {n, n + 1, "user" + std::to_string(n), n % 2 == 0};
  body.spec.name = std::string(n % 300, 'x');
  body.spec.nodes = n;
  body.idempotency_key = std::string("\0binary\xff", 8) + std::to_string(n);
  return {Time{1'000'000'000LL * n}, body};
}

inline std::vector<JournalEntry> entries(std::uint32_t first, std::uint32_t count) {
  std::vector<JournalEntry> out;
  for (std::uint32_t n = first; n < first + count; ++n) out.push_back({event(n), std::nullopt});
  return out;
}

inline LaunchPayload payload(std::uint32_t n) {
  return {"#!/bin/sh\necho " + std::to_string(n) + "\n", {"a", ""}, {"HOME=/", "N=" + std::to_string(n)}, 027};
}

inline Job job(std::uint32_t id, std::uint32_t incarnation, JobState state) {
  Job j;
  j.id = JobId{id};
  j.incarnation = incarnation;
  j.state = state;
  j.owner.uid = 1000 + id % 2;
  j.started = Time::from_seconds(100 * id);
  j.ended = Time::from_seconds(100 * id + 50);
  return j;
}

inline std::unique_ptr<Journal> opened(const JournalUnderTest::Open& open) {
  Result<std::unique_ptr<Journal>> journal = open();
  INFO((journal ? "" : journal.error().message));
  REQUIRE(journal.has_value());
  return *std::move(journal);
}

/// Reads all events after `after`, and checks that each is event(its number) and that none is missing.
inline std::uint32_t count_from(Journal& journal, std::uint64_t after, std::uint64_t first) {
  std::uint32_t count = 0;
  Status read = journal.read(Seq{after}, [&](Seq seq, const Event& e) {
    CHECK(seq.value == first + count);
    CHECK(encode(e) == encode(event(static_cast<std::uint32_t>(seq.value))));
    ++count;
    return true;
  });
  INFO((read ? "" : read.error().message));
  CHECK(read.has_value());
  return count;
}

inline Snapshot snapshot(std::uint64_t seq, std::string state) { return {Seq{seq}, digest_of(state), state}; }

inline void check_events(const JournalUnderTest& test) {
  SUBCASE("an empty journal has nothing") {
    auto journal = opened(test.open);
    CHECK(count_from(*journal, 0, 1) == 0);
    CHECK_FALSE(journal->newest_snapshot().value().has_value());
    CHECK(journal->payload(Seq{1}).error().code == Code::not_found);
    JournalInfo info = journal->info().value();
    CHECK(info.first == Seq{});
    CHECK(info.last == Seq{});
    CHECK(info.archived_jobs == 0);
    CHECK(info.schema_version == k_schema_version);
  }
  SUBCASE("sequence numbers are consecutive, across batches and openings") {
    {
      auto journal = opened(test.open);
      CHECK(journal->append(entries(1, 1), {}, {}).value() == Seq{1});
      CHECK(journal->append(entries(2, 500), {}, {}).value() == Seq{2});
      CHECK(journal->append({}, {}, {}).value() == Seq{502});
    }
    auto journal = opened(test.open);
    CHECK(journal->append(entries(502, 3), {}, {}).value() == Seq{502});
    CHECK(count_from(*journal, 0, 1) == 504);
    CHECK(count_from(*journal, 500, 501) == 4);
    CHECK(count_from(*journal, 504, 505) == 0);
    JournalInfo info = journal->info().value();
    CHECK(info.first == Seq{1});
    CHECK(info.last == Seq{504});
    CHECK(info.last_time == event(504).at);
  }
  SUBCASE("reading stops when told to, and one may append between two reads") {
    auto journal = opened(test.open);
    REQUIRE(journal->append(entries(1, 10), {}, {}));
    int seen = 0;
    CHECK(journal->read(Seq{2}, [&](Seq, const Event&) { return ++seen < 3; }));
    CHECK(seen == 3);
    CHECK(journal->append(entries(11, 1), {}, {}).value() == Seq{11});
    CHECK(count_from(*journal, 0, 1) == 11);
  }
  SUBCASE("the payload is found under its event's number") {
    std::vector<JournalEntry> batch = entries(1, 3);
    batch[1].payload = payload(7);
    {
      auto journal = opened(test.open);
      REQUIRE(journal->append(batch, {}, {}));
    }
    auto journal = opened(test.open);
    CHECK(encode(journal->payload(Seq{2}).value()) == encode(payload(7)));
    CHECK(journal->payload(Seq{1}).error().code == Code::not_found);
  }
}

inline void check_snapshots(const JournalUnderTest& test) {
  SUBCASE("the newest snapshot is given back") {
    auto journal = opened(test.open);
    REQUIRE(journal->append(entries(1, 10), {}, {}));
    for (std::uint64_t seq : {3, 5, 9}) REQUIRE(journal->save_snapshot(snapshot(seq, std::string(seq * 1000, 's'))));
    auto newest = journal->newest_snapshot().value();
    REQUIRE(newest.has_value());
    CHECK(newest->seq == Seq{9});
    CHECK(newest->state == std::string(9000, 's'));
    CHECK(newest->digest == digest_of(newest->state));
    CHECK(journal->info().value().snapshot == Seq{9});
    CHECK(journal->oldest_snapshot().value()->seq <= Seq{9});
    CHECK(count_from(*journal, 0, 1) == 10);
  }
  SUBCASE("a snapshot of the future, or whose digest is not its own, is refused") {
    auto journal = opened(test.open);
    REQUIRE(journal->append(entries(1, 2), {}, {}));
    CHECK(journal->save_snapshot(snapshot(3, "s")).error().code == Code::invalid);
    CHECK(journal->save_snapshot({Seq{1}, 42, "s"}).error().code == Code::invalid);
    CHECK_FALSE(journal->newest_snapshot().value().has_value());
    CHECK_FALSE(journal->oldest_snapshot().value().has_value());
  }
  SUBCASE("compact() drops what the newest snapshot covers, and numbers go on") {
    {
      auto journal = opened(test.open);
      REQUIRE(journal->append(entries(1, 100), {}, {}));
      REQUIRE(journal->compact());  // without a snapshot nothing goes
      CHECK(count_from(*journal, 0, 1) == 100);
      REQUIRE(journal->save_snapshot(snapshot(60, "s60")));
      REQUIRE(journal->compact());
      CHECK(count_from(*journal, 60, 61) == 40);
      CHECK(count_from(*journal, 0, 61) == 40);
      CHECK(journal->info().value().first == Seq{61});
      REQUIRE(journal->save_snapshot(snapshot(100, "s100")));
      CHECK(journal->oldest_snapshot().value()->seq >= Seq{60});  // what follows it is still there
      REQUIRE(journal->compact());
      CHECK(journal->oldest_snapshot().value()->seq == Seq{100});
    }
    auto journal = opened(test.open);
    JournalInfo info = journal->info().value();
    CHECK(info.first == Seq{});
    CHECK(info.last == Seq{100});
    CHECK(info.last_time == event(100).at);
    CHECK(journal->newest_snapshot().value()->state == "s100");
    CHECK(journal->append(entries(101, 1), {}, {}).value() == Seq{101});
    CHECK(count_from(*journal, 100, 101) == 1);
  }
  SUBCASE("compact() keeps the payload of every job that may run (again)") {
    auto journal = opened(test.open);
    std::vector<JournalEntry> batch = entries(1, 4);
    for (std::uint32_t n = 0; n < 4; ++n) batch[n].payload = payload(n);
    std::vector<Job> over;
    over.push_back(job(1, 0, JobState::completed));
    over.push_back(job(2, 0, JobState::node_fail));  // goes back to the queue
    over.push_back(job(3, 0, JobState::node_fail));  // the same, and its second life has ended too
    over.push_back(job(3, 1, JobState::failed));
    over[1].requeue_after_end = true;
    over[2].requeue_after_end = true;
    for (Job& j : over) j.submitted_at_seq = Seq{j.id.value};
    REQUIRE(journal->append(batch, over, {}));
    REQUIRE(journal->save_snapshot(snapshot(4, "s")));
    REQUIRE(journal->compact());
    CHECK(journal->payload(Seq{1}).error().code == Code::not_found);
    CHECK(encode(journal->payload(Seq{2}).value()) == encode(payload(1)));
    CHECK(journal->payload(Seq{3}).error().code == Code::not_found);
    CHECK(encode(journal->payload(Seq{4}).value()) == encode(payload(3)));  // job 4 has not ended
    CHECK(journal->archived_jobs({}).value().size() == 4);
  }
}

inline void check_accounts(const JournalUnderTest& test) {
  SUBCASE("jobs are found by id, user and time, in order, and are replaced by id and incarnation") {
    auto journal = opened(test.open);
    std::vector<Job> over;
    for (std::uint32_t id = 9; id >= 1; --id) over.push_back(job(id, 0, JobState::completed));
    over.push_back(job(4, 1, JobState::failed));
    REQUIRE(journal->append({}, over, {}));
    Job changed = job(5, 0, JobState::timeout);
    REQUIRE(journal->append(entries(1, 1), std::vector{changed}, {}));

    auto ids = [&](const AccountQuery& query) {
      std::string text;
      const std::vector<Job> found = journal->archived_jobs(query).value();
      for (const Job& j : found) {
        text += std::to_string(j.id.value) + (j.incarnation > 0 ? "'" : "") + " ";
      }
      return text;
    };
    CHECK(ids({}) == "1 2 3 4 4' 5 6 7 8 9 ");
    CHECK(ids({.jobs = {JobId{4}, JobId{9}, JobId{77}}}) == "4 4' 9 ");
    CHECK(ids({.uid = 1001}) == "1 3 5 7 9 ");
    CHECK(ids({.ended_after = Time::from_seconds(650)}) == "7 8 9 ");
    CHECK(ids({.started_before = Time::from_seconds(300)}) == "1 2 ");
    CHECK(ids({.jobs = {JobId{1}, JobId{3}, JobId{5}},
               .uid = 1001,
               .ended_after = Time::from_seconds(200),
               .started_before = Time::from_seconds(400)}) == "3 ");
    CHECK(ids({.limit = 3}) == "7 8 9 ");  // the newest
    CHECK(journal->archived_jobs({.jobs = {JobId{5}}}).value()[0].state == JobState::timeout);
    CHECK(journal->info().value().archived_jobs == 10);
  }
  SUBCASE("VMs are found by time and replaced by id") {
    auto journal = opened(test.open);
    std::vector<VmRecord> gone(3);
    for (std::uint32_t n = 0; n < 3; ++n) {
      gone[n].id = VmId{(1ULL << 40) + n};
      gone[n].granted = Time::from_seconds(100 * (n + 1));
      gone[n].released = Time::from_seconds(100 * (n + 1) + 50);
    }
    REQUIRE(journal->append({}, {}, gone));
    gone[1].reason = "idle";
    REQUIRE(journal->append({}, {}, std::span(gone).subspan(1, 1)));
    auto all = journal->archived_vms({}).value();
    REQUIRE(all.size() == 3);
    CHECK(all[1].reason == "idle");
    CHECK(all[2].id == gone[2].id);
    CHECK(journal->archived_vms({.ended_after = Time::from_seconds(150)}).value().size() == 2);
    CHECK(journal->archived_vms({.started_before = Time::from_seconds(200)}).value().size() == 1);
  }
}

inline void check_whole(const JournalUnderTest& test) {
  SUBCASE("one writer at a time") {
    auto journal = opened(test.open);
    Result<std::unique_ptr<Journal>> second = test.open();
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == Code::conflict);
    journal.reset();
    CHECK(test.open().has_value());
  }
  SUBCASE("a backup holds all of it, and never replaces a file") {
    std::vector<JournalEntry> batch = entries(1, 50);
    batch[0].payload = payload(1);
    auto journal = opened(test.open);
    REQUIRE(journal->append(batch, std::vector{job(1, 0, JobState::completed)}, {}));
    REQUIRE(journal->save_snapshot(snapshot(20, "s20")));
    Status backed_up = journal->backup(test.backup_path);
    INFO((backed_up ? "" : backed_up.error().message));
    REQUIRE(backed_up.has_value());
    CHECK(journal->backup(test.backup_path).error().code == Code::conflict);
    REQUIRE(journal->append(entries(51, 1), {}, {}));
    auto copy = opened(test.open_backup);
    CHECK(count_from(*copy, 0, 1) == 50);
    CHECK(copy->newest_snapshot().value()->state == "s20");
    CHECK(encode(copy->payload(Seq{1}).value()) == encode(payload(1)));
    CHECK(copy->archived_jobs({}).value().size() == 1);
  }
  SUBCASE("payloads() gives all of them, in order") {
    std::vector<JournalEntry> batch = entries(1, 5);
    for (std::size_t n : {1, 3}) batch[n].payload = payload(static_cast<std::uint32_t>(n));
    auto journal = opened(test.open);
    REQUIRE(journal->append(batch, {}, {}));
    std::string seen;
    REQUIRE(journal->payloads([&](Seq seq, const LaunchPayload& p) {
      CHECK(encode(p) == encode(payload(static_cast<std::uint32_t>(seq.value - 1))));
      seen += std::to_string(seq.value) + " ";
      return seen.size() < 100;
    }));
    CHECK(seen == "2 4 ");
    CHECK(journal->import(*journal).error().code == Code::conflict);  // it is not empty
  }
  SUBCASE("verify() counts what is kept") {
    auto journal = opened(test.open);
    std::vector<JournalEntry> batch = entries(1, 5);
    batch[0].payload = payload(1);
    REQUIRE(journal->append(batch, std::vector{job(1, 0, JobState::completed)}, std::vector<VmRecord>(1)));
    REQUIRE(journal->save_snapshot(snapshot(5, "s")));
    Result<JournalReport> report = journal->verify();
    INFO((report ? "" : report.error().message));
    REQUIRE(report.has_value());
    CHECK(report->events == 5);
    CHECK(report->payloads == 1);
    CHECK(report->snapshots == 1);
    CHECK(report->archived_jobs == 1);
    CHECK(report->archived_vms == 1);
  }
}

}  // namespace journal_contract

inline void check_journal_contract(const JournalUnderTest& test) {
  journal_contract::check_events(test);
  journal_contract::check_snapshots(test);
  journal_contract::check_accounts(test);
  journal_contract::check_whole(test);
}

}  // namespace virga
