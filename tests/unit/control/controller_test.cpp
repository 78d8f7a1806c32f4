// The loop with ports that only record: durability before effects, answers, crash and replay, a journal that fails.
#include "control/controller.hpp"

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "brain/brain.hpp"
#include "control/inbox.hpp"
#include "control/system_clock.hpp"
#include "unit/control/small_config.hpp"

namespace virga::test {

namespace {

/// Keeps everything in memory, as the disk would; outlives the controllers that use it.
class MemoryJournal : public Journal {
 public:
  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    if (full) return fail(Code::exhausted, "disk full");
    Seq first{events.size() + 1};
    for (const JournalEntry& e : entries) {
      events.push_back(e.event);
      payloads.push_back(e.payload.value_or(LaunchPayload{}));
    }
    for (const Job& job : jobs) archived.push_back(job);
    for (const VmRecord& vm : vms) archived_vm.push_back(vm);
    ++commits;
    return first;
  }
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    for (std::uint64_t i = after.value; i < events.size(); ++i) {
      if (!each({i + 1}, events[i])) break;
    }
    return {};
  }
  Result<LaunchPayload> payload(Seq seq) override { return payloads.at(seq.value - 1); }
  Status save_snapshot(const Snapshot& s) override {
    snapshot = s;
    return {};
  }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return newest_snapshot(); }
  Result<std::optional<Snapshot>> newest_snapshot() override { return snapshot; }
  Status compact() override {
    ++compactions;
    return {};
  }
  Result<std::vector<Job>> archived_jobs(const AccountQuery&) override { return archived; }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery&) override { return archived_vm; }
  Result<JournalInfo> info() override {
    JournalInfo info;
    info.first = Seq{events.empty() ? 0U : 1U};
    info.last = Seq{events.size()};
    return info;
  }
  Status backup(const std::string&) override { return {}; }

  std::vector<Event> events;
  std::vector<LaunchPayload> payloads;
  std::vector<Job> archived;
  std::vector<VmRecord> archived_vm;
  std::optional<Snapshot> snapshot;
  std::uint64_t commits = 0;
  std::uint64_t compactions = 0;
  bool full = false;
};

/// A cloud and an engine where everything succeeds at once. `journal` shows what was durable when they were called.
struct QuickCloud : Cloud {
  void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>& user_data) override {
    for (const WantedVm& vm : c.vms) {
      there.push_back(vm.vm);
      CHECK(user_data(vm).starts_with("#!"));
    }
    sink->post(GangGranted{c.gang, std::vector<std::string>(c.vms.size(), "10.0.0.1")});
  }
  void release(VmId vm) override {
    std::erase(there, vm);
    sink->post(VmReleased{vm});
  }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>&) override {
    std::vector<ListedVm> all;
    for (VmId vm : there) all.push_back({vm, "nd", "10.0.0.1"});
    return all;
  }
  void adopt(VmId vm) override { adopted.push_back(vm); }
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools); }
  EventSink* sink = nullptr;
  std::vector<VmId> there;
  std::vector<VmId> adopted;
};

struct QuickEngine : Engine {
  std::string user_data(const WantedVm&, const Pool&) override { return "#!/bin/sh\n"; }
  void attach(VmId vm, const std::string&) override { sink->post(VmReady{vm}); }
  void detach(VmId) override {}
  void start(const StartJob& c, LaunchPayload payload) override {
    starts.push_back({c.job.id.value, payload.script});
    sink->post(JobStarted{c.job.id, c.job.incarnation});
    if (ends_at_once) sink->post(JobEnded{c.job.id, c.job.incarnation, {}, {}});
  }
  void signal(const SignalJob&) override {}
  void end(const EndJob& c) override { sink->post(JobEnded{c.job, c.incarnation, {0, c.signal}, {}}); }
  void forget(const ForgetJob&) override { ++forgotten; }
  EventSink* sink = nullptr;
  bool ends_at_once = true;
  std::vector<std::pair<std::uint32_t, std::string>> starts;
  int forgotten = 0;
};

