// Jobs stand still and go on, come back held, have priorities of their own; partitions change; mails are asked for.
#include <doctest/doctest.h>

#include "world.hpp"

namespace virga::test {
namespace {

const Actor k_owner{1000, 1000, "user1000", false};
const Actor k_operator{0, 0, "root", true};

Result<std::uint64_t> act(World& w, JobId id, JobAction action, const Actor& who = k_operator) {
  return w.ask(JobActed{.actor = who, .job = id, .action = action});
}

std::vector<MailType> mails_of(World& w) {
  std::vector<MailType> sent;
  for (const Command& command : w.commands) {
    if (const auto* mail = std::get_if<SendMail>(&command)) sent.push_back(mail->what);
  }
  std::erase_if(w.commands, [](const Command& command) { return std::holds_alternative<SendMail>(command); });
  return sent;
}

}  // namespace

TEST_CASE("job verbs: the time limit of a suspended job stands still") {
  World w;
  const JobId id = w.run(timed(1, 10));
  const Time limit = w.job(id).end_limit;
  CHECK(act(w, id, JobAction::suspend, k_owner).error().code == Code::denied);
  CHECK(act(w, id, JobAction::resume).error().message == "Job is not suspended");
  REQUIRE(act(w, id, JobAction::suspend).has_value());
  const auto stop = w.take<SignalJob>();
  CHECK(stop.signal == 19);
  CHECK(stop.whole_job);
  REQUIRE(act(w, id, JobAction::suspend).has_value());  // once more changes nothing
  w.drained();
  CHECK(act(w, id, JobAction::signal).error().message == "no such signal: 0");
  CHECK(w.ask(JobActed{k_owner, id, JobAction::signal, 10, false}).error().message == "Job is suspended");
  w.pass(Duration::minutes(60));
  CHECK(w.job(id).state == JobState::running);
  REQUIRE(act(w, id, JobAction::resume).has_value());
  CHECK(w.take<SignalJob>().signal == 18);
  CHECK_FALSE(w.job(id).suspended.is_set());
  CHECK(w.job(id).suspended_for > Duration::minutes(59));
  CHECK(w.job(id).end_limit == limit + w.job(id).suspended_for);
  w.pass(Duration::minutes(11));
  CHECK(w.job(id).state == JobState::completing);
  CHECK(w.job(id).reason == Reason::time_limit);
}

TEST_CASE("job verbs: a suspended job is cancelled, or ends by itself") {
  World w;
  const JobId id = w.run(World::spec(1));
  REQUIRE(act(w, id, JobAction::suspend).has_value());
  w.take<SignalJob>();
  REQUIRE(act(w, id, JobAction::cancel).has_value());
  CHECK_FALSE(w.job(id).suspended.is_set());
  CHECK(w.take<EndJob>().signal == 15);
  w.event(JobEnded{id, 0, {0, 15}, {}});
  CHECK(w.job(id).state == JobState::cancelled);
}

TEST_CASE("job verbs: requeued and held") {
  World w;
  const JobId id = w.run(World::spec(1));
  REQUIRE(act(w, id, JobAction::requeue_hold, k_owner).has_value());
  w.take<EndJob>();
  w.event(JobEnded{id, 0, {0, 15}, {}});
  CHECK(w.job(id).state == JobState::pending);
  CHECK(w.job(id).reason == Reason::held_user);
  CHECK(w.job(id).detail == "job requeued in held state");
  w.pass(Duration::minutes(1));
  CHECK(w.job(id).state == JobState::pending);
  REQUIRE(act(w, id, JobAction::release, k_owner).has_value());
  w.pass(Duration::minutes(1));
  CHECK(w.job(id).incarnation == 1);
}

TEST_CASE("job verbs: what may not be requeued is not") {
  World w;
  JobSpec spec = World::spec(1);
  spec.requeue = false;
  const JobId id = w.run(spec);
  CHECK(act(w, id, JobAction::requeue).error().message.starts_with("Requested operation is presently disabled"));
}

TEST_CASE("job verbs: an operator's user hold is the owner's to release") {
  World w;
  JobSpec later = World::spec(1);
  later.begin = w.now + Duration::minutes(60);
  const JobId id = w.submit(later);
  REQUIRE(act(w, id, JobAction::user_hold).has_value());
  CHECK(w.job(id).reason == Reason::held_user);
  CHECK(act(w, id, JobAction::release, k_owner).has_value());
}

TEST_CASE("job verbs: only operators choose priorities, and the higher is first") {
  World w(small_config(1));
  w.run(World::spec(1));
  JobSpec low = World::spec(1);
  low.priority = 7;
  CHECK(w.ask(JobSubmitted{k_owner, low, ""}).error().code == Code::denied);
  JobSpec high = low;
  high.priority = 9;
  const JobId first{static_cast<std::uint32_t>(*w.ask(JobSubmitted{k_operator, low, ""}))};
  const JobId second{static_cast<std::uint32_t>(*w.ask(JobSubmitted{k_operator, high, ""}))};
  const JobId plain = w.submit(World::spec(1));  // its number in Slurm is far higher
  CHECK(w.job(plain).rank < w.job(second).rank);
  CHECK(w.job(second).rank < w.job(first).rank);
}

TEST_CASE("job verbs: states of a partition") {
  World w;
  const auto set = [&](bool up, bool takes_jobs, const Actor& who = k_operator) {
    return w.ask(PartitionUpdated{who, "main", up, takes_jobs, Duration::infinite(), Duration::infinite()});
  };
  CHECK(set(false, true, k_owner).error().code == Code::denied);
  CHECK(w.ask(PartitionUpdated{.actor = k_operator, .partition = "none"}).error().code == Code::not_found);
  REQUIRE(set(true, false).has_value());
  CHECK(w.ask(JobSubmitted{k_owner, World::spec(1), ""}).error().message.starts_with("Required partition not avail"));
  REQUIRE(set(false, true).has_value());
  const JobId id = w.submit(World::spec(1));
  CHECK(w.job(id).reason == Reason::partition_down);
  w.drained();
  REQUIRE(set(true, true).has_value());
  w.take<ReserveGang>();
}

TEST_CASE("job verbs: mails as they were asked for") {
  World w;
  JobSpec spec = timed(1, 100);
  spec.mail_types = k_mail_begin | k_mail_end | k_mail_fail | k_mail_time_50 | k_mail_time_80;
  const JobId id = w.run(spec);
  CHECK(mails_of(w) == std::vector{k_mail_begin});
  w.pass(Duration::minutes(51));
  CHECK(mails_of(w) == std::vector{k_mail_time_50});
  w.pass(Duration::minutes(30));
  CHECK(mails_of(w) == std::vector{k_mail_time_80});
  w.event(JobEnded{id, 0, {3, 0}, {}});
  CHECK(mails_of(w) == std::vector{k_mail_fail});
  JobSpec waits = World::spec(1);
  waits.dependencies = {{.kind = DependencyKind::afterok, .job = id}};
  waits.mail_types = k_mail_invalid_dependency;
  w.submit(waits);
  CHECK(mails_of(w) == std::vector{k_mail_invalid_dependency});
  const JobId silent = w.run(World::spec(1));
  w.event(JobEnded{silent, 0, {}, {}});
  CHECK(mails_of(w).empty());
}

}  // namespace virga::test
