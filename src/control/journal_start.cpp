#include "control/journal_start.hpp"

#include <fmt/format.h>

#include <utility>

namespace virga {
namespace {

Result<JournalStart> start_on(Snapshot snapshot) {
  Result<Brain> brain = Brain::load(snapshot.state);
  if (!brain) {
    return fail(Code::corrupt, fmt::format("the snapshot after event {} cannot be loaded: {}", snapshot.seq.value,
                                           brain.error().message));
  }
  if (brain->digest() != snapshot.digest) {
    return fail(Code::corrupt,
                fmt::format("the snapshot after event {} gives digest {:016x} once loaded, but was saved "
                            "with {:016x}",
                            snapshot.seq.value, brain->digest(), snapshot.digest));
  }
  const Seq seq = snapshot.seq;
  return JournalStart{*std::move(brain), seq, std::move(snapshot), {}};
}

}  // namespace

Result<JournalStart> find_journal_start(Journal& journal, const ReplayOptions& options) {
  Result<std::optional<Snapshot>> newest = journal.newest_snapshot();
  if (!newest) return unexpected(newest.error());
  if (!*newest) return JournalStart{};
  const bool too_far = options.until && options.until->value < (*newest)->seq.value;
  if (!options.from_start && !too_far && !options.as_early_as_kept) return start_on(**std::move(newest));
  Result<JournalInfo> info = journal.info();
  if (!info) return unexpected(info.error());
  if (info->first == Seq{1}) return JournalStart{{}, {}, {}, *std::move(newest)};
  if (!options.as_early_as_kept) {
    return fail(Code::conflict, fmt::format("the events before the snapshot after event {} are no longer kept, so a "
                                            "replay can only begin there",
                                            (*newest)->seq.value));
  }
  Result<std::optional<Snapshot>> oldest = journal.oldest_snapshot();
  if (!oldest) return unexpected(oldest.error());
  if (!*oldest || (*oldest)->seq == (*newest)->seq) return start_on(**std::move(newest));
  Result<JournalStart> start = start_on(**std::move(oldest));
  if (start) start->to_confirm = *std::move(newest);
  return start;
}

}  // namespace virga
