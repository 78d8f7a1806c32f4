#include "journals/sqlite/writers.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include "journals/sqlite/record.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

std::unique_ptr<SQLite::Statement> prepared(SQLite::Database& db, const char* text) {
  return std::make_unique<SQLite::Statement>(db, text);
}

void put_record(SQLite::Statement& s, std::uint64_t seq, std::string_view record) {
  Using use(s);
  s.bind(1, as_signed(seq));
  s.bind(2, record_crc(seq, record));
  bind_blob(s, 3, record);
  s.exec();
}

}  // namespace

Writers::Writers(SQLite::Database& db)
    : event_(prepared(db, "INSERT INTO events(seq, crc, record) VALUES (?, ?, ?)")),
      payload_(prepared(db, "INSERT INTO payloads(seq, crc, record) VALUES (?, ?, ?)")),
      head_(prepared(db, "UPDATE head SET last_seq = ?, last_time_ns = ?, compacted_seq = ? WHERE id = 1")) {}
Writers::~Writers() = default;

void Writers::put_event(std::uint64_t seq, std::string_view record) { put_record(*event_, seq, record); }
void Writers::put_payload(std::uint64_t seq, std::string_view record) { put_record(*payload_, seq, record); }

void Writers::put(const Head& head) {
  Using use(*head_);
  head_->bind(1, as_signed(head.last));
  head_->bind(2, head.last_time_ns);
  head_->bind(3, as_signed(head.compacted));
  head_->exec();
}

}  // namespace virga
