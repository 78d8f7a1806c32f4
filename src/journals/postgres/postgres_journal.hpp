// The journal in PostgreSQL (12 or newer; proven with 15): for more than one controller, of which one leads.
//
//   auto journal = open_postgres_journal({.url = "postgres://virga@db/virga"}, OpenMode::create_or_open);
//   auto standby = open_postgres_standby({.url = …, .self = {.name = "b", …}, .lease = Duration::seconds(1)});
//   standby->leadership->campaign();      // ports/leadership.hpp; the journal can be written while it leads
//
// The url is what libpq takes: a URL or "host=… dbname=…"; passwords come from PGPASSFILE or ~/.pgpass, certificates
// from the url's sslcert and sslkey. It may name several hosts with target_session_attrs=primary; then the replicas
// should be synchronous, or a failover loses what was promised to be durable.
//
// A batch is one statement, so that the server carries it out whole whatever becomes of this process, with
// synchronous_commit on. It names the term it is written under and the number of the batch that it follows. Where the
// connection breaks and nobody knows whether it was carried out, the same statement is given again on a new
// connection: it has no effect the second time, and then the head says whose batch was the last. So nothing is doubled
// and nothing lost; append() returns once that is certain, or when the lead is lost (Code::conflict: nothing may be
// told to anybody any more, the process has to start afresh).
//
// Records have a CRC-32C as in the SQLite journal. backup() writes an SQLite journal, through `backup` of the options.
// One thread at a time may use a journal.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ports/journal.hpp"
#include "ports/leadership.hpp"

namespace virga {

struct PostgresOptions {
  std::string url;
  ControllerId self = {};  ///< for whoever asks who leads
  /// How long a leader that cannot be heard of keeps the lead.
  Duration lease = Duration::seconds(1);
  /// Writes a copy of the journal into a new file. Without it backup() is refused.
  std::function<Status(Journal& journal, const std::string& path)> backup = nullptr;
  std::function<void(const std::string&)> say = nullptr;  ///< what an operator should know, a line each
};

/// A writer leads, on its own, as long as the journal is open; Code::conflict while another one does.
Result<std::unique_ptr<Journal>> open_postgres_journal(PostgresOptions options, OpenMode mode);

struct PostgresStandby {
  std::unique_ptr<Journal> journal;
  std::shared_ptr<Leadership> leadership;
};
Result<PostgresStandby> open_postgres_standby(PostgresOptions options);

}  // namespace virga
