// Where a replay of a journal begins: before its first event, or on a snapshot.
//
//   Result<JournalStart> start = find_journal_start(*journal, {});
//   journal->read(start->seq, [&](Seq seq, const Event& event) { start->brain.apply(seq, event); … });
#pragma once

#include <optional>

#include "base/result.hpp"
#include "brain/brain.hpp"
#include "ports/journal.hpp"

namespace virga {

struct ReplayOptions {
  std::optional<Seq> until = {};  ///< the last event to apply; else all
  bool from_start = false;        ///< every event from the first one, instead of those after the newest snapshot
  bool as_early_as_kept = false;  ///< the same, or from the oldest snapshot where the first event is gone
};

struct JournalStart {
  Brain brain;                         ///< as it was then
  Seq seq;                             ///< the last event that is in it; zero: none
  std::optional<Snapshot> snapshot;    ///< the one it was loaded from
  std::optional<Snapshot> to_confirm;  ///< the newest one, where it lies ahead
};

/// Code::conflict if the events that are needed are no longer kept; Code::corrupt for a snapshot that cannot be loaded,
/// or gives another digest then.
Result<JournalStart> find_journal_start(Journal& journal, const ReplayOptions& options);

}  // namespace virga
