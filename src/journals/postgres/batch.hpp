// The one statement that an append is: its text, and its arguments.
#pragma once

#include <span>

#include "journals/postgres/connection.hpp"
#include "ports/journal.hpp"

namespace virga {

/// The row of table `head`.
struct PgHead {
  std::uint64_t last = 0;
  std::int64_t last_time_ns = 0;
  std::uint64_t compacted = 0;  ///< events up to this one were dropped
  std::uint64_t batch = 0;      ///< number of the last append
  std::uint64_t term = 0;
};

struct PgBatch {
  const char* statement;  ///< gives (appends done: 0 or 1, job records that are new)
  PgArguments arguments;
  PgHead after;  ///< what the head is once it is done
};

/// What append() of these does to a journal whose head is `before`.
PgBatch make_batch(const PgHead& before, std::span<const JournalEntry> entries, std::span<const Job> jobs,
                   std::span<const VmRecord> vms);

}  // namespace virga
