#include "brain/brain.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/digest.hpp"
#include "brain/effects.hpp"
#include "brain/facts.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/fleet/health.hpp"
#include "brain/invariants.hpp"
#include "brain/job_change.hpp"
#include "brain/policy/policy_state.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/requests.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/schedule.hpp"
#include "core/binary.hpp"

namespace virga {

namespace {

/// An ended job leaves the state in company, so that not each of them costs a timer of its own.
constexpr Duration k_forget_slack = Duration::seconds(30);
constexpr std::size_t k_forget_per_event_max = 256;
#if !defined(NDEBUG) || defined(VIRGA_CHECK_INVARIANTS)  // an optimised build that is tested defines it
#define VIRGA_LOOKS_AT_ALL
constexpr std::size_t k_jobs_always_checked = 1'000;
#endif

void forget_old_jobs(State& state) {
  auto& ended = state.index.ended;
  for (std::size_t n = 0; n < k_forget_per_event_max && !ended.empty(); ++n) {
    const Time when = ended.first();
    if (when + state.config.min_job_age > state.now) return;
    const JobId id = ended.first_id();
    ended.erase(when, id);
    state.jobs.erase(id);
    ++state.jobs_archived;
  }
}

void forget_old_keys(State& state) {
  std::erase_if(state.idempotency, [&](const auto& entry) { return !state.jobs.contains(entry.second); });
}

/// Applies one event body. A request's answer is returned; facts answer nothing.
struct Handler {
  Effects& fx;
  const Shared<JobSpec>& spec;  ///< of a submission

  std::uint64_t operator()(const ConfigChanged& e) { return on_config_changed(fx, e); }
  std::uint64_t operator()(const JobSubmitted& e) { return on_job_submitted(fx, e, spec); }
  std::uint64_t operator()(const JobActed& e) { return on_job_acted(fx, e); }
  std::uint64_t operator()(const JobChanged& e) { return on_job_changed(fx, e); }
  std::uint64_t operator()(const NodeUpdated& e) { return on_node_updated(fx, e); }
  std::uint64_t operator()(const PartitionUpdated& e) { return on_partition_updated(fx, e); }
  std::uint64_t operator()(const StepStarted& e) { return on_step_started(fx, e); }
  std::uint64_t operator()(const StepEnded& e) { return on_step_ended(fx, e); }
  std::uint64_t operator()(const CheckpointDone& e) { return on_checkpoint_done(fx, e); }
  std::uint64_t operator()(const ShutdownRequested& e) { return on_shutdown_requested(fx, e); }
  std::uint64_t operator()(const ControllerStarted& e) { return on_controller_started(fx, e); }
  std::uint64_t operator()(const GangGranted& e) { return fact(on_gang_granted, e); }
  std::uint64_t operator()(const GangRefused& e) { return fact(on_gang_refused, e); }
  std::uint64_t operator()(const VmReady& e) { return fact(on_vm_ready, e); }
  std::uint64_t operator()(const VmFailed& e) { return fact(on_vm_failed, e); }
  std::uint64_t operator()(const VmEvicting& e) { return fact(on_vm_evicting, e); }
  std::uint64_t operator()(const VmUnhealthy& e) { return fact(on_vm_unhealthy, e); }
  std::uint64_t operator()(const VmReleased& e) { return fact(on_vm_released, e); }
  std::uint64_t operator()(const JobStarted& e) { return fact(on_job_started, e); }
  std::uint64_t operator()(const JobLaunchFailed& e) { return fact(on_job_launch_failed, e); }
  std::uint64_t operator()(const JobEnded& e) { return fact(on_job_ended, e); }
  std::uint64_t operator()(const JobAccounted& e) { return fact(on_job_accounted, e); }
  std::uint64_t operator()(const TimerFired&) {
    forget_old_keys(fx.state);
    on_timer_fired(fx);
    return 0;
  }

