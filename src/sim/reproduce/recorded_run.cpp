#include "sim/reproduce/recorded_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace virga {
namespace {

/// A controller may append and drop events between two readings.
constexpr int k_tries_max = 5;

/// False if events went away under it.
Result<bool> read_events(Journal& journal, RecordedRun& run) {
  bool gap = false;
  const Status read = journal.read(run.start.seq, [&](Seq seq, const Event& event) {
    gap = seq != run.seq_of(run.events.size());
    if (!gap) run.events.push_back(event);
    return !gap;
  });
  if (!read) return unexpected(read.error());
  return !gap;
}

/// Of all that may be put into the accounts during the run: also of jobs that ended before, but whose steps told of
/// their end later.
Status read_accounts(Journal& journal, RecordedRun& run) {
  AccountQuery query{.limit = std::numeric_limits<std::uint32_t>::max()};
  if (run.start.snapshot) {
    const State& state = run.start.brain.state();
    Time earliest = state.now;
    for (const auto& [id, job] : state.jobs) {
      if (is_final(job.state)) earliest = std::min(earliest, job.ended);
    }
    query.ended_after = Time{earliest.ns - 1};
  }
  Result<std::vector<Job>> jobs = journal.archived_jobs(query);
  if (!jobs) return unexpected(jobs.error());
  for (Job& job : *jobs) run.jobs.emplace(std::pair(job.id, job.incarnation), std::move(job));
  Result<std::vector<VmRecord>> vms = journal.archived_vms(query);
  if (!vms) return unexpected(vms.error());
  for (VmRecord& vm : *vms) run.vms.emplace(vm.id, std::move(vm));
  return {};
}

tl::unexpected<Error> nothing_kept(const RecordedRun& run) {
  if (!run.start.seq) return fail(Code::conflict, "nothing to reproduce: the journal has no event");
  return fail(Code::conflict, fmt::format("nothing to reproduce: the journal has no event after its snapshot of event "
                                          "{}; take a copy of it before it is compacted: virga journal backup",
                                          run.start.seq.value));
}

}  // namespace

Result<RecordedRun> read_recorded_run(Journal& journal) {
  for (int n = 0; n < k_tries_max; ++n) {
    Result<JournalStart> start = find_journal_start(journal, {.as_early_as_kept = true});
    if (!start) return unexpected(start.error());
    RecordedRun run{.start = *std::move(start), .events = {}, .jobs = {}, .vms = {}};
    const Result<bool> whole = read_events(journal, run);
    if (!whole) return unexpected(whole.error());
    if (!*whole) continue;
    if (run.events.empty()) return nothing_kept(run);
    if (Status read = read_accounts(journal, run); !read) return unexpected(read.error());
    // Events and accounts must be of one moment, or the accounts tell of what the events do not.
    const Result<JournalInfo> after = journal.info();
    if (!after) return unexpected(after.error());
    if (after->last == run.seq_of(run.events.size() - 1)) return run;
  }
  return fail(Code::conflict,
              "a controller writes to the journal while it is read; take a copy and reproduce that: virga journal "
              "backup",
              true);
}

}  // namespace virga
