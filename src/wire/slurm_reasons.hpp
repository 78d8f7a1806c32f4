// Why a job waits or ended, and its state, in Slurm's words: the one place where Virga's reasons become squeue's.
//
//   slurm_reason(Reason::held_user)            // JobHeldUser
//   slurm_state_code(JobState::configuring)    // CF
//
// Where Slurm has no word (it never waits for a cloud) Virga's own is in the same style: CloudCapacity.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/job.hpp"

namespace virga {

std::string_view slurm_reason(Reason reason);
/// The reason that sacct and `scontrol show job` give for the job: none once it runs or was cancelled.
std::string_view slurm_reason(const Job& job);

/// The job's state in Slurm's word and in its letters: as JobState has it, or SUSPENDED (S).
std::string_view slurm_state(const Job& job);
std::string_view slurm_state_code(const Job& job);

/// PD, CF, R, CG, CD, F, TO, CA, NF, PR, DL
std::string_view slurm_state_code(JobState state);

/// "pd", "PENDING", "Running" …: what users write after --states. `known_elsewhere` tells a state that Slurm has and
/// Virga's jobs never are in (JobState), such as BOOT_FAIL.
std::optional<JobState> job_state_from_slurm(std::string_view word, bool& known_elsewhere);

/// 2 for a job that was killed by signal 2, else 0; as wait(2) packs it: exit code in the upper byte.
std::uint32_t wait_status(ExitStatus exit);

}  // namespace virga