struct TickingClock : Clock {
  Time now() override { return {time += 1'000'000}; }
  std::int64_t time = Time::from_seconds(1'000'000).ns;
};

const Actor k_user{1000, 1000, "u", false};
const Actor k_root{0, 0, "root", true};

/// One life of a controller over a world that outlives it.
struct Life {
  explicit Life(MemoryJournal& j, QuickCloud& c, QuickEngine& e, TickingClock& t) {
    c.sink = &controller;
    e.sink = &controller;
    REQUIRE(controller.recover({&j, &c, &e, &t}, small_config()).has_value());
    thread = std::thread([this] { controller.run(); });
  }
  ~Life() {
    controller.stop();
    if (thread.joinable()) thread.join();
  }

  Result<std::uint64_t> ask(EventBody body, std::optional<LaunchPayload> payload = std::nullopt) {
    std::promise<Result<std::uint64_t>> answer;
    controller.request(std::move(body), std::move(payload),
                       [&](Result<std::uint64_t> r, const Brain&) { answer.set_value(std::move(r)); });
    return answer.get_future().get();
  }
  Result<std::uint64_t> submit(const std::string& script) {
    JobSpec spec;
    spec.work_dir = "/";
    return ask(JobSubmitted{k_user, spec, ""}, LaunchPayload{script, {}, {}, 022});
  }
  template <class F>
  void until(F holds) {
    for (int i = 0; i < 5'000; ++i) {
      std::promise<bool> seen;
      controller.view([&](const Brain& brain) { seen.set_value(holds(brain.state())); });
      if (seen.get_future().get()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("it never came to that");
  }

  Controller controller;
  std::thread thread;
};

bool all_ended(const State& state) {
  return std::all_of(state.jobs.begin(), state.jobs.end(), [](const auto& j) { return is_final(j.second.state); });
}

}  // namespace

TEST_CASE("from a request to the accounts, with the script that was submitted") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  {
    Life life(journal, cloud, engine, clock);
    Result<std::uint64_t> id = life.submit("#!/bin/true\n");
    REQUIRE(id.has_value());
    life.until(all_ended);
    CHECK(life.ask(ShutdownRequested{k_root, false}).has_value());
    life.thread.join();  // run() ends by itself once nothing is left
  }
  CHECK(engine.starts == std::vector<std::pair<std::uint32_t, std::string>>{{1, "#!/bin/true\n"}});
  CHECK(engine.forgotten == 1);
  CHECK(cloud.there.empty());
  REQUIRE(journal.archived.size() == 1);
  CHECK(journal.archived[0].state == JobState::completed);
  CHECK(journal.archived_vm.size() == 1);
  CHECK(journal.snapshot.has_value());
  CHECK(journal.compactions == 0);  // the few events stay, for whoever wants to see it once more
}

TEST_CASE("a controller that ends drops events when many are kept") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  journal.events.assign(20, Event{Time::from_seconds(1), TimerFired{}});
  journal.payloads.resize(20);
  Controller controller;
  controller.snapshot_every(30);
  cloud.sink = &controller;
  engine.sink = &controller;
  REQUIRE(controller.recover({&journal, &cloud, &engine, &clock}, small_config()).has_value());
  controller.stop();
  controller.run();
  CHECK(journal.snapshot.has_value());
  CHECK(journal.compactions == 0);
  controller.snapshot_every(20);
  controller.run();
  CHECK(journal.compactions == 1);
}

TEST_CASE("resumed, a controller goes on without an event of its own, and asks again for what it waits for") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  engine.ends_at_once = false;
  {
    Life life(journal, cloud, engine, clock);
    REQUIRE(life.submit("#!/bin/true\n").has_value());
    life.until([](const State& s) { return s.jobs.at(JobId{1}).state == JobState::running; });
  }
  const std::size_t events = journal.events.size();
  engine.starts.clear();
  Controller controller;
  cloud.sink = &controller;
  engine.sink = &controller;
  REQUIRE(controller.resume({&journal, &cloud, &engine, &clock}).has_value());
  CHECK(journal.events.size() == events);
  CHECK(controller.brain().digest() == journal.snapshot->digest);
  CHECK(engine.starts.size() == 1);
  CHECK(cloud.adopted.size() == 1);
}

