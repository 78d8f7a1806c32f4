#include "brain/facts.hpp"

#include <algorithm>
#include <set>

#include "brain/fleet/fleet.hpp"
#include "brain/fleet/foreign.hpp"
#include "brain/fleet/health.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/queue.hpp"

namespace virga {

namespace {

/// The job, if this fact is about the incarnation that holds nodes now.
Job* living_job(State& state, JobId id, std::uint32_t incarnation) {
  auto it = state.jobs.find(id);
  if (it == state.jobs.end() || !holds_nodes(it->second.state)) return nullptr;
  return it->second.incarnation == incarnation ? &it->second : nullptr;
}

}  // namespace

void on_gang_granted(Effects& fx, const GangGranted& e) {
  State& state = fx.state;
  auto it = state.gangs.find(e.gang);
  if (it == state.gangs.end()) return;
  const Gang gang = std::move(it->second);
  state.gangs.erase(it);
  const Pool& pool = state.config.pools[state.number_of_pool(gang.pool)];
  std::set<JobId> waiting;
  for (std::size_t i = 0; i < gang.vms.size(); ++i) {
    Vm& vm = state.vms.at(gang.vms[i]);
    vm.state = VmState::booting;
    vm.granted = state.now;
    // Another clock than ours said so: it counts within what we know.
    const bool told = i < e.billed_since.size() && e.billed_since[i].is_set();
    if (told) vm.granted = std::clamp(e.billed_since[i], vm.requested, state.now);
    vm.boot_deadline = state.now + pool.boot_timeout;
    if (i < e.addresses.size()) vm.address = e.addresses[i];
    index_vm(state, vm);
    waiting.insert(vm.jobs.begin(), vm.jobs.end());
  }
  // The gang exists: from here on jobs may be bound to it.
  for (JobId job : waiting) keep_promise(fx, state.jobs.at(job));
}

void on_gang_refused(Effects& fx, const GangRefused& e) {
  auto it = fx.state.gangs.find(e.gang);
  if (it == fx.state.gangs.end()) return;
  const std::string pool = it->second.pool;
  back_off(fx, pool, e, static_cast<std::uint32_t>(it->second.vms.size()));
  drop_gang(fx, e.gang, reason_of(e.refusal), "pool " + pool + ": " + e.message);
}

void on_vm_ready(Effects& fx, const VmReady& e) {
  State& state = fx.state;
  auto it = state.vms.find(e.vm);
  if (it == state.vms.end() || it->second.state != VmState::booting) return;
  Vm& vm = it->second;
  const Pool& pool = state.pool_of(vm);
  vm.state = VmState::ready;
  vm.ready = state.now;
  vm.boot_deadline = Time::never();
  if (vm.jobs.empty()) note_idle(state, vm, pool);
  index_vm(state, vm);
  state.backoffs.erase(vm.pool);
  PoolHistory& history = state.history[vm.pool];
  const Duration took = state.now - vm.requested;
  history.boot_time = history.boots == 0 ? took : Duration{history.boot_time.ns + (took.ns - history.boot_time.ns) / 8};
  ++history.boots;
  for (JobId id : std::vector<JobId>(vm.jobs)) {
    Job& job = state.jobs.at(id);
    if (job.state == JobState::configuring) --job.nodes_booting;
    launch_if_ready(fx, job);
  }
}

void on_vm_failed(Effects& fx, const VmFailed& e) { fail_vm(fx, e.vm, e.message); }

void on_vm_evicting(Effects& fx, const VmEvicting& e) { evict_vm(fx, e.vm, e.at); }

void on_vm_released(Effects& fx, const VmReleased& e) {
  auto it = fx.state.vms.find(e.vm);
  if (it == fx.state.vms.end() || it->second.state != VmState::releasing) return;
  const Vm& vm = it->second;
  const Pool* pool = fx.state.find_pool(vm.pool);
  VmRecord record{.id = vm.id,
                  .name = vm.name,
                  .pool = vm.pool,
                  .sku = pool != nullptr ? pool->sku.name : "",
                  .granted = vm.granted,
                  .ready = vm.ready,
                  .released = fx.state.now,
                  .cost = pool != nullptr ? price_for(pool->node_price(), fx.state.now - vm.granted) : Money{},
                  .reason = vm.release_reason,
                  .wasted_since = wasted_since(fx.state, vm)};
  fx.emit(ArchiveVm{std::move(record)});
  remove_vm(fx.state, e.vm);
}

void on_job_started(Effects& fx, const JobStarted& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr || job->started.is_set()) return;
  job->started = fx.state.now;
  if (job->state != JobState::configuring) {  // already being ended
    index_job(fx.state, *job);
    return;
  }
  job->state = JobState::running;
  job->reason = Reason::none;
  job->detail.clear();
  job->end_limit = fx.state.now + job->spec->time_limit;
  job->lost_node = false;
  expect_end(fx.state, *job, fx.state.now + expected_time(job->spec));
  index_job(fx.state, *job);
  const bool is_doomed = std::any_of(job->nodes.begin(), job->nodes.end(), [&](const JobNode& node) {
    const auto vm = fx.state.vms.find(node.vm);
    return vm != fx.state.vms.end() && vm->second.doomed;
  });
  send_mail(fx, *job, k_mail_begin);
  if (is_doomed) warn_job(fx, *job);  // the notice came while it was being started
}

