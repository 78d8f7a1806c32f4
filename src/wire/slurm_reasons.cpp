#include "wire/slurm_reasons.hpp"

#include <iterator>
#include <string>

#include "wire/words.hpp"

namespace virga {
namespace {

// In the order of Reason.
constexpr std::string_view k_reasons[] = {
    "None",                      // none
    "Priority",                  // priority
    "Resources",                 // resources
    "ReservingNodes",            // reserving: Slurm binds first and reserves later
    "BootingNodes",              // booting
    "JobHeldUser",               // held_user
    "JobHeldAdmin",              // held_admin
    "CloudCapacity",             // capacity
    "CloudQuota",                // quota
    "CloudThrottled",            // throttled
    "CloudFault",                // cloud_fault
    "ReqNodeNotAvail",           // drained_nodes
    "PartitionDown",             // partition_down
    "ShuttingDown",              // shutting_down
    "BeginTime",                 // requeued: Slurm, too, lets a requeued job wait for a begin time
    "JobLaunchFailure",          // launch_failed
    "NodeDown",                  // node_failure
    "TimeLimit",                 // time_limit
    "None",                      // cancelled: the state says it
    "NonZeroExitCode",           // non_zero_exit
    "BadConstraints",            // config_refuses
    "Dependency",                // dependency
    "DependencyNeverSatisfied",  // dependency_never
    "BeginTime",                 // begin_time
    "JobArrayTaskLimit",         // array_limit
    "QOSMaxJobsPerUserLimit",    // qos_limit
    "QOSMaxNodePerUserLimit",    // qos_node_limit
    "AssocGrpNodeLimit",         // tenant_limit
    "AssocGrpGRES",              // tenant_gpu_limit
    "AssocGrpBillingMinutes",    // budget: Slurm counts billing units, not money
    "Reservation",               // reservation
    "Preempted",                 // preempted: in Slurm the state alone says it
    "DeadLine",                  // deadline
    "CloudSetup",                // cloud_setup
    "FilesNotSaved",             // files_unsaved
    "Licenses",                  // licenses
};
static_assert(std::size(k_reasons) == std::size(EnumNames<Reason>::names), "every reason has a word");

// In the order of JobState.
constexpr std::string_view k_codes[] = {"PD", "CF", "R", "CG", "CD", "F", "TO", "CA", "NF", "PR", "DL"};
static_assert(std::size(k_codes) == std::size(EnumNames<JobState>::names), "every state has a code");

struct OtherState {
  std::string_view code;
  std::string_view name;
};
constexpr OtherState k_other_states[] = {
    {"S", "SUSPENDED"},      {"BF", "BOOT_FAIL"}, {"OOM", "OUT_OF_MEMORY"}, {"RS", "RESIZING"},
    {"RD", "RESV_DEL_HOLD"}, {"RQ", "REQUEUED"},  {"RF", "REQUEUE_FED"},    {"RH", "REQUEUE_HOLD"},
    {"RV", "REVOKED"},       {"SI", "SIGNALING"}, {"SE", "SPECIAL_EXIT"},   {"SO", "STAGE_OUT"},
    {"ST", "STOPPED"},
};

}  // namespace

std::string_view slurm_reason(Reason reason) { return k_reasons[static_cast<std::size_t>(reason)]; }

std::string_view slurm_reason(const Job& job) {
  constexpr std::string_view k_requeued_and_held = "job requeued in held state";
  if (job.state == JobState::pending && job.reason == Reason::held_user && job.detail == k_requeued_and_held) {
    return k_requeued_and_held;
  }
  if (job.state == JobState::running || job.state == JobState::completed) return slurm_reason(Reason::none);
  return slurm_reason(job.reason);
}

std::string_view slurm_state(const Job& job) {
  return job.state == JobState::running && job.suspended.is_set() ? k_other_states[0].name : name_of(job.state);
}

std::string_view slurm_state_code(const Job& job) {
  return job.state == JobState::running && job.suspended.is_set() ? k_other_states[0].code
                                                                  : slurm_state_code(job.state);
}

std::string_view slurm_state_code(JobState state) { return k_codes[static_cast<std::size_t>(state)]; }

std::optional<JobState> job_state_from_slurm(std::string_view word, bool& known_elsewhere) {
  known_elsewhere = false;
  for (std::size_t i = 0; i < std::size(k_codes); ++i) {
    if (same_word(word, k_codes[i]) || same_word(word, EnumNames<JobState>::names[i])) return static_cast<JobState>(i);
  }
  for (const OtherState& other : k_other_states) {
    if (same_word(word, other.code) || same_word(word, other.name)) known_elsewhere = true;
  }
  return std::nullopt;
}

std::uint32_t wait_status(ExitStatus exit) { return exit.code << 8 | exit.signal; }

}  // namespace virga
