// What several commands ask of the machine and of the words that users write.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/job.hpp"

namespace virga {

/// A name or a number; nothing if the machine knows no such user.
std::optional<std::uint32_t> uid_of(const std::string& user);
/// The same of a group.
std::optional<std::uint32_t> gid_of(const std::string& group);
/// "R,pd" as a set of states; `all` for "all". Error: the first word that is no state of Slurm's.
struct StateFilter {
  std::vector<JobState> states;  ///< empty: see `all`
  bool all = false;
  bool suspended = false;  ///< jobs that stand still, too; else they are not meant by RUNNING
  bool admits(JobState state) const;
  bool admits(const Job& job) const;
};
struct BadWord {
  std::string word;
};
tl::expected<StateFilter, BadWord> parse_states(const std::string& list);

/// "7", "7.batch", "7_1": the job's number; nothing for anything else.
std::optional<std::uint32_t> job_number(std::string_view text);

/// A job as users name it: "7", "7.batch", an array "7" or "7_[1-3,5]", or one of its tasks "7_3".
struct JobRef {
  JobId job;
  std::uint32_t task = k_no_array_task;

  /// As the API's paths take it.
  std::string text() const;
  /// Whether this job is meant: its own number, a whole array's, or the task's.
  bool names(const Job& job) const;
};
/// Nothing if the text names no job.
std::vector<JobRef> job_refs(std::string_view text);
/// The one way to name this job that never means another one: the first task of an array has the array's number.
JobRef ref_of(const Job& job);

/// "Mon Nov 23 13:51:26 2026\n", as long listings begin.
std::string date_line();
/// $NAME, or "" without it.
std::string environment_or_empty(const char* name);

/// getenv, of a type that apply_variables() takes.
const char* environment_variable(const char* name);

/// Prints what `once` prints, again every `seconds` (0: once) until it fails.
int iterate(int seconds, const std::function<int()>& once);

}  // namespace virga
