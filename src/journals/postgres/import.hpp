// A copy of another journal into an empty one, in one transaction.
#pragma once

#include "journals/postgres/batch.hpp"

namespace virga {

/// `head` is that of the empty journal and of the term that writes. Code::conflict if it is not empty.
Status import_journal(PgConnection& db, const PgHead& head, Journal& source, const Patience& patience);

}  // namespace virga