/// Whether a node of the job takes nothing by its own state: sick, or occupied by others.
bool takes_no_launch(const State& state, const Job& job) {
  return has_sick_node(state, job) || has_occupied_node(state, job);
}

void on_job_launch_failed(Effects& fx, const JobLaunchFailed& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr) return;
  if (job->state == JobState::completing) {
    finish_job(fx, *job, job->ending, job->reason, job->detail);
    return;
  }
  if (!e.job_at_fault && job->state == JobState::configuring && takes_no_launch(fx.state, *job)) {
    // Nothing of it has run, and its node takes no other job: it goes elsewhere as if it had never been launched.
    unlaunch_job(fx, *job, e.message);
    return;
  }
  job->requeue_after_end = !e.job_at_fault && job->spec->requeue;
  job->exit = {.code = 1, .signal = 0};
  finish_job(fx, *job, e.job_at_fault ? JobState::failed : JobState::node_fail, Reason::launch_failed, e.message);
}

/// Whether the job ended by itself because its machine goes: it failed under the notice, or it saved its progress since
/// then and left in good order. One that just ends well is done.
bool yielded_to_eviction(const Job& job) {
  if (!job.eviction_told.is_set() || !job.spec->requeue || job.spec->kind != JobKind::batch) return false;
  return !job.exit.ok() || (job.checkpoint.at.is_set() && job.checkpoint.at >= job.eviction_told);
}

std::string with_unsaved(const std::string& detail, const std::string& unsaved) {
  return detail + (detail.empty() || unsaved.empty() ? "" : "; ") + unsaved;
}

bool is_measured(const Usage& u) { return u.user_cpu > Duration{} || u.system_cpu > Duration{} || u.max_rss_bytes > 0; }

void on_job_ended(Effects& fx, const JobEnded& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr || !job->launched) return;
  job->exit = e.exit;
  if (is_measured(e.usage)) job->usage = e.usage;  // else it comes later, or came before (JobAccounted)
  if (job->state == JobState::completing) {
    finish_job(fx, *job, job->ending, job->reason, with_unsaved(job->detail, e.unsaved));
  } else if (yielded_to_eviction(*job)) {
    job->requeue_after_end = true;
    finish_job(fx, *job, JobState::node_fail, Reason::node_failure,
               with_unsaved("ended before a machine that the cloud takes back", e.unsaved));
  } else if (!e.exit.ok()) {
    finish_job(fx, *job, JobState::failed, Reason::non_zero_exit, e.unsaved);
  } else if (!e.unsaved.empty()) {
    finish_job(fx, *job, JobState::failed, Reason::files_unsaved, e.unsaved);
  } else {
    finish_job(fx, *job, JobState::completed, Reason::none, "");
  }
}

namespace {

/// The first step of that name and start which no other one of the same telling is, too.
Step* find_told_before(Job& job, const Step& told, std::set<std::uint32_t>& taken) {
  for (Step& known : job.steps) {
    if (known.name == told.name && known.started == told.started && taken.insert(known.id).second) return &known;
  }
  return nullptr;
}

}  // namespace

void on_job_accounted(Effects& fx, const JobAccounted& e) {
  const auto it = fx.state.jobs.find(e.job);
  // An incarnation that is back in the queue is in the accounts as it was then.
  if (it == fx.state.jobs.end() || it->second.incarnation != e.incarnation) return;
  Job& job = it->second;
  job.usage = e.usage;
  std::set<std::uint32_t> taken;
  for (const Step& told : e.steps) {
    if (Step* known = find_told_before(job, told, taken)) {
      const std::uint32_t id = known->id;
      *known = told;
      known->id = id;
    } else {
      taken.insert(add_step(job, told));
    }
  }
  if (is_final(job.state)) fx.emit(ArchiveJob{job});
}

void on_timer_fired(Effects& fx) {
  State& state = fx.state;
  if (next_ranking(state) <= state.now) rank_all(state);
  apply_vm_deadlines(fx);
  for (JobId id : state.index.job_alarms.due(state.now)) apply_job_deadlines(fx, state.jobs.at(id));
}

}  // namespace virga
