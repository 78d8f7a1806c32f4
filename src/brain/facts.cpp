#include "brain/facts.hpp"

#include <algorithm>

#include "brain/fleet/fleet.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

/// The job, if this fact is about the incarnation that holds nodes now.
Job* living_job(State& state, JobId id, std::uint32_t incarnation) {
  auto it = state.jobs.find(id);
  if (it == state.jobs.end() || !holds_nodes(it->second.state)) return nullptr;
  return it->second.incarnation == incarnation ? &it->second : nullptr;
}

void detach_gang(State& state, const Gang& gang) {
  auto job = state.jobs.find(gang.job);
  if (job != state.jobs.end() && job->second.gang == gang.id) job->second.gang = {};
}

}  // namespace

void on_gang_granted(Effects& fx, const GangGranted& e) {
  auto it = fx.state.gangs.find(e.gang);
  if (it == fx.state.gangs.end()) return;
  Gang gang = std::move(it->second);
  fx.state.gangs.erase(it);
  detach_gang(fx.state, gang);
  const Pool* pool = fx.state.find_pool(gang.pool);
  for (std::size_t i = 0; i < gang.vms.size(); ++i) {
    Vm& vm = fx.state.vms.at(gang.vms[i]);
    vm.state = VmState::booting;
    vm.granted = fx.state.now;
    vm.boot_deadline = fx.state.now + (pool != nullptr ? pool->boot_timeout : Duration::minutes(10));
    if (i < e.addresses.size()) vm.address = e.addresses[i];
  }
}

void on_gang_refused(Effects& fx, const GangRefused& e) {
  auto it = fx.state.gangs.find(e.gang);
  if (it == fx.state.gangs.end()) return;
  Gang gang = std::move(it->second);
  fx.state.gangs.erase(it);
  detach_gang(fx.state, gang);
  for (VmId vm : gang.vms) fx.state.vms.erase(vm);
  back_off(fx, gang.pool, e.refusal, e.message, e.retry_after);
}

void on_vm_ready(Effects& fx, const VmReady& e) {
  auto it = fx.state.vms.find(e.vm);
  if (it == fx.state.vms.end() || it->second.state != VmState::booting) return;
  Vm& vm = it->second;
  vm.state = VmState::ready;
  vm.ready = fx.state.now;
  vm.boot_deadline = Time::never();
  if (vm.jobs.empty()) vm.idle_since = fx.state.now;
  fx.state.backoffs.erase(vm.pool);
  for (JobId id : std::vector<JobId>(vm.jobs)) launch_if_ready(fx, fx.state.jobs.at(id));
}

void on_vm_failed(Effects& fx, const VmFailed& e) { fail_vm(fx, e.vm, e.message); }

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
                  .cost = pool != nullptr ? price_for(pool->sku.price_per_hour, fx.state.now - vm.granted) : Money{},
                  .reason = vm.release_reason};
  fx.emit(ArchiveVm{std::move(record)});
  fx.state.vms.erase(it);
}

void on_job_started(Effects& fx, const JobStarted& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr || job->started.is_set()) return;
  job->started = fx.state.now;
  if (job->state != JobState::configuring) return;  // already being ended
  job->state = JobState::running;
  job->reason = Reason::none;
  job->detail.clear();
  job->end_limit = fx.state.now + job->spec.time_limit;
  index_job(fx.state, *job);
}

void on_job_launch_failed(Effects& fx, const JobLaunchFailed& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr) return;
  if (job->state == JobState::completing) {
    finish_job(fx, *job, job->ending, job->reason, job->detail);
    return;
  }
  job->requeue_after_end = !e.job_at_fault && job->spec.requeue;
  job->exit = {.code = 1, .signal = 0};
  finish_job(fx, *job, e.job_at_fault ? JobState::failed : JobState::node_fail, Reason::launch_failed, e.message);
}

void on_job_ended(Effects& fx, const JobEnded& e) {
  Job* job = living_job(fx.state, e.job, e.incarnation);
  if (job == nullptr || !job->launched) return;
  job->exit = e.exit;
  job->usage = e.usage;
  if (job->state == JobState::completing) {
    finish_job(fx, *job, job->ending, job->reason, job->detail);
  } else if (e.exit.ok()) {
    finish_job(fx, *job, JobState::completed, Reason::none, "");
  } else {
    finish_job(fx, *job, JobState::failed, Reason::non_zero_exit, "");
  }
}

void on_timer_fired(Effects& fx) {
  apply_vm_deadlines(fx);
  const std::set<JobId> living = fx.state.living;  // deadlines end jobs
  for (JobId id : living) apply_job_deadlines(fx, fx.state.jobs.at(id));
}

}  // namespace virga
