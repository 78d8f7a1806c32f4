// A journal in memory that keeps the contract of ports/journal.hpp and outlives its controllers.
//
//   JournalDisk disk;
//   auto journal = open_memory_journal(disk);   // Code::conflict while another one is open
//   disk.full = true;                           // append() fails until it is false again
//
// Besides what the contract asks for, the disk keeps the whole history, so that a replay from the first event can be
// compared with the state that went through snapshots. append() costs what its entries cost.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ports/journal.hpp"

namespace virga {

struct JournalDisk {
  bool full = false;
  bool is_open = false;
  std::uint64_t before = 0;    ///< so many events are older than the history: it begins on a snapshot
  std::vector<Event> history;  ///< event n is history[n - 1 - before]; nothing is ever dropped from it
  std::uint64_t first_kept = 1;
  std::map<std::uint64_t, LaunchPayload> payloads;
  std::vector<Snapshot> snapshots;
  std::map<std::pair<JobId, std::uint32_t>, Job> jobs;  ///< by (job, incarnation)
  std::map<VmId, VmRecord> vms;
  std::map<std::string, std::shared_ptr<JournalDisk>> backups;
  /// Sees every job record that is written, with the one that it replaces or null.
  std::function<void(const Job& record, const Job* before)> on_job_record;

  std::uint64_t last() const { return before + history.size(); }
};

Result<std::unique_ptr<Journal>> open_memory_journal(JournalDisk& disk);

}  // namespace virga
