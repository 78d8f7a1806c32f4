// The statements that every batch uses, and the row of table `head` that they end with. Inside the journal's
// transaction; they throw SQLite::Exception.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace virga {

/// The one row of table `head`: it tells a journal whose last events are missing from one that never had them.
struct Head {
  std::uint64_t last = 0;
  std::int64_t last_time_ns = 0;
  std::uint64_t compacted = 0;  ///< events up to this one were dropped
};

inline std::int64_t as_signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline std::uint64_t as_unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

class Writers {
 public:
  /// `db` must outlive it.
  explicit Writers(SQLite::Database& db);
  ~Writers();

  void put_event(std::uint64_t seq, std::string_view record);
  void put_payload(std::uint64_t seq, std::string_view record);
  void put(const Head& head);

 private:
  std::unique_ptr<SQLite::Statement> event_;
  std::unique_ptr<SQLite::Statement> payload_;
  std::unique_ptr<SQLite::Statement> head_;
};

}  // namespace virga
