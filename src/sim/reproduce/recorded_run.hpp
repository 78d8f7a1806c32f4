// A run as its journal has it: the events from where it is kept on, and the accounts that were written meanwhile.
//
//   Result<RecordedRun> run = read_recorded_run(*journal);
//   run->events[0];                  // event run->seq_of(0) of the journal
//
// It begins before the first event where that is still kept, else on the oldest snapshot.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "control/journal_start.hpp"
#include "ports/journal.hpp"

namespace virga {

struct RecordedRun {
  JournalStart start;
  std::vector<Event> events;
  std::map<std::pair<JobId, std::uint32_t>, Job> jobs;  ///< by (job, incarnation)
  std::map<VmId, VmRecord> vms;

  Seq seq_of(std::size_t place) const { return {start.seq.value + 1 + place}; }
};

/// Code::conflict if there is no event to begin with, or if the journal grows while it is read; else as the journal and
/// find_journal_start() say.
Result<RecordedRun> read_recorded_run(Journal& journal);

}  // namespace virga
