// Replay: the proof that a journal gives the state that was running, bit for bit.
//
//   Result<Replayed> replayed = replay_journal(*journal, {.until = Seq{120}});
//   replayed->digest;   // what the controller had after event 120
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "control/journal_start.hpp"
#include "ports/journal.hpp"

namespace virga {

struct Replayed {
  Seq snapshot;  ///< where it began; zero: before the first event
  Seq seq;       ///< the last event that is in the state
  std::uint64_t digest = 0;
  std::uint64_t events = 0;         ///< how many were applied
  bool snapshot_confirmed = false;  ///< the replay came by the newest snapshot, and its state was the same
};

/// Code::conflict if the events that are needed are no longer kept; Code::corrupt if the journal contradicts itself.
Result<Replayed> replay_journal(Journal& journal, const ReplayOptions& options);

}  // namespace virga
