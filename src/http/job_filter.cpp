#include "http/job_filter.hpp"

#include <algorithm>

#include "core/array.hpp"
#include "http/handlers.hpp"
#include "http/job_reads.hpp"

namespace virga {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

/// The other tasks of arrays that were asked for by their first task's id; whether there are any.
bool add_tasks(std::vector<JobId>& ids, const std::vector<Job>& found) {
  const std::size_t before = ids.size();
  for (const Job& job : found) {
    if (!job.array_job || job.array_job != job.id) continue;
    for (std::uint32_t i = 1; i < array_task_count(job.spec->array); ++i) ids.push_back({job.id.value + i});
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids.size() != before;
}

}  // namespace

bool JobFilter::fits(const Job& job) const {
  if (!ids.empty() && !std::binary_search(ids.begin(), ids.end(), job.id) &&
      !(job.array_job && std::binary_search(ids.begin(), ids.end(), job.array_job))) {
    return false;
  }
  if (uid && job.owner.uid != *uid) return false;
  if (user && job.owner.user != *user) return false;
  if (!states.empty() && !states.contains(job.state)) return false;
  if (!partitions.empty() && !partitions.contains(job.spec->partition)) return false;
  if (ended_after && job.ended.is_set() && job.ended < *ended_after) return false;
  if (started_before && (job.started.is_set() ? job.started : job.submitted) > *started_before) return false;
  return true;
}

Result<JobFilter> job_filter_of(const Request& request) {
  JobFilter filter;
  if (const std::string* text = request.find_query("ids")) {
    for (const std::string& word : words_of(*text)) {
      auto id = number_of<std::uint32_t>("ids", word);
      if (!id) return unexpected(id.error());
      filter.ids.push_back({*id});
    }
    std::sort(filter.ids.begin(), filter.ids.end());
    if (filter.ids.empty()) return fail(Code::invalid, "'ids' names no job");
  }
  if (const std::string* text = request.find_query("uid")) {
    auto uid = number_of<std::uint32_t>("uid", *text);
    if (!uid) return unexpected(uid.error());
    filter.uid = *uid;
  }
  if (const std::string* text = request.find_query("user")) filter.user = *text;
  if (const std::string* text = request.find_query("state")) {
    for (const std::string& word : words_of(*text)) {
      std::optional<JobState> state = enum_from_name<JobState>(word);
      if (!state) return fail(Code::invalid, "'" + word + "' in 'state' is no job state, such as PENDING or RUNNING");
      filter.states.insert(*state);
    }
  }
  if (const std::string* text = request.find_query("partition")) {
    for (std::string& word : words_of(*text)) filter.partitions.insert(std::move(word));
  }
  if (Status read = read_time(request, "ended_after", filter.ended_after); !read) return unexpected(read.error());
  if (Status read = read_time(request, "started_before", filter.started_before); !read) return unexpected(read.error());
  return filter;
}

Status read_time(const Request& request, const std::string& name, std::optional<Time>& into) {
  const std::string* text = request.find_query(name);
  if (text == nullptr) return {};
  Result<Time> time = time_from_iso8601(*text);
  if (!time) return fail(Code::invalid, "'" + name + "': " + time.error().message);
  into = *time;
  return {};
}

void for_each_job_of_state(const State& state, const JobFilter& filter, const Actor& actor,
                           const std::function<void(const Job&)>& each) {
  auto add = [&](const Job& job) {
    if (filter.fits(job) && may_see(actor, job, state.config)) each(job);
  };
  if (filter.ids.empty()) {
    for (const auto& [id, job] : state.jobs) add(job);
    return;
  }
  for (JobId id : filter.ids) {
    if (auto it = state.jobs.find(id); it != state.jobs.end()) add(it->second);
    // An array's tasks have ids without gaps; the first one's is its own.
    auto task = state.jobs.lower_bound({id.value});
    if (task != state.jobs.end() && task->first == id) ++task;
    for (; task != state.jobs.end() && task->second.array_job == id; ++task) {
      if (!std::binary_search(filter.ids.begin(), filter.ids.end(), task->first)) add(task->second);
    }
  }
}

std::vector<Job> jobs_of_state(const State& state, const JobFilter& filter, const Actor& actor) {
  std::vector<Job> jobs;
  for_each_job_of_state(state, filter, actor, [&](const Job& job) { jobs.push_back(job); });
  return jobs;
}

Result<std::vector<Job>> accounted_jobs_of(Journal& journal, const State& state, const JobFilter& filter,
                                           const Actor& actor) {
  AccountQuery query;
  query.jobs = filter.ids;
  query.uid = filter.uid;
  query.ended_after = filter.ended_after;
  query.started_before = filter.started_before;
  Result<std::vector<Job>> archived = journal.archived_jobs(query);
  if (archived && !query.jobs.empty() && add_tasks(query.jobs, *archived)) archived = journal.archived_jobs(query);
  if (!archived) return unexpected(archived.error());
  std::vector<Job> jobs = jobs_of_state(state, filter, actor);
  std::set<std::pair<JobId, std::uint32_t>> living;
  for (const Job& job : jobs) living.emplace(job.id, job.incarnation);
  for (Job& job : *archived) {
    if (!may_see(actor, job, state.config) || living.contains({job.id, job.incarnation})) continue;
    jobs.push_back(std::move(job));
  }
  std::sort(jobs.begin(), jobs.end(),
            [](const Job& a, const Job& b) { return std::pair(a.id, a.incarnation) < std::pair(b.id, b.incarnation); });
  return jobs;
}

}  // namespace virga
