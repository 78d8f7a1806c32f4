#include "cli/lookups.hpp"

#include <grp.h>
#include <pwd.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "core/array.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {

std::optional<std::uint32_t> uid_of(const std::string& user) {
  if (const ::passwd* found = ::getpwnam(user.c_str()); found != nullptr) return found->pw_uid;
  if (Result<std::uint32_t> number = parse_count(user); number) return *number;
  return std::nullopt;
}

std::optional<std::uint32_t> gid_of(const std::string& name) {
  if (const group* found = ::getgrnam(name.c_str()); found != nullptr) return found->gr_gid;
  const Result<std::uint32_t> number = parse_count(name);
  return number ? std::optional(*number) : std::nullopt;
}

bool StateFilter::admits(JobState state) const {
  return all || std::find(states.begin(), states.end(), state) != states.end();
}

bool StateFilter::admits(const Job& job) const {
  if (job.state == JobState::running && job.suspended.is_set()) return all || suspended;
  return admits(job.state);
}

tl::expected<StateFilter, BadWord> parse_states(const std::string& list) {
  StateFilter filter;
  for (const std::string& word : split_list(list)) {
    bool elsewhere = false;
    if (word == "all" || word == "ALL") {
      filter.all = true;
    } else if (std::optional<JobState> state = job_state_from_slurm(word, elsewhere); state) {
      filter.states.push_back(*state);
    } else if (same_word(word, "S") || same_word(word, "SUSPENDED")) {
      filter.suspended = true;
    } else if (!elsewhere) {
      return tl::unexpected<BadWord>(BadWord{word});
    }
  }
  return filter;
}

std::optional<std::uint32_t> job_number(std::string_view text) {
  const std::size_t end = text.find_first_of("._+");
  Result<std::uint32_t> number = parse_count(text.substr(0, end));
  if (!number || *number == 0) return std::nullopt;
  return *number;
}

std::string JobRef::text() const {
  return std::to_string(job.value) + (task == k_no_array_task ? "" : "_" + std::to_string(task));
}

bool JobRef::names(const Job& other) const {
  if (task != k_no_array_task) return other.array_job == job && other.array_task == task;
  return other.id == job || other.array_job == job;
}

std::vector<JobRef> job_refs(std::string_view text) {
  std::optional<std::uint32_t> number = job_number(text);
  if (!number) return {};
  const std::size_t line = text.find('_');
  if (line == text.npos || text.substr(line + 1) == "*") return {{{*number}}};
  Result<ArraySpec> tasks = parse_array(text.substr(line + 1, text.find('.') - line - 1));
  if (!tasks) return {};
  std::vector<JobRef> refs;
  for (std::uint32_t i = 0; i < array_task_count(*tasks); ++i) refs.push_back({{*number}, nth_array_task(*tasks, i)});
  return refs;
}

JobRef ref_of(const Job& job) {
  if (job.array_job) return {job.array_job, job.array_task};
  return {job.id};
}

std::string date_line() {
  const std::time_t now = std::time(nullptr);
  char text[32] = {};
  return ::ctime_r(&now, text) != nullptr ? text : "\n";
}

std::string environment_or_empty(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

const char* environment_variable(const char* name) { return std::getenv(name); }

int iterate(int seconds, const std::function<int()>& once) {
  while (true) {
    const int exit_code = once();
    if (seconds <= 0 || exit_code != 0) return exit_code;
    std::fputc('\n', stdout);
    std::fflush(stdout);
    const timespec pause{seconds, 0};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace virga
