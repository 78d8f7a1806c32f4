// Three controllers of one journal, drawn faults, one thread: killed, cut off from the store, frozen between any two
// steps while the others go on. What is accepted is done once, whoever led; what comes too late has no effect.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "brain/brain.hpp"
#include "control/controller.hpp"
#include "unit/control/small_config.hpp"

namespace virga::test {

namespace {

constexpr std::int64_t k_tick_ns = 50'000'000;
constexpr std::int64_t k_lease_ns = 1'000'000'000;
constexpr std::int64_t k_own_lease_ns = 800'000'000;

/// What outlives every controller: the journal, the lease, and what really runs.
struct World {
  std::int64_t now_ns = Time::from_seconds(1'000'000).ns;
  // The store.
  std::vector<Event> events;
  std::vector<LaunchPayload> payloads;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Job> accounts;
  std::uint64_t term = 0;
  std::uint64_t beat = 0;
  // The machines. Whoever runs jobs there refuses commands of a lower term than it has heard of.
  std::uint64_t machine_term = 0;
  std::set<VmId> vms;
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> starts;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t> ends_at;
  int late_commands = 0;
  int late_appends = 0;
};

class SharedLease : public Leadership {
 public:
  explicit SharedLease(World& world) : world_(world) {}

  void on_news(std::function<void()>) override {}
  void campaign() override { campaigns_ = true; }
  void resign() override {}
  bool leads() const override { return term_ != 0 && world_.now_ns < until_; }
  /// A lapse counts as a loss: nobody waits in simulated time.
  bool is_lost() const override { return term_ != 0 && !leads(); }
  std::uint64_t term() const override { return term_; }
  bool confirm() override { return leads() && !cut && world_.term == term_; }
  void report(Seq) override {}
  LeadershipView view() const override { return {}; }

  /// What a thread of its own would do.
  void tick() {
    if (cut || is_lost()) return;
    if (term_ != 0) {
      if (world_.term != term_) return;  // its lease runs out
      ++world_.beat;
      until_ = world_.now_ns + k_own_lease_ns;
      return;
    }
    if (seen_term_ != world_.term || seen_beat_ != world_.beat || seen_at_ == 0) {
      seen_term_ = world_.term;
      seen_beat_ = world_.beat;
      seen_at_ = world_.now_ns;
    }
    if (!campaigns_ || (world_.term != 0 && world_.now_ns - seen_at_ < k_lease_ns)) return;
    term_ = ++world_.term;
    ++world_.beat;
    until_ = world_.now_ns + k_own_lease_ns;
  }

  bool cut = false;

 private:
  World& world_;
  bool campaigns_ = false;
  std::uint64_t term_ = 0;
  std::int64_t until_ = 0;
  std::uint64_t seen_term_ = 0, seen_beat_ = 0;
  std::int64_t seen_at_ = 0;
};

class SharedJournal : public Journal {
 public:
  SharedJournal(World& world, SharedLease& lease) : world_(world), lease_(lease) {}

  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord>) override {
    if (lease_.cut) return fail(Code::unavailable, "cut off", true);
    if (world_.term != lease_.term()) {
      ++world_.late_appends;
      return fail(Code::conflict, "another one leads");
    }
    const Seq first{world_.events.size() + 1};
    for (const JournalEntry& entry : entries) {
      world_.events.push_back(entry.event);
      world_.payloads.push_back(entry.payload.value_or(LaunchPayload{}));
    }
    for (const Job& job : jobs) world_.accounts[{job.id.value, job.incarnation}] = job;
    return first;
  }
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    if (lease_.cut) return fail(Code::unavailable, "cut off", true);
    for (std::uint64_t i = after.value; i < world_.events.size(); ++i) {
      if (!each({i + 1}, world_.events[i])) break;
    }
    return {};
  }
  Result<LaunchPayload> payload(Seq seq) override { return world_.payloads.at(seq.value - 1); }
  Status save_snapshot(const Snapshot&) override { return {}; }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return newest_snapshot(); }
  Result<std::optional<Snapshot>> newest_snapshot() override { return std::nullopt; }
  Status compact() override { return {}; }
  Result<std::vector<Job>> archived_jobs(const AccountQuery&) override { return std::vector<Job>{}; }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery&) override { return std::vector<VmRecord>{}; }
  Result<JournalInfo> info() override { return JournalInfo{}; }
  Status backup(const std::string&) override { return {}; }

 private:
  World& world_;
  SharedLease& lease_;
};

