#include "sim/world/seed_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/digest.hpp"
#include "core/binary.hpp"
#include "sim/world/sim_cloud.hpp"
#include "sim/world/sim_engine.hpp"

namespace virga {

namespace {

constexpr std::uint64_t k_turns_per_sample = 16;
/// A state that lasts so long is looked at, so that no need is overlooked between two samples.
constexpr Duration k_lasting = Duration::minutes(5);
constexpr int k_steps_at_once_max = 20'000;
constexpr Duration k_user_patience = Duration::seconds(60);

const Actor k_operator{0, 0, "root", true};

Actor user_of(std::size_t planned) {
  const auto uid = static_cast<std::uint32_t>(1000 + planned % 5);
  return {uid, uid, "user" + std::to_string(uid), false};
}

}  // namespace

SeedWorld::SeedWorld(std::uint64_t seed, const SeedLimits& limits, const SeedHooks& hooks)
    : seed_(seed),
      hooks_(hooks),
      plan_(draw_plan(seed, limits)),
      random_(~seed),
      queue_(plan_.start),
      clock_(queue_),
      machines_(queue_, random_.next(), plan_.lender),
      processes_(queue_, machines_, random_.next()),
      checks_(plan_, queue_, machines_, processes_, disk_) {
  for (std::size_t i = 0; i < plan_.traits.size(); ++i) machines_.traits(plan_.config.pools[i].name) = plan_.traits[i];
  auto checked = processes_.seen_start;
  processes_.seen_start = [this, checked](const Run& run) {
    checked(run);
    work_beside(run);
  };
}

void SeedWorld::say(const std::string& line) const {
  if (hooks_.trace) hooks_.trace(fmt::format("{} s: {}", (queue_.now() - plan_.start).whole_seconds(), line));
}

// The controller's lives ---------------------------------------------------------------------------------------------

void SeedWorld::begin_life() {
  if (life_ != nullptr) return;
  ++lives_;
  life_ = std::make_unique<Life>();
  Controller& controller = life_->controller;
  life_->journal = *open_memory_journal(disk_);
  life_->cloud = std::make_unique<SimCloud>(queue_, machines_, random_.next(), plan_.delivery, controller);
  life_->engine = std::make_unique<SimEngine>(queue_, processes_, random_.next(), plan_.delivery, controller);
  if (hooks_.journal) life_->journal = hooks_.journal(std::move(life_->journal));
  if (hooks_.cloud) life_->cloud = hooks_.cloud(std::move(life_->cloud), controller);
  if (hooks_.engine) life_->engine = hooks_.engine(std::move(life_->engine), controller);
  controller.log_to([this](const std::string& line) { say(line); });
  controller.snapshot_every(plan_.snapshot_every);
  controller.on_crash_point([this](CrashPoint) {
    if (crash_countdown_ > 0 && --crash_countdown_ == 0) throw Crash{};
  });
  if (hooks_.trace) {
    controller.listen(
        [this](Seq seq, const Event& event) { say(fmt::format("event {} {}", seq.value, name_of(event.body))); });
  }
  try {
    Status recovered =
        controller.recover({life_->journal.get(), life_->cloud.get(), life_->engine.get(), &clock_}, plan_.config);
    if (!recovered) return die("it cannot recover");
  } catch (const Crash&) {
    return die("crash point while it recovered");
  }
  const std::set<std::size_t> again = unanswered_;
  for (std::size_t planned : again) submit(planned);
}

void SeedWorld::die(const char* how) {
  say(fmt::format("the controller dies: {}", how));
  life_.reset();
  checks_.controller_is_gone();
  queue_.after(Duration::seconds(1) + random_.exponential(Duration::minutes(5)), [this] { begin_life(); });
}

void SeedWorld::look() {
  life_->controller.view([this](const Brain& brain) { checks_.sample(brain); });
}

/// The controller takes what has arrived and what is due.
void SeedWorld::turn() {
  if (life_ == nullptr) return;
  if (++turns_ % k_turns_per_sample == 0) look();
  try {
    int at_once = 0;
    while (life_->controller.step_now()) {
      ++steps_;
      if (++at_once > k_steps_at_once_max) {
        return checks_.fail(broken::k_livelock, "the controller has always something to do, and no time passes");
      }
    }
  } catch (const Crash&) {
    die("crash point");
  }
}

template <class Condition>
bool SeedWorld::run_until(Time deadline, Condition reached) {
  while (!checks_.broken() && !reached()) {
    const Time next =
        std::min(queue_.next_time(), life_ != nullptr ? life_->controller.next_deadline() : Time::never());
    if (next > deadline || next.is_never()) return false;
    if (life_ != nullptr && next - queue_.now() > k_lasting) {
      look();
      turn();
    }
    if (queue_.next_time() <= next) {
      queue_.run_one();
    } else {
      queue_.jump_to(next);
    }
    turn();
  }
  return !checks_.broken();
}

// Users and operators ------------------------------------------------------------------------------------------------

void SeedWorld::submit(std::size_t planned) {
  unanswered_.insert(planned);
  if (life_ == nullptr) return;  // the next life is asked again
  const PlannedJob& job = plan_.jobs[planned];
  JobSpec wish = job.spec;
  if (hooks_.wish) hooks_.wish(wish);
  life_->controller.request(JobSubmitted{user_of(planned), std::move(wish), "job" + std::to_string(planned)},
                            job.run.payload(), [this, planned](Result<std::uint64_t> answer, const Brain&) {
                              if (answer) {
                                checks_.accepted(planned, {static_cast<std::uint32_t>(*answer)});
                              } else if (answer.error().retryable) {
                                return queue_.after(k_user_patience, [this, planned] { submit(planned); });
                              } else {
                                checks_.refused(planned, answer.error());
                              }
                              if (unanswered_.erase(planned) > 0) --open_submissions_;
                            });
}

void SeedWorld::request(EventBody body) {
  if (life_ != nullptr) life_->controller.request(std::move(body), std::nullopt, [](const auto&, const Brain&) {});
}

void SeedWorld::act(const PlannedTrouble& trouble) {
  const std::set<JobId>& living = checks_.living();
  if (living.empty()) return;
  const JobId job = *std::next(living.begin(), static_cast<std::ptrdiff_t>(trouble.pick % living.size()));
  const std::size_t owner = trouble.pick % plan_.jobs.size();  // somebody else's job is refused: that is a test too
  request(JobActed{trouble.as_operator ? k_operator : user_of(owner), job, trouble.action, 10, false});
}

/// What a script tells the controller while it runs: a step, and checkpoints.
void SeedWorld::work_beside(const Run& run) {
  if (run.plan.checkpoint_every.ns == 0) return;
  const Actor owner = run.spec.owner;
  const JobId job = run.job;
  request(StepStarted{owner, job, "step", 1, 1});
  queue_.after(run.plan.checkpoint_every, [this, owner, job, incarnation = run.incarnation] {
    request(CheckpointDone{owner, job, 1, 1'000'000});
    request(StepEnded{owner, job, 0, {}, {}});
    const Run* now = processes_.find(job, incarnation);
    if (now != nullptr && now->state == Run::State::running) work_beside(*now);
  });
}

void SeedWorld::set_up(const Partition& partition, bool up) {
  request(PartitionUpdated{k_operator, partition.name, up, true, partition.max_time, partition.default_time});
}

void SeedWorld::resume_all() {
  for (const std::string& node : drained_) request(NodeUpdated{k_operator, node, false, ""});
  for (const Partition& partition : plan_.config.partitions) set_up(partition, partition.up);
}

// What goes wrong ----------------------------------------------------------------------------------------------------

void SeedWorld::happen(const PlannedTrouble& trouble) {
  const Pool& pool = plan_.config.pools[trouble.pick % plan_.config.pools.size()];
  PoolTraits& traits = machines_.traits(pool.name);
  const std::string node = pool.node_prefix + std::to_string(1 + (trouble.pick >> 8) % pool.max_nodes);
  const auto& all = machines_.all();
  auto machine = all.begin();
  if (!all.empty()) std::advance(machine, static_cast<std::ptrdiff_t>(trouble.pick % all.size()));
  const auto& partitions = plan_.config.partitions;
  const Partition& partition = partitions[(trouble.pick >> 40) % partitions.size()];
  const bool whole_partition = (trouble.pick >> 20) % 4 == 0;  // goes down and comes back with the node
  say(fmt::format("trouble {}", static_cast<int>(trouble.kind)));
  switch (trouble.kind) {
    case Trouble::act:
      return act(trouble);
    case Trouble::drain:
      drained_.insert(node);
      if (whole_partition) set_up(partition, false);
      return request(NodeUpdated{k_operator, node, true, "simulated"});
    case Trouble::resume:
      if (whole_partition) set_up(partition, partition.up);
      return request(NodeUpdated{k_operator, node, false, ""});
    case Trouble::stock_out:
      (trouble.notice.ns % 2 == 0 ? traits.capacity : traits.quota) =
          static_cast<std::uint32_t>((trouble.pick >> 16) % (pool.max_nodes + 1));
      return;
    case Trouble::restock:
      traits.capacity = pool.max_nodes;
      traits.quota = pool.max_nodes;
      return;
    case Trouble::crash_node:
      if (machine != all.end()) machines_.kill(machine->first, Death::crash);
      return;
    case Trouble::evict_node:
      if (machine != all.end()) machines_.evict(machine->first, trouble.notice);
      return;
    case Trouble::crash_leaf:
      if (machine != all.end()) machines_.kill_leaf(machine->second.pool, machine->second.leaf, Death::crash);
      return;
    case Trouble::disk_full:
      disk_.full = true;
      return;
    case Trouble::disk_free:
      disk_.full = false;
      return;
    case Trouble::kill_control:
      if (life_ != nullptr) die("killed");
      return;
    case Trouble::crash_control:
      crash_countdown_ = trouble.countdown;
      return;
  }
}

void SeedWorld::calm_down() {
  say("calm");
  plan_.lender = {};
  plan_.delivery = {};
  disk_.full = false;
  crash_countdown_ = 0;
  for (const Pool& pool : plan_.config.pools) {
    machines_.traits(pool.name).capacity = pool.max_nodes;
    machines_.traits(pool.name).quota = pool.max_nodes;
  }
}

/// Who does not come to an end, and why the controller believes that.
std::string SeedWorld::starved_words() {
  constexpr int k_most_named = 3;
  const std::set<JobId>& living = checks_.living();
  std::string words = fmt::format("{} jobs do not come to their ends", living.size());
  if (life_ == nullptr) return words;
  life_->controller.view([&](const Brain& brain) {
    int named = 0;
    for (JobId id : living) {
      const auto job = brain.state().jobs.find(id);
      if (job == brain.state().jobs.end() || named++ == k_most_named) break;
      words += fmt::format("; job {} ({} nodes, {}): {} {}", id.value, job->second.spec->nodes,
                           name_of(job->second.state), name_of(job->second.reason), job->second.detail);
    }
  });
  turn();  // the controller answers in its own time
  return words;
}

/// Until every job is over, every machine that is not kept warm is gone, and then all of them. False if that fails.
bool SeedWorld::wind_down() {
  Duration needed = Duration::minutes(10 * 24 * 60);
  for (const PlannedJob& job : plan_.jobs) {
    needed = needed + (std::min(job.run.duration, job.spec.time_limit) + Duration::minutes(60)) * 2;
  }
  const Time deadline = queue_.now() + needed;
  const auto over = [&] { return open_submissions_ == 0 && checks_.living().empty(); };
  while (!over()) {
    // The operators' morning round: what was drained or held goes on.
    resume_all();
    const std::set<JobId> living = checks_.living();
    for (JobId job : living) {
      request(JobActed{k_operator, job, JobAction::release, 0, false});
      request(JobActed{k_operator, job, JobAction::resume, 0, false});
    }
    turn();
    run_until(queue_.now() + Duration::minutes(240), over);
    if (checks_.broken()) return false;
    if (!over()) queue_.jump_to(std::min(queue_.next_time(), queue_.now() + Duration::minutes(240)));
    if (queue_.now() > deadline) {
      checks_.fail(broken::k_starved, starved_words());
      return false;
    }
  }
  Duration idle = Duration::minutes(120);
  for (const Pool& pool : plan_.config.pools) idle = idle + pool.idle_time + pool.boot_timeout;
  run_until(queue_.now() + idle, [] { return false; });
  if (checks_.broken()) return false;
  if (life_ != nullptr) look();
  request(ShutdownRequested{k_operator, true});
  turn();
  const bool down =
      run_until(queue_.now() + Duration::minutes(120), [&] { return life_ != nullptr && life_->controller.is_down(); });
  if (!down) checks_.fail(broken::k_idle, "a shutdown was asked for, and it does not come to its end");
  return down;
}

SeedOutcome SeedWorld::run() {
  open_submissions_ = plan_.jobs.size();
  for (std::size_t i = 0; i < plan_.jobs.size(); ++i) {
    queue_.at(plan_.jobs[i].at, [this, i] { submit(i); });
  }
  for (const PlannedTrouble& trouble : plan_.troubles) queue_.at(trouble.at, [this, &trouble] { happen(trouble); });
  bool is_calm = false;
  queue_.at(plan_.calm, [&] {
    calm_down();
    is_calm = true;
  });
  SeedOutcome outcome;
  outcome.seed = seed_;
  try {
    begin_life();
    const bool through = run_until(Time::never(), [&] { return is_calm; });
    if (through && wind_down()) {
      life_->controller.view([this](const Brain& brain) { checks_.finish(brain); });
      turn();
    }
  } catch (const Broken& assertion) {
    checks_.fail(assertion.invariant.c_str(), assertion.what);
  }
  if (checks_.broken()) {
    outcome.broken = checks_.broken()->invariant;
    outcome.what = checks_.broken()->what;
  }
  outcome.at = checks_.broken() ? checks_.broken()->at : queue_.now();
  outcome.step = steps_;
  outcome.events = disk_.history.size();
  outcome.jobs = static_cast<std::uint32_t>(plan_.jobs.size());
  outcome.lives = lives_;
  Digest digest;
  for (const Event& event : disk_.history) digest.add(encode(event));
  outcome.digest = digest.value();
  for (const Pool& pool : plan_.config.pools) {
    outcome.billed += price_for(pool.sku.price_per_hour, machines_.metered(pool.name));
  }
  return outcome;
}

SeedOutcome run_seed(std::uint64_t seed, const SeedLimits& limits, const SeedHooks& hooks) {
  struct Guard {
    AssertionHandler before = assertion_handler;
    ~Guard() { assertion_handler = before; }
  } guard;
  assertion_handler = [](const char* what, const char* why, const char* file, int line) {
    throw Broken{broken::k_brain, fmt::format("{} ({}) at {}:{}", why, what, file, line), {}};
  };
  return SeedWorld(seed, limits, hooks).run();
}

}  // namespace virga
