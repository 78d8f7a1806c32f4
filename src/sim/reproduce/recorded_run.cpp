#include "sim/reproduce/recorded_run.hpp"

#include <fmt/format.h>

#include <limits>

namespace virga {
namespace {

/// A controller may append between two readings.
constexpr int k_tries_max = 5;

Status read_events(Journal& journal, RecordedRun& run) {
  bool gap = false;
  const Status read = journal.read(run.start.seq, [&](Seq seq, const Event& event) {
    gap = seq != run.seq_of(run.events.size());
    if (!gap) run.events.push_back(event);
    return !gap;
  });
  if (!read) return read;
  if (gap) return fail(Code::conflict, "the journal was compacted while it was read; read it again", true);
  return {};
}

Status read_accounts(Journal& journal, RecordedRun& run) {
  const AccountQuery all{.limit = std::numeric_limits<std::uint32_t>::max()};
  Result<std::vector<Job>> jobs = journal.archived_jobs(all);
  if (!jobs) return unexpected(jobs.error());
  for (Job& job : *jobs) run.jobs.emplace(std::pair(job.id, job.incarnation), std::move(job));
  Result<std::vector<VmRecord>> vms = journal.archived_vms(all);
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
    if (Status read = read_events(journal, run); !read) return unexpected(read.error());
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
