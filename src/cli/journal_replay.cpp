#include "cli/journal_replay.hpp"

#include <fmt/format.h>

#include <utility>

#include "brain/brain.hpp"

namespace virga {

namespace {

/// The controller may drop events between two readings; then it has a newer snapshot to begin with.
constexpr int k_tries_max = 5;

/// Nothing if the events went away under it.
Result<std::optional<Replayed>> replay_once(Journal& journal, const ReplayOptions& options) {
  Result<JournalStart> start = find_journal_start(journal, options);
  if (!start) return unexpected(start.error());
  Brain& brain = start->brain;
  Replayed replayed{.snapshot = start->seq, .seq = start->seq};
  bool gap = false;
  std::optional<Error> contradiction;
  auto apply = [&](Seq seq, const Event& event) {
    if (options.until && seq.value > options.until->value) return false;
    gap = seq.value != replayed.seq.value + 1;
    if (gap) return false;
    brain.apply(seq, event);
    brain.take_commands();  // they were carried out long ago
    replayed.seq = seq;
    ++replayed.events;
    if (!start->to_confirm || start->to_confirm->seq != seq) return true;
    replayed.snapshot_confirmed = brain.digest() == start->to_confirm->digest;
    if (replayed.snapshot_confirmed) return true;
    contradiction =
        Error{Code::corrupt, fmt::format("after event {} the replay has digest {:016x}, but the snapshot of "
                                         "that moment has {:016x}",
                                         seq.value, brain.digest(), start->to_confirm->digest)};
    return false;
  };
  Status read = journal.read(start->seq, apply);
  if (!read) return unexpected(read.error());
  if (contradiction) return unexpected(*std::move(contradiction));
  if (gap) return std::nullopt;
  replayed.digest = brain.digest();
  return replayed;
}

}  // namespace

Result<Replayed> replay_journal(Journal& journal, const ReplayOptions& options) {
  for (int n = 0; n < k_tries_max; ++n) {
    Result<std::optional<Replayed>> replayed = replay_once(journal, options);
    if (!replayed) return unexpected(replayed.error());
    if (!*replayed) continue;
    if (options.until && (*replayed)->seq != *options.until) {
      return fail(Code::not_found, fmt::format("there is no event {}; the last one is {}", options.until->value,
                                               (*replayed)->seq.value));
    }
    return **replayed;
  }
  return fail(Code::conflict, "the journal was compacted again and again while it was replayed; try again", true);
}

}  // namespace virga
