#include "brain/sched/lifecycle.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/queue.hpp"

namespace virga {

namespace {

constexpr std::size_t k_steps_kept = 1'000;  ///< per job

/// The `count` lowest GPU indices of the VM that nobody has.
std::vector<std::uint32_t> take_gpus(Vm& vm, std::uint32_t count) {
  std::vector<std::uint32_t> taken;
  taken.reserve(count);
  auto used = vm.gpus_used.begin();
  for (std::uint32_t i = 0; i < vm.total.gpus && taken.size() < count; ++i) {
    if (used != vm.gpus_used.end() && *used == i) {
      ++used;
    } else {
      taken.push_back(i);
    }
  }
  VIRGA_ASSERT(taken.size() == count, "the VM was chosen because it has these GPUs free");
  const auto middle = vm.gpus_used.insert(vm.gpus_used.end(), taken.begin(), taken.end());
  std::inplace_merge(vm.gpus_used.begin(), middle, vm.gpus_used.end());
  return taken;
}

/// The caller indexes the VM.
JobNode occupy(const Job& job, Vm& vm, const Resources& demand) {
  vm.used.cpus += demand.cpus;
  vm.used.gpus += demand.gpus;
  vm.used.memory_bytes += demand.memory_bytes;
  vm.exclusive = job.spec->exclusive;
  vm.idle_since = {};
  vm.release_after = Time::never();
  vm.jobs.insert(std::upper_bound(vm.jobs.begin(), vm.jobs.end(), job.id), job.id);
  return {vm.id, vm.name, take_gpus(vm, demand.gpus)};
}

void vacate(Effects& fx, const Job& job, const SharedList<JobNode>& nodes) {
  std::vector<Vm*> changed;
  changed.reserve(nodes.size());
  for (const JobNode& node : nodes) {
    auto it = fx.state.vms.find(node.vm);
    if (it == fx.state.vms.end()) continue;  // it died and is gone
    Vm& vm = it->second;
    if (std::erase(vm.jobs, job.id) == 0) continue;
    vm.ran = vm.ran || job.started.is_set();
    const Pool& pool = fx.state.pool_of(vm);
    Resources demand = demand_per_node(job.spec, pool);
    vm.used.cpus -= demand.cpus;
    vm.used.gpus -= demand.gpus;
    vm.used.memory_bytes -= demand.memory_bytes;
    std::erase_if(vm.gpus_used, [&](std::uint32_t gpu) {
      return std::find(node.gpus.begin(), node.gpus.end(), gpu) != node.gpus.end();
    });
    if (vm.jobs.empty()) {
      vm.exclusive = false;
      if (vm.state == VmState::ready) note_idle(fx.state, vm, pool);
    }
    changed.push_back(&vm);
  }
  index_vms(fx.state, changed);
}

void close_steps(Job& job, Time now) {
  for (Step& step : job.steps) {
    if (step.state != JobState::running) continue;
    step.state = JobState::cancelled;
    step.ended = now;
  }
}

/// The span that ends now, or nothing, is time that the job has stood still.
Duration close_suspension(Job& job, Time now) {
  if (!job.suspended.is_set()) return {};
  const Duration span = now - job.suspended;
  job.suspended = {};
  job.suspended_for = job.suspended_for + span;
  return span;
}

struct MailMark {
  MailType type;
  std::uint32_t percent;
};
constexpr MailMark k_mail_marks[] = {{k_mail_time_50, 50}, {k_mail_time_80, 80}, {k_mail_time_90, 90}};

/// The share of its time limit of which its owner is told next; null where there is none.
const MailMark* next_mail_mark(const Job& job) {
  if (job.end_limit.is_never()) return nullptr;
  for (const MailMark& mark : k_mail_marks) {
    if ((job.spec->mail_types & mark.type) != 0 && mark.percent > job.mailed_time) return &mark;
  }
  return nullptr;
}

Time moment_of(const Job& job, const MailMark& mark) {
  constexpr std::int64_t k_whole = 100;
  const Duration limit = job.spec->time_limit;
  return job.end_limit - Duration{limit.ns / k_whole * (k_whole - mark.percent)};
}

/// Of an array as a whole: whether another of its tasks has begun, or has not ended yet.
bool is_alone_in_array(const State& state, const Job& job, bool at_end) {
  for (auto at = state.jobs.lower_bound(job.array_job); at != state.jobs.end(); ++at) {
    const Job& other = at->second;
    if (other.array_job != job.array_job) break;
    if (other.id == job.id) continue;
    if (at_end ? !is_final(other.state) : other.started.is_set() || other.incarnation > 0) return false;
  }
  return true;
}

/// As Slurm chooses: what was cancelled has ended, all else that is not complete has failed.
void mail_end(Effects& fx, const Job& job) {
  if (job.spec->mail_types == 0) return;
  if (job.state == JobState::timeout) send_mail(fx, job, k_mail_time_limit);
  if (job.requeue_after_end) return send_mail(fx, job, k_mail_requeue);
  const bool ended = job.state == JobState::completed || job.state == JobState::cancelled;
  const bool as_failed = !ended && (job.spec->mail_types & k_mail_fail) != 0;
  send_mail(fx, job, as_failed ? k_mail_fail : k_mail_end);
}

/// What it may cost at most is kept from the budgets of its tenant and those above, until it gives its nodes back.
void commit_budget(Effects& fx, const Job& job, const Pool& pool) {
  State& state = fx.state;
  if (state.config.find_tenant(job.spec->account) == nullptr) return;
  const Money worst = worst_case_on(state, job.spec, pool).value_or(Money{});
  Budgets& budgets = state.policy.budgets;
  for (const std::string& name : budgets.commit(state.config, job.id, job.spec->account, worst, state.now)) {
    const auto text = budgets.warning_of(*state.config.find_tenant(name), state.now);
    fx.emit(WarnOfBudget{name, text.value_or("")});
  }
}

void settle_budget(State& state, const Job& job, Money cost) {
  const Qos* qos = state.config.find_qos(job.spec->qos);
  if (qos != nullptr) cost.micro_usd = cost.micro_usd * qos->price_factor_percent / 100;
  state.policy.budgets.settle(state.config, job.id, cost, state.now);
}

/// The ended incarnation is in the accounts; the job waits for its next one.
void back_to_queue(Effects& fx, Job& job) {
  ++job.incarnation;
  job.state = JobState::pending;
  job.requeue_after_end = false;
  job.suspended_for = {};
  job.mailed_time = 0;
  job.started = {};
  job.ended = {};
  job.end_limit = Time::never();
  job.kill_at = Time::never();
  job.warned = false;
  job.launched = false;
  job.eviction_told = {};
  job.nodes.clear();
  job.steps.clear();
  job.exit = {};
  job.usage = {};
  job.eligible = fx.state.now + fx.state.config.requeue_delay;
  job.reason = Reason::requeued;
  if (std::exchange(job.hold_after_end, false)) {
    job.reason = Reason::held_user;
    job.detail = "job requeued in held state";
  }
  if (job.incarnation > fx.state.config.max_requeues) {
    job.reason = Reason::held_admin;
    job.detail = "requeued " + std::to_string(job.incarnation) + " times; last: " + job.detail;
  }
}

}  // namespace

void assign_nodes(Effects& fx, Job& job, const std::vector<Vm*>& vms) {
  VIRGA_ASSERT(job.state == JobState::pending && job.promised.empty() && vms.size() == job.spec->nodes,
               "a gang is all or nothing");
  job.expected_end = fx.state.now + expected_time(job.spec);
  const Pool& pool = fx.state.pool_of(*vms.front());
  commit_budget(fx, job, pool);
  const Resources demand = demand_per_node(job.spec, pool);
  std::vector<JobNode> nodes;
  nodes.reserve(vms.size());
  for (Vm* vm : vms) nodes.push_back(occupy(job, *vm, demand));
  index_vms(fx.state, vms);
  job.promised = std::move(nodes);
  keep_promise(fx, job);
}

void keep_promise(Effects& fx, Job& job) {
  VIRGA_ASSERT(job.state == JobState::pending && !job.promised.empty(), "there is something to keep");
  const bool all_granted = std::all_of(job.promised.begin(), job.promised.end(), [&](const JobNode& node) {
    return fx.state.vms.at(node.vm).state != VmState::requested;
  });
  if (all_granted) {
    job.nodes = std::exchange(job.promised, {});
    job.nodes_booting = count_booting(fx.state, job);
    job.state = JobState::configuring;
    job.reason = Reason::booting;
    job.detail.clear();
  }
  index_job(fx.state, job);
  if (all_granted) launch_if_ready(fx, job);
}

void expect_end(State& state, Job& job, Time when) {
  // Whoever looks ahead cares for more than the second that a launch takes; each change costs a step per node.
  constexpr Duration k_worth_telling = Duration::seconds(1);
  if (when - job.expected_end <= k_worth_telling && job.expected_end - when <= k_worth_telling) return;
  job.expected_end = when;
  std::vector<Vm*> changed;
  for (const JobNode& node : job.nodes) {
    auto vm = state.vms.find(node.vm);
    if (vm != state.vms.end()) changed.push_back(&vm->second);
  }
  index_vms(state, changed);
}

void break_promise(Effects& fx, Job& job, Reason reason, std::string detail) {
  const SharedList<JobNode> nodes = std::exchange(job.promised, {});
  job.expected_end = Time::never();
  vacate(fx, job, nodes);
  settle_budget(fx.state, job, {});
  job.reason = reason;
  job.detail = std::move(detail);
  index_job(fx.state, job);
}

std::uint32_t count_booting(const State& state, const Job& job) {
  return static_cast<std::uint32_t>(std::count_if(job.nodes.begin(), job.nodes.end(), [&](const JobNode& node) {
    return state.vms.at(node.vm).state == VmState::booting;
  }));
}

void launch_if_ready(Effects& fx, Job& job) {
  if (job.state != JobState::configuring || job.launched || job.nodes_booting > 0) return;
  // Its worst case was committed before its nodes were asked for; others may have cost more than theirs since.
  if (auto why = fx.state.policy.budgets.overrun(fx.state.config, job.id, fx.state.now)) {
    unbind_job(fx, job, Reason::budget, *std::move(why));
    return;
  }
  job.launched = true;
  job.reason = Reason::none;
  fx.emit(StartJob{job});
}

void unbind_job(Effects& fx, Job& job, Reason reason, std::string detail) {
  VIRGA_ASSERT(job.state == JobState::configuring && !job.launched, "a launched job must be ended first");
  const SharedList<JobNode> nodes = std::exchange(job.nodes, {});
  job.expected_end = Time::never();
  vacate(fx, job, nodes);
  settle_budget(fx.state, job, {});
  job.state = JobState::pending;
  job.reason = reason;
  job.detail = std::move(detail);
  index_job(fx.state, job);
}

void unlaunch_job(Effects& fx, Job& job, std::string detail) {
  VIRGA_ASSERT(job.launched && !job.started.is_set(), "what has run cannot be taken back");
  fx.emit(ForgetJob{job.id, job.incarnation, job.nodes});
  ++job.incarnation;  // the engine has heard of the old one
  job.launched = false;
  job.eviction_told = {};
  job.lost_node = true;
  unbind_job(fx, job, Reason::node_failure, std::move(detail));
}

void give_back_beyond_budget(Effects& fx) {
  State& state = fx.state;
  if (state.config.tenants.empty()) return;
  std::vector<JobId> committed = state.policy.budgets.committed_jobs();
  for (auto id = committed.rbegin(); id != committed.rend(); ++id) {
    Job& job = state.jobs.at(*id);
    const bool is_promised = !job.promised.empty();
    if (!is_promised && (job.state != JobState::configuring || job.launched)) continue;
    auto why = state.policy.budgets.overrun(state.config, *id, state.now);
    if (!why) continue;
    if (is_promised) {
      break_promise(fx, job, Reason::budget, *std::move(why));
    } else {
      unbind_job(fx, job, Reason::budget, *std::move(why));
    }
  }
}

void suspend_job(Effects& fx, Job& job) {
  constexpr std::uint32_t k_stop = 19;  // SIGSTOP
  job.suspended = fx.state.now;
  expect_end(fx.state, job, Time::never());
  index_job(fx.state, job);
  fx.emit(SignalJob{.job = job.id, .incarnation = job.incarnation, .signal = k_stop, .whole_job = true});
}

void resume_job(Effects& fx, Job& job) {
  constexpr std::uint32_t k_continue = 18;  // SIGCONT
  const Duration span = close_suspension(job, fx.state.now);
  if (!job.end_limit.is_never()) job.end_limit = job.end_limit + span;
  expect_end(fx.state, job, job.started + job.suspended_for + expected_time(job.spec));
  index_job(fx.state, job);
  fx.emit(SignalJob{.job = job.id, .incarnation = job.incarnation, .signal = k_continue, .whole_job = true});
}

void send_mail(Effects& fx, const Job& job, MailType what) {
  if ((job.spec->mail_types & what) == 0) return;
  const bool for_all = job.array_job && (job.spec->mail_types & k_mail_array_tasks) == 0;
  if (for_all && (what == k_mail_begin || what == k_mail_end || what == k_mail_fail) &&
      !is_alone_in_array(fx.state, job, what != k_mail_begin)) {
    return;
  }
  fx.emit(SendMail{job, what});
}

void begin_ending(Effects& fx, Job& job, const Ending& ending) {
  VIRGA_ASSERT(holds_nodes(job.state), "only a job that holds nodes can be ended");
  if (job.state == JobState::completing) {
    // A second reason to end: a user's cancel beats a requeue, and impatience beats grace.
    if (job.requeue_after_end && !ending.requeue) {
      job.ending = ending.state;
      job.reason = ending.reason;
      job.detail = ending.detail;
      job.requeue_after_end = false;
      job.hold_after_end = false;
    }
    if (ending.signal != 9 || job.kill_at.is_never()) return;
    job.kill_at = Time::never();
    index_job(fx.state, job);
    fx.emit(EndJob{job.id, job.incarnation, 9, job.nodes, job.reason});
    return;
  }
  close_suspension(job, fx.state.now);  // the engine lets go on what it ends
  if (!ending.requeue) job.hold_after_end = false;
  job.ending = ending.state;
  job.reason = ending.reason;
  job.detail = ending.detail;
  job.requeue_after_end = ending.requeue;
  if (!job.launched) {
    finish_job(fx, job, ending.state, ending.reason, ending.detail);
    return;
  }
  job.state = JobState::completing;
  const Duration grace = ending.grace > Duration{} ? ending.grace : fx.state.config.kill_wait;
  job.kill_at = ending.signal == 9 ? Time::never() : fx.state.now + grace;
  index_job(fx.state, job);
  fx.emit(EndJob{job.id, job.incarnation, ending.signal, job.nodes, job.reason});
}

std::uint32_t add_step(Job& job, Step step) {
  if (job.steps.size() >= k_steps_kept) {
    auto oldest = std::find_if(job.steps.begin(), job.steps.end(), [](const Step& s) { return is_final(s.state); });
    if (oldest != job.steps.end()) job.steps.erase(oldest);
  }
  step.id = job.steps_started++;
  job.steps.push_back(std::move(step));
  return job.steps.back().id;
}

void finish_job(Effects& fx, Job& job, JobState state, Reason reason, std::string detail) {
  vacate(fx, job, job.nodes);
  vacate(fx, job, job.promised);
  job.promised.clear();
  job.expected_end = Time::never();
  unindex_job(fx.state, job);
  job.state = state;
  job.reason = reason;
  job.detail = std::move(detail);
  job.ended = fx.state.now;
  job.kill_at = Time::never();
  close_suspension(job, fx.state.now);
  close_steps(job, fx.state.now);
  const Money cost = job.started.is_set() ? cost_of(fx.state, job, job.ended - job.started) : Money{};
  job.cost += cost;
  settle_budget(fx.state, job, cost);
  charge_usage(fx.state, job);
  if (job.launched) fx.emit(ForgetJob{job.id, job.incarnation, job.nodes});
  fx.emit(ArchiveJob{job});
  mail_end(fx, job);
  if (job.requeue_after_end) back_to_queue(fx, job);
  index_job(fx.state, job);
}

void apply_job_deadlines(Effects& fx, Job& job) {
  const Time now = fx.state.now;
  if (job.state == JobState::completing && job.kill_at <= now) {
    job.kill_at = Time::never();
    index_job(fx.state, job);
    fx.emit(EndJob{job.id, job.incarnation, 9, job.nodes, job.reason});
    return;
  }
  if (job.state != JobState::running || job.suspended.is_set()) return;
  if (const MailMark* mark = next_mail_mark(job); mark != nullptr && moment_of(job, *mark) <= now) {
    job.mailed_time = mark->percent;
    send_mail(fx, job, mark->type);
    index_job(fx.state, job);
  }
  if (job.end_limit <= now) {
    begin_ending(fx, job, {.state = JobState::timeout, .reason = Reason::time_limit, .detail = "time limit reached"});
  } else if (job.end_limit - job.spec->warning.before_end <= now) {
    warn_job(fx, job);
  }
}

void warn_job(Effects& fx, Job& job) {
  if (job.state != JobState::running || job.spec->warning.signal == 0 || job.warned) return;
  if (job.suspended.is_set()) return;
  job.warned = true;
  index_job(fx.state, job);
  fx.emit(SignalJob{job.id, job.incarnation, job.spec->warning.signal, job.spec->warning.batch_shell_only});
}

Time next_deadline_of(const Job& job) {
  if (job.state == JobState::completing) return job.kill_at;
  if (job.state != JobState::running || job.end_limit.is_never() || job.suspended.is_set()) return Time::never();
  Time next = job.end_limit;
  if (const MailMark* mark = next_mail_mark(job)) next = std::min(next, moment_of(job, *mark));
  if (job.spec->warning.signal == 0 || job.warned) return next;
  return std::min(next, job.end_limit - job.spec->warning.before_end);
}

}  // namespace virga