TEST_CASE("a refused request is answered and leaves no trace in the journal") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  Life life(journal, cloud, engine, clock);
  const std::size_t before = journal.events.size();
  CHECK(life.ask(JobActed{k_user, {99}, JobAction::cancel, 0, false}).error().code == Code::not_found);
  CHECK(journal.events.size() == before);
}

TEST_CASE("a full disk: requests are refused, facts wait, and nothing is lost when there is room again") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  engine.ends_at_once = false;
  Life life(journal, cloud, engine, clock);
  REQUIRE(life.submit("#!/bin/true\n").has_value());
  life.until([](const State& s) { return s.jobs.at({1}).state == JobState::running; });
  std::promise<void> filled;
  life.controller.view([&](const Brain&) {
    journal.full = true;
    filled.set_value();
  });
  filled.get_future().get();
  life.controller.post(JobEnded{{1}, 0, {}, {}});
  Result<std::uint64_t> refused = life.submit("#!/bin/true\n");
  CHECK(refused.error().code == Code::exhausted);
  CHECK(refused.error().retryable);
  life.until([](const State& s) { return s.jobs.size() == 1 && s.jobs.at({1}).state == JobState::running; });
  life.controller.view([&](const Brain&) { journal.full = false; });
  life.until(all_ended);
  CHECK(life.submit("#!/bin/true\n").has_value());
}

TEST_CASE(
    "a controller that comes back goes on where the journal ends: same state, same jobs, no second start of ended "
    "ones") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  std::uint64_t digest = 0;
  {
    Life life(journal, cloud, engine, clock);
    for (int i = 0; i < 3; ++i) REQUIRE(life.submit("#!/bin/true\n").has_value());
    life.until(all_ended);
    engine.ends_at_once = false;
    REQUIRE(life.submit("#!/bin/true\n").has_value());
    life.until([](const State& s) { return s.jobs.at({4}).state == JobState::running; });
    std::promise<std::uint64_t> d;
    life.controller.view([&](const Brain& brain) { d.set_value(brain.digest()); });
    digest = d.get_future().get();
  }
  Brain replayed;
  std::uint64_t seq = 0;
  for (const Event& event : journal.events) replayed.apply({++seq}, event);
  CHECK(replayed.digest() == digest);

  journal.snapshot.reset();  // as after a kill: only the events are there
  const std::size_t starts = engine.starts.size();
  Life life(journal, cloud, engine, clock);
  life.until([](const State& s) { return s.jobs.at({4}).state == JobState::running; });
  CHECK(engine.starts.size() == starts + 1);  // the running one is asked for again: engines are idempotent
  CHECK(engine.starts.back().first == 4);
  CHECK(cloud.adopted.size() == 1);
  life.controller.post(JobEnded{{4}, 0, {}, {}});
  life.until(all_ended);
}

TEST_CASE("what the journal does not know is released; what is gone is noticed") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  engine.ends_at_once = false;
  {
    Life life(journal, cloud, engine, clock);
    REQUIRE(life.submit("#!/bin/true\n").has_value());
    life.until([](const State& s) { return s.jobs.at({1}).state == JobState::running; });
  }
  cloud.there = {VmId{77}};  // the job's node vanished, and a stranger is there
  Life life(journal, cloud, engine, clock);
  life.until([](const State& s) { return s.jobs.at({1}).incarnation == 1; });
  CHECK(std::find(cloud.there.begin(), cloud.there.end(), VmId{77}) == cloud.there.end());
}

TEST_CASE("group commit: what queues up during a commit shares the next one") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  engine.ends_at_once = false;
  Life life(journal, cloud, engine, clock);
  std::promise<void> hold;
  std::shared_future<void> released = hold.get_future().share();
  life.controller.view([released](const Brain&) { released.wait(); });
  std::vector<std::promise<Result<std::uint64_t>>> answers(100);
  const std::uint64_t before = journal.commits;
  for (auto& answer : answers) {
    JobSpec spec;
    spec.work_dir = "/";
    spec.held = true;
    life.controller.request(JobSubmitted{k_user, spec, ""}, LaunchPayload{},
                            [&](Result<std::uint64_t> r, const Brain&) { answer.set_value(r); });
  }
  hold.set_value();
  std::uint64_t id = 0;
  for (auto& answer : answers) CHECK(*answer.get_future().get() == ++id);
  CHECK(journal.commits - before <= 3);
}

