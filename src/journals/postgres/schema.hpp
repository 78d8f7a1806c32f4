// The tables of a journal in PostgreSQL: a schema "virga" of its own, how it is made, and how old it is.
//
// schema_versions names the Virga that brought each version. A newer one is refused; an older one is migrated by
// numbered steps when a writer opens it. What the tables hold is said in schema.cpp.
#pragma once

#include "journals/postgres/connection.hpp"

namespace virga {

/// A connection as the journal needs it: in its schema, with durable commits. Code::refused where the server cannot
/// promise these (fsync is off). The schema need not be there.
Result<PgConnection> open_session(const std::string& url, const std::string& application, const Patience& patience);

/// Code::not_found without a schema (unless `may_create`), Code::refused for one of a newer Virga.
Status prepare_schema(PgConnection& db, bool may_write, bool may_create);

}  // namespace virga
