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
/// "R,pd" as a set of states; `all` for "all". Error: the first word that is no state of Slurm's.
struct StateFilter {
  std::vector<JobState> states;  ///< empty: see `all`
  bool all = false;
  bool admits(JobState state) const;
};
struct BadWord {
  std::string word;
};
tl::expected<StateFilter, BadWord> parse_states(const std::string& list);

/// "7", "7.batch", "7_1": the job's number; nothing for anything else.
std::optional<std::uint32_t> job_number(std::string_view text);

/// "Mon Nov 23 13:51:26 2026\n", as long listings begin.
std::string date_line();
/// $NAME, or "" without it.
std::string environment_or_empty(const char* name);

/// Prints what `once` prints, again every `seconds` (0: once) until it fails.
int iterate(int seconds, const std::function<int()>& once);

}  // namespace virga