struct SharedCloud : Cloud {
  SharedCloud(World& w, EventSink& s) : world(w), sink(s) {}
  void lead(std::uint64_t t) override {
    term = t;
    world.machine_term = std::max(world.machine_term, t);
  }
  bool is_late() const {
    if (term >= world.machine_term) return false;
    ++world.late_commands;
    return true;
  }
  void reserve(const ReserveGang& c, const std::function<std::string(const WantedVm&)>&) override {
    if (is_late()) return;
    for (const WantedVm& vm : c.vms) world.vms.insert(vm.vm);
    sink.post(GangGranted{c.gang, std::vector<std::string>(c.vms.size(), "10.0.0.1")});
  }
  void release(VmId vm) override {
    if (is_late()) return;
    world.vms.erase(vm);
    sink.post(VmReleased{vm});
  }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>&) override {
    std::vector<ListedVm> all;
    for (VmId vm : world.vms) all.push_back({vm, "nd", "10.0.0.1"});
    return all;
  }
  void adopt(VmId) override {}
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools); }
  World& world;
  EventSink& sink;
  std::uint64_t term = 0;
};

struct SharedEngine : Engine {
  SharedEngine(World& w, EventSink& s) : world(w), sink(s) {}
  void lead(std::uint64_t t) override { term = t; }
  bool is_late() const {
    if (term >= world.machine_term) return false;
    ++world.late_commands;
    return true;
  }
  std::string user_data(const WantedVm&, const Pool&) override { return "#!/bin/sh\n"; }
  void attach(VmId vm, const std::string&) override { sink.post(VmReady{vm}); }
  void detach(VmId) override {}
  void start(const StartJob& c, LaunchPayload) override {
    if (is_late()) return;
    const std::pair key{c.job.id.value, c.job.incarnation};
    if (!world.ends_at.contains(key)) {
      ++world.starts[key];
      world.ends_at[key] = world.now_ns + 300'000'000 + static_cast<std::int64_t>(c.job.id.value % 7) * 200'000'000;
    }
    watched[key] = true;
    sink.post(JobStarted{c.job.id, c.job.incarnation});
  }
  void signal(const SignalJob&) override {}
  void end(const EndJob& c) override {
    if (!is_late()) sink.post(JobEnded{c.job, c.incarnation, {0, c.signal}, {}});
  }
  /// From now on a late start would start it again.
  void forget(const ForgetJob& c) override {
    if (!is_late()) world.ends_at.erase({c.job.value, c.incarnation});
  }
  /// Tells of the jobs that have ended and were asked for.
  void tick() {
    for (auto& [key, waits] : watched) {
      const auto end = world.ends_at.find(key);
      if (!waits || end == world.ends_at.end() || end->second > world.now_ns) continue;
      waits = false;
      sink.post(JobEnded{JobId{key.first}, key.second, {}, {}});
    }
  }
  World& world;
  EventSink& sink;
  std::uint64_t term = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> watched;
};

struct WorldClock : Clock {
  explicit WorldClock(const World& w) : world(w) {}
  Time now() override { return {world.now_ns}; }
  const World& world;
};

/// One process: from its start to its end, or to the moment at which it starts itself afresh.
struct Process {
  explicit Process(World& world)
      : lease(world), journal(world, lease), clock(world), cloud(world, controller), engine(world, controller) {
    controller.log_to([](const std::string&) {});
    begun = controller.begin_following({&journal, nullptr, nullptr, &clock}, lease).has_value();
  }
  SharedLease lease;
  SharedJournal journal;
  WorldClock clock;
  Controller controller;
  SharedCloud cloud;
  SharedEngine engine;
  bool begun = false;
  bool acts = false;
};

class Run {
 public:
  explicit Run(std::uint64_t seed) : random_(seed), processes_(3) {}

  void play() {
    for (int n = 0; n < 400; ++n) {
      if (random_.below(10) == 0) submit();
      trouble();
      tick();
    }
    calm_ = true;
    for (int n = 0; n < 600; ++n) tick();
  }

  void check() {
    std::set<std::uint32_t> ended;
    for (const auto& account : world_.accounts) {
      const std::uint32_t job = account.first.first;
      CHECK(account.second.state == JobState::completed);
      CHECK_MESSAGE(ended.insert(job).second, "job " << job << " ended twice");
    }
    for (std::uint32_t job : accepted_) CHECK_MESSAGE(ended.contains(job), "job " << job << " was lost");
    for (const auto& start : world_.starts) {
      const std::uint32_t job = start.first.first;
      CHECK_MESSAGE(start.second == 1, "job " << job << " was started " << start.second << " times");
      CHECK_MESSAGE(start.first.second == 0, "job " << job << " ran again");
    }
    CHECK_MESSAGE(!accepted_.empty(), (refusals_.empty() ? "nothing was submitted" : *refusals_.begin()));
    int leaders = 0;
    Brain replayed;
    for (std::size_t i = 0; i < world_.events.size(); ++i) {
      replayed.apply({i + 1}, world_.events[i]);
      replayed.take_commands();
    }
    for (auto& process : processes_) {
      if (!process || !process->lease.leads()) continue;
      ++leaders;
      process->controller.view([&](const Brain& brain) { CHECK(brain.digest() == replayed.digest()); });
      process->controller.step_now();
    }
    CHECK(leaders == 1);
  }