  template <class F, class E>
  std::uint64_t fact(F handle, const E& e) {
    handle(fx, e);
    return 0;
  }
};

/// Whether an event of this kind can let a job start, or a VM come or go.
bool can_change_placement(const EventBody& body) {
  return !std::holds_alternative<StepStarted>(body) && !std::holds_alternative<StepEnded>(body) &&
         !std::holds_alternative<CheckpointDone>(body) && !std::holds_alternative<JobStarted>(body) &&
         !std::holds_alternative<JobAccounted>(body);
}

}  // namespace

void Brain::apply(Seq seq, const Event& event, RequestId request) {
  Effects fx{state_, outbox_};
  state_.seq = seq;
  state_.now = std::max(state_.now, event.at);
  // Time has passed with a refused request too, and may have opened a gate.
  Admission admission = admit(state_, event.body);
  const std::uint64_t answer = admission.refused ? 0 : std::visit(Handler{fx, admission.spec}, event.body);
  const bool opened = apply_gates(fx);  // JobStarted, too, is what others may wait for
  const bool recalled = recall(fx, false);
  if (opened || recalled || can_change_placement(event.body)) {
    while (recall(fx, schedule(fx))) {
    }
    if (!std::holds_alternative<JobSubmitted>(event.body)) balance_fleet(fx);
  }
  forget_old_jobs(state_);
  if (request != 0 && admission.refused) {
    fx.emit(Reply{request, unexpected(*std::move(admission.refused))});
  } else if (request != 0) {
    fx.emit(Reply{request, answer});
  }
#ifdef VIRGA_LOOKS_AT_ALL
  // A look at the whole state after each event is quadratic; of a long queue every so many events must do.
  if (state_.jobs.size() < k_jobs_always_checked || seq.value % 64 == 0) check_invariants(state_);
#endif
}

std::vector<Command> Brain::take_commands(std::vector<Command> room) {
  room.clear();
  return std::exchange(outbox_, std::move(room));
}

Time Brain::next_deadline() const {
  const Indices& index = state_.index;
  Time next = next_growth(state_);
  for (const Time due :
       {index.job_alarms.first(), index.vm_alarms.first(), index.asleep.first(), index.picky.first()}) {
    next = std::min(next, due);
  }
  if (!state_.policy.last_starts().empty()) {
    next = std::min(next, state_.policy.last_starts().begin()->first + Duration{1});
  }
  if (!index.set_aside.empty() || !state_.config.reservations.empty())
    next = std::min(next, state_.policy.next_change());
  next = std::min(next, next_ranking(state_));
  if (!index.ended.empty()) {
    next = std::min(next, index.ended.first() + state_.config.min_job_age + k_forget_slack);
  }
  return next;
}

std::optional<Error> Brain::check(const EventBody& body) const { return admit(state_, body).refused; }

std::vector<Command> Brain::outstanding() const {
  std::vector<Command> commands;
  for (const auto& [id, gang] : state_.gangs) {
    const Pool* pool = state_.find_pool(gang.pool);
    VIRGA_ASSERT(pool != nullptr, "a reservation's pool is part of the configuration");
    ReserveGang reserve{id, *pool, {}};
    for (VmId vm : gang.vms) reserve.vms.push_back({vm, state_.vms.at(vm).name});
    commands.push_back(std::move(reserve));
  }
  for (const auto& [id, job] : state_.jobs) {
    if (is_final(job.state) && !job.nodes.empty()) commands.push_back(ForgetJob{id, job.incarnation, job.nodes});
    if (!job.launched || !holds_nodes(job.state)) continue;
    if (job.state == JobState::completing) {
      std::uint32_t signal = job.kill_at.is_never() ? 9U : 15U;
      commands.push_back(EndJob{id, job.incarnation, signal, job.nodes, job.reason});
    } else {
      commands.push_back(StartJob{job});
    }
  }
  for (const auto& [id, vm] : state_.vms) {
    if (vm.state == VmState::releasing) commands.push_back(ReleaseVm{id, vm.pool});
  }
  return commands;
}

std::string Brain::save() const { return encode(state_); }

Result<Brain> Brain::load(std::string_view bytes) {
  Result<State> state = decode<State>(bytes);
  if (!state) return unexpected(state.error());
  Brain brain;
  brain.state_ = *std::move(state);
  brain.state_.rebuild_indices();
  return brain;
}

std::uint64_t Brain::digest() const { return digest_of(save()); }

}  // namespace virga
