// Which jobs a request asks for, and those of them that its sender may see.
//
//   Result<JobFilter> filter = job_filter_of(request);      // from the query: ids, uid, user, state, times …
//   std::vector<Job> jobs = jobs_of_state(state, *filter, request.actor);
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "brain/state.hpp"
#include "core/job.hpp"
#include "http/exchange.hpp"
#include "ports/journal.hpp"

namespace virga {

struct JobFilter {
  std::vector<JobId> ids;  ///< ascending; of an array: all its tasks
  std::optional<std::uint32_t> uid;
  std::optional<std::string> user;
  std::set<JobState> states;
  std::set<std::string> partitions;
  std::optional<Time> ended_after;
  std::optional<Time> started_before;

  bool fits(const Job& job) const;
};

Result<JobFilter> job_filter_of(const Request& request);
/// An ISO time of the query, if it is there.
Status read_time(const Request& request, const std::string& name, std::optional<Time>& into);

/// Those that the queue still knows.
void for_each_job_of_state(const State& state, const JobFilter& filter, const Actor& actor,
                           const std::function<void(const Job&)>& each);
std::vector<Job> jobs_of_state(const State& state, const JobFilter& filter, const Actor& actor);
/// These and the accounts', by id and incarnation.
Result<std::vector<Job>> accounted_jobs_of(Journal& journal, const State& state, const JobFilter& filter,
                                           const Actor& actor);

}  // namespace virga