TEST_CASE("who still waits when the loop ends is served: requests are refused, readers read") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  Life life(journal, cloud, engine, clock);
  std::promise<void> hold;
  std::shared_future<void> released = hold.get_future().share();
  std::promise<void> held;
  life.controller.view([&held, released](const Brain&) {
    held.set_value();
    released.wait();
  });
  held.get_future().wait();  // or the loop could end before there is anything to serve
  std::optional<Result<std::uint64_t>> answer;
  bool read = false;
  std::thread late([&] {
    life.controller.stop();  // the loop ends after the batch that it is in
    life.controller.request(JobSubmitted{k_user, {}, ""}, std::nullopt,
                            [&](auto r, const Brain&) { answer = std::move(r); });
    life.controller.view([&](const Brain&) { read = true; });
    hold.set_value();
  });
  late.join();
  life.thread.join();
  REQUIRE(answer.has_value());
  if (!answer->has_value()) CHECK(answer->error().code != Code::internal);
  CHECK(read);
  answer.reset();
  life.controller.request(JobSubmitted{k_user, {}, ""}, std::nullopt,
                          [&](auto r, const Brain&) { answer = std::move(r); });
  REQUIRE(answer.has_value());
  CHECK(answer->error().code == Code::unavailable);
}

TEST_CASE("driven step by step, the same loop runs on the caller's thread and clock") {
  MemoryJournal journal;
  QuickCloud cloud;
  QuickEngine engine;
  TickingClock clock;
  Controller controller;
  cloud.sink = &controller;
  engine.sink = &controller;
  engine.ends_at_once = false;
  REQUIRE(controller.recover({&journal, &cloud, &engine, &clock}, small_config()).has_value());
  CHECK_FALSE(controller.step_now());
  CHECK(controller.next_deadline().is_never());
  JobSpec spec;
  spec.work_dir = "/";
  spec.time_limit = Duration::minutes(1);
  std::uint64_t id = 0;
  controller.request(JobSubmitted{k_user, spec, ""}, LaunchPayload{},
                     [&](auto r, const Brain&) { id = r.value_or(0); });
  CHECK(controller.step_now());
  CHECK(id == 1);
  while (controller.step_now()) continue;
  CHECK(engine.starts.size() == 1);
  CHECK(controller.next_deadline() > Time{clock.time} + Duration::seconds(59));
  CHECK(controller.next_deadline() < Time{clock.time} + Duration::seconds(61));
  clock.time += Duration::minutes(2).ns;
  CHECK(controller.step_now());  // the time limit
  while (controller.step_now()) continue;
  controller.view([](const Brain& brain) { CHECK(brain.state().jobs.at({1}).state == JobState::timeout); });
  CHECK(controller.step_now());

  struct Crash {};
  controller.on_crash_point([](CrashPoint point) {
    if (point == CrashPoint::appended) throw Crash{};
  });
  controller.request(JobSubmitted{k_user, spec, ""}, LaunchPayload{},
                     [](auto, const Brain&) { FAIL("it crashed before that"); });
  const std::size_t before = journal.events.size();
  CHECK_THROWS_AS(controller.step_now(), Crash);
  CHECK(journal.events.size() == before + 1);
}

TEST_CASE("a wall clock that was set back does not take time back: it goes on from the journal's last event") {
  const Time wall = make_system_clock({})->now();
  const Time ahead = wall + Duration::minutes(60);
  std::unique_ptr<Clock> clock = make_system_clock(ahead);
  const Time first = clock->now();
  CHECK(first >= ahead);
  CHECK(first < ahead + Duration::minutes(1));
  CHECK(clock->now() >= first);
}

}  // namespace virga::test