  World world_;
  std::uint32_t freezes = 0;
  std::size_t accepted() const { return accepted_.size(); }

 private:
  void tick() {
    world_.now_ns += k_tick_ns;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      if (i != frozen_) turn(i);
    }
    int leaders = 0;
    for (auto& process : processes_) leaders += process && process->lease.leads() ? 1 : 0;
    CHECK_MESSAGE(leaders <= 1, "two lead at once");
  }

  void turn(std::size_t i) {
    std::unique_ptr<Process>& process = processes_[i];
    if (!process || !process->begun || process->lease.is_lost()) start(i);
    if (calm_) process->lease.cut = false;
    process->lease.tick();
    if (process->acts) {
      process->engine.tick();
      for (int steps = 0; steps < 20 && process->controller.step_now(); ++steps) {
      }
      return;
    }
    Result<std::optional<Followed>> turned = process->controller.follow_now();
    if (!turned) return process.reset();
    if (*turned != Followed::leads) return;
    process->acts = true;
    const Controller::Ports ports{&process->journal, &process->cloud, &process->engine, &process->clock};
    if (!process->controller.lead(ports, small_config())) process.reset();
  }

  void start(std::size_t i) {
    processes_[i].reset();
    processes_[i] = std::make_unique<Process>(world_);
    processes_[i]->controller.on_crash_point([this, i](CrashPoint) {
      if (!calm_ && frozen_ == k_nobody && freeze_next_ == i && random_.below(3) == 0) freeze(i);
    });
  }

  /// SIGSTOP in the middle of what it does; the others go on, then it wakes and does not know.
  void freeze(std::size_t i) {
    ++freezes;
    freeze_next_ = k_nobody;
    frozen_ = i;
    const std::uint64_t ticks = 5 + random_.below(60);
    for (std::uint64_t n = 0; n < ticks; ++n) {
      if (random_.below(10) == 0) submit();
      tick();
    }
    frozen_ = k_nobody;
  }

  void trouble() {
    const std::size_t i = random_.below(processes_.size());
    if (!processes_[i]) return;
    switch (random_.below(40)) {
      case 0:
        processes_[i].reset();  // kill -9
        break;
      case 1:
        processes_[i]->lease.cut = true;
        break;
      case 2:
      case 3:
        processes_[i]->lease.cut = false;
        break;
      case 4:
      case 5:
        freeze_next_ = i;
        break;
      default:
        break;
    }
  }

  void submit() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      if (i == frozen_ || !processes_[i] || !processes_[i]->acts) continue;
      JobSubmitted job{{1000, 1000, "u", false}, {}, std::to_string(++submitted_)};
      job.spec.name = "j";
      job.spec.nodes = 1;
      job.spec.kind = JobKind::batch;
      job.spec.work_dir = "/";
      processes_[i]->controller.request(std::move(job), LaunchPayload{"#!/bin/sh\n", {}, {}, 022},
                                        [this](Result<std::uint64_t> id, const Brain&) {
                                          if (!id) refusals_.insert(id.error().message);
                                          if (id) accepted_.push_back(static_cast<std::uint32_t>(*id));
                                        });
      return;
    }
  }

  static constexpr std::size_t k_nobody = 99;
  Prng random_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::size_t frozen_ = k_nobody;
  std::size_t freeze_next_ = k_nobody;
  bool calm_ = false;
  std::uint32_t submitted_ = 0;
  std::vector<std::uint32_t> accepted_;
  std::set<std::string> refusals_;
};

}  // namespace

TEST_CASE("standby: three controllers under drawn faults lose nothing and do nothing twice") {
  int late_commands = 0, late_appends = 0;
  std::uint64_t terms = 0, freezes = 0, jobs = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    Run run(seed);
    run.play();
    run.check();
    late_commands += run.world_.late_commands;
    late_appends += run.world_.late_appends;
    terms += run.world_.term;
    freezes += run.freezes;
    jobs += run.accepted();
  }
  MESSAGE(jobs << " jobs, " << terms << " terms, " << freezes << " freezes; refused as too late: " << late_appends
               << " appends, " << late_commands << " commands");
  CHECK(late_appends > 0);  // else the faults reach nothing
  CHECK(late_commands > 0);
}

}  // namespace virga::test
