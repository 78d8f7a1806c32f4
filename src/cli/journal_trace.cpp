#include "cli/journal_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <vector>

namespace virga {

namespace {

constexpr std::string_view k_header =
    "submit_s,job_id,user,vc,nodes,gpus,cpus,duration_s,requested_time_s,end_state,type,orig_wait_s\n";

std::string_view state_word(JobState state) {
  switch (state) {
    case JobState::completed:
      return "completed";
    case JobState::cancelled:
      return "cancelled";
    case JobState::timeout:
      return "timeout";
    default:
      return "failed";
  }
}

std::int64_t rounded_seconds(Duration d) { return (d.ns + 500'000'000) / 1'000'000'000; }

}  // namespace

Result<std::string> trace_of(Journal& journal) {
  Result<std::vector<Job>> jobs = journal.archived_jobs({.limit = std::numeric_limits<std::uint32_t>::max()});
  if (!jobs) return unexpected(jobs.error());
  std::sort(jobs->begin(), jobs->end(), [](const Job& a, const Job& b) {
    return a.submitted != b.submitted ? a.submitted < b.submitted : a.id < b.id;
  });
  std::string csv(k_header);
  for (const Job& job : *jobs) {
    if (job.requeue_after_end) continue;  // it has another life
    const bool ran = job.started.is_set();
    const std::int64_t duration = ran ? std::max<std::int64_t>(rounded_seconds(job.ended - job.started), 1) : 0;
    const JobSpec& spec = job.spec;
    const std::string limit = spec.time_limit.is_infinite() ? "" : std::to_string(spec.time_limit.whole_seconds());
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},{},{},{},{},{},{},{},{}\n",
                   (job.submitted - jobs->front().submitted).whole_seconds(), job.id.value, job.owner.user,
                   spec.partition, spec.nodes, spec.nodes * spec.per_node.gpus, spec.nodes * spec.per_node.cpus,
                   duration, limit, state_word(job.state), spec.kind == JobKind::batch ? "batch" : "interactive",
                   rounded_seconds((ran ? job.started : job.ended) - job.submitted));
  }
  return csv;
}

}  // namespace virga
