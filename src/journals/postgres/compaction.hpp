// What a snapshot covers goes: events, older snapshots, and the payloads of jobs that are over.
#pragma once

#include "journals/postgres/batch.hpp"

namespace virga {

/// `covered`: the newest snapshot's event. Changes head.compacted as it goes. Given again, or late, it does no harm.
Status compact_journal(PgConnection& db, PgHead& head, std::uint64_t covered, const Patience& patience);

}  // namespace virga
