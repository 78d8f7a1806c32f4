// How a record (ports/journal_record.hpp) gets into SQLite's statements and out of its columns.
#pragma once

#include <string_view>

namespace SQLite {
class Column;
class Statement;
}  // namespace SQLite

namespace virga {

/// Valid until the statement's next step.
std::string_view blob_of(const SQLite::Column& column);
/// Without a copy: `bytes` must live until the statement has run.
void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes);

/// A kept statement, ready to bind again when this goes out of scope; an unfinished SELECT would hold back the WAL.
class Using {
 public:
  explicit Using(SQLite::Statement& statement) : statement_(statement) {}
  ~Using();
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

 private:
  SQLite::Statement& statement_;
};

}  // namespace virga
