// The accounts in PostgreSQL: how they are searched and checked. They are written by the journal's appends.
#pragma once

#include <vector>

#include "journals/postgres/connection.hpp"
#include "ports/journal.hpp"

namespace virga {

Result<std::vector<Job>> find_jobs(PgConnection& db, const AccountQuery& query, const Patience& patience);
Result<std::vector<VmRecord>> find_vms(PgConnection& db, const AccountQuery& query, const Patience& patience);

/// Checks every record against its checksum, its key and its columns, and counts them. Inside the caller's transaction.
Status verify_accounts(PgConnection& db, JournalReport& report, const Patience& patience);

/// "the journal in <url> is damaged: <what>; restore a backup: virga journal copy sqlite:BACKUP postgres:URL"
Error damaged(const PgConnection& db, std::string_view what);

}  // namespace virga
