// A job that somebody gave to Slurm past Virga, as Slurm tells of it while it waits, made a submission to Virga's
// queue.
//
//   const std::string mark = random_mark();
//   Result<Adoptee> job = parse_adoptee(squeue("-O", adoptee_columns(mark)), mark);
//   job->refusal;                       // why it cannot be Virga's; empty: it can
//   adopted_environment(bytes);         // of the file that slurmctld keeps
//
// Whose job it is comes from this alone. Names, comments and paths are the user's and may hold anything, newlines and
// columns included, so the columns are told apart by a mark that nobody can know.
//
// The steps are written into the job's AdminComment, which only administrators can set, so that they outlast this
// process: the job is held as it is about to be adopted, then in Virga's journal under a key of its own (cluster,
// number and time of submission in Slurm), then cancelled in Slurm. Whoever comes back in the middle asks with the same
// key.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/event.hpp"
#include "core/job.hpp"

namespace virga::slurm {

/// Asks Virga's queue to take a job, on behalf of its owner. The answer, the job's number there or why not, comes once
/// it is durable, from any thread.
using Adopt = std::function<void(JobSubmitted, LaunchPayload, std::function<void(Result<std::uint64_t>)>)>;

inline constexpr std::string_view k_note_adopting = "virga: being adopted";
/// "virga: job 17": the number in Virga.
std::string adopted_note(std::uint64_t job);
std::optional<std::uint64_t> job_of_note(std::string_view note);
/// One line of bounded length.
std::string refused_note(std::string_view why);

struct Adoptee {
  std::uint32_t id = 0;  ///< Slurm's
  bool pending = false;
  bool held_by_admin = false;
  std::string note;  ///< its AdminComment
  std::string refusal;
  JobSubmitted submission;
};

std::string random_mark();
/// For `squeue -O`.
std::string adoptee_columns(const std::string& mark);
/// `cluster` is ClusterOptions::slurm_name(), and part of the key: each cluster of Slurm counts for itself.
Result<Adoptee> parse_adoptee(std::string_view text, const std::string& mark, std::string_view cluster);

/// What slurmctld keeps of a job's environment: a count, and zero-terminated variables. Those that are none are left
/// out.
Result<std::vector<std::string>> adopted_environment(std::string_view bytes);
/// As sbatch has left it in the environment; else 022.
std::uint32_t umask_of(const std::vector<std::string>& environment);

}  // namespace virga::slurm
