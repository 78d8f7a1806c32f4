// libpq as far as the journal needs it: one connection, one statement at a time, arguments and results in binary, and
// a limit for every wait.
//
//   Result<PgConnection> db = PgConnection::open("postgres://virga@db/virga", patience);
//   Result<PgRows> rows = db->run("SELECT record FROM events WHERE seq = $1", PgArguments().integer(7), patience);
//   rows->bytes(0, 0);
//
// `patience` is asked again and again how many milliseconds may still be waited; at 0 the call fails with Code::timeout
// and the connection is closed, since nobody knows what the server does with the statement. libpq alone would wait as
// long as TCP does when a network is cut: minutes.
//
// Statements are prepared once for each connection; their texts must be literals. Errors: Code::exhausted for a full
// disk, Code::unavailable (retryable) when the server cannot be reached or goes, Code::denied, Code::not_found for a
// database that is not there, Code::corrupt where PostgreSQL or our tables are not what they must be. No message has a
// password in it.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

/// Milliseconds that may still be waited.
using Patience = std::function<int()>;
/// So long from now on.
Patience patience_of_ms(int milliseconds);

class PgRows {
 public:
  PgRows() = default;
  explicit PgRows(PGresult* result) : result_(result) {}

  int count() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  /// Of an integer or boolean column of any width.
  std::int64_t integer(int row, int column) const;
  std::uint64_t number(int row, int column) const { return static_cast<std::uint64_t>(integer(row, column)); }
  /// Of bytea or text; valid as long as this is.
  std::string_view bytes(int row, int column) const;
  std::string text(int row, int column) const { return std::string(bytes(row, column)); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

/// In the order of $1, $2 …
class PgArguments {
 public:
  PgArguments& integer(std::int64_t value);
  PgArguments& number(std::uint64_t value) { return integer(static_cast<std::int64_t>(value)); }
  PgArguments& bytes(std::string_view value);
  PgArguments& text(std::string_view value);
  /// bigint[]
  PgArguments& integers(std::span<const std::int64_t> values);
  /// bytea[]
  PgArguments& byte_strings(std::span<const std::string> values);

 private:
  friend class PgConnection;
  PgArguments& add(Oid type, std::string value);

  std::vector<Oid> types_;
  std::vector<std::string> values_;
};

/// A connection string as it may be shown: "postgres://host:port/database".
std::string shown_url(const std::string& url);

class PgConnection {
 public:
  /// Code::invalid for a string that is none.
  static Result<PgConnection> open(const std::string& url, const std::string& application, const Patience& patience);

  Result<PgRows> run(const char* statement, const PgArguments& arguments, const Patience& patience);
  /// Several statements without arguments or results, each as it is, such as "BEGIN".
  Status run_all(const std::string& statements, const Patience& patience);

  bool is_open() const { return connection_ != nullptr; }
  void close() { connection_.reset(); }
  int socket() const { return PQsocket(connection_.get()); }
  std::int64_t server_pid() const { return PQbackendPID(connection_.get()); }
  /// Whether a notification has come since the last call. Does not wait.
  bool take_notifications();
  const std::string& shown() const { return shown_; }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  explicit PgConnection(std::string shown) : shown_(std::move(shown)) {}

  Status connect(const std::string& url, const std::string& application, const Patience& patience);
  Status prepare(const char* statement, const PgArguments& arguments, const Patience& patience);
  Result<PgRows> result_of(bool sent, const Patience& patience);
  Status wait(bool to_write, const Patience& patience);
  Error error_of(const PGresult* result) const;
  tl::unexpected<Error> broken();

  std::string shown_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::map<std::string_view, std::string> prepared_;  ///< names by statement
};

}  // namespace virga
