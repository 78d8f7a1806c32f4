#include "journals/postgres/connection.hpp"

#include <endian.h>
#include <fmt/format.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace virga {

namespace {

// Types that arguments have (catalog/pg_type.dat of PostgreSQL).
constexpr Oid k_bytea = 17, k_int8 = 20, k_text = 25, k_bytea_array = 1001, k_int8_array = 1016;
/// No wait is longer, so that `patience` is asked often enough.
constexpr int k_look_every_ms = 100;

std::int64_t monotonic_ms() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000 + t.tv_nsec / 1'000'000;
}

template <class T>
void put_big_endian(std::string& out, T value) {
  for (int shift = 8 * (int{sizeof(T)} - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

/// The head of a binary array of one dimension without nulls.
std::string array_head(Oid element, std::size_t count) {
  std::string out;
  put_big_endian<std::uint32_t>(out, count > 0 ? 1 : 0);
  put_big_endian<std::uint32_t>(out, 0);
  put_big_endian<std::uint32_t>(out, element);
  if (count == 0) return out;
  put_big_endian<std::uint32_t>(out, static_cast<std::uint32_t>(count));
  put_big_endian<std::uint32_t>(out, 1);
  return out;
}

/// libpq's messages have several lines; the first one says what is wrong.
std::string first_line(const char* message) {
  std::string_view text = message == nullptr ? "" : message;
  for (std::string_view prefix : {"ERROR:  ", "FATAL:  ", "PANIC:  "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return std::string(text.substr(0, text.find('\n')));
}

/// What a five-character SQLSTATE means for the caller (PostgreSQL's manual, appendix A).
Error error_of_state(std::string_view state, std::string message) {
  const std::string_view group = state.substr(0, 2);
  if (state == "53100") return {Code::exhausted, message + "; free some space on the server's disk", true};
  if (group == "53") return {Code::exhausted, std::move(message), true};
  if (group == "08" || group == "57" || state.empty()) return {Code::unavailable, std::move(message), true};
  if (state == "25006") return {Code::unavailable, message + "; this server is a replica, not the primary", true};
  if (group == "40" || state == "55P03") return {Code::conflict, std::move(message), true};
  if (state == "3D000") return {Code::not_found, message + "; create it: createdb", false};
  if (group == "28" || state == "42501") return {Code::denied, std::move(message), false};
  if (state == "58030") return {Code::exhausted, std::move(message), true};  // the server's disk fails
  // Our statements are fixed, so a table or column is not what it must be.
  if (group == "XX" || group == "42" || group == "23") return {Code::corrupt, std::move(message), false};
  return {Code::internal, std::move(message), false};
}

}  // namespace

Patience patience_of_ms(int milliseconds) {
  const std::int64_t end = monotonic_ms() + milliseconds;
  return [end] { return static_cast<int>(std::max<std::int64_t>(0, end - monotonic_ms())); };
}

std::int64_t PgRows::integer(int row, int column) const {
  const auto* raw = reinterpret_cast<const unsigned char*>(PQgetvalue(result_.get(), row, column));
  const int size = PQgetlength(result_.get(), row, column);
  // A shorter number's sign is that of its first byte; a boolean is one byte, 0 or 1.
  std::uint64_t value = size > 1 && size < 8 && (raw[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (int i = 0; i < size; ++i) value = value << 8 | raw[i];
  return static_cast<std::int64_t>(value);
}

std::string_view PgRows::bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

PgArguments& PgArguments::add(Oid type, std::string value) {
  types_.push_back(type);
  values_.push_back(std::move(value));
  return *this;
}

PgArguments& PgArguments::integer(std::int64_t value) {
  std::string raw;
  put_big_endian(raw, static_cast<std::uint64_t>(value));
  return add(k_int8, std::move(raw));
}

PgArguments& PgArguments::bytes(std::string_view value) { return add(k_bytea, std::string(value)); }
PgArguments& PgArguments::text(std::string_view value) { return add(k_text, std::string(value)); }

PgArguments& PgArguments::integers(std::span<const std::int64_t> values) {
  std::string raw = array_head(k_int8, values.size());
  for (std::int64_t value : values) {
    put_big_endian<std::uint32_t>(raw, sizeof(value));
    put_big_endian(raw, static_cast<std::uint64_t>(value));
  }
  return add(k_int8_array, std::move(raw));
}

PgArguments& PgArguments::byte_strings(std::span<const std::string> values) {
  std::string raw = array_head(k_bytea, values.size());
  for (const std::string& value : values) {
    put_big_endian<std::uint32_t>(raw, static_cast<std::uint32_t>(value.size()));
    raw += value;
  }
  return add(k_bytea_array, std::move(raw));
}

std::string shown_url(const std::string& url) {
  char* wrong = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &wrong);
  PQfreemem(wrong);
  if (options == nullptr) return "postgres://?";
  std::map<std::string_view, std::string> known;
  for (const PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
    if (o->val != nullptr) known[o->keyword] = o->val;
  }
  PQconninfoFree(options);
  const std::string port = known["port"].empty() ? "" : ":" + known["port"];
  return "postgres://" + (known["host"].empty() ? known["hostaddr"] : known["host"]) + port + "/" + known["dbname"];
}

Result<PgConnection> PgConnection::open(const std::string& url, const std::string& application,
                                        const Patience& patience) {
  char* wrong = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &wrong);
  const std::string why = first_line(wrong);
  PQfreemem(wrong);
  if (options == nullptr) {
    // libpq repeats the whole string, in which there may be a password.
    return fail(Code::invalid,
                "the journal's url is none that PostgreSQL understands; write one such as "
                "postgres://user@host/database, without a password" +
                    std::string(why.find('"') == std::string::npos ? ": " + why : ""));
  }
  PQconninfoFree(options);
  PgConnection connection(shown_url(url));
  if (Status connected = connection.connect(url, application, patience); !connected) {
    return unexpected(connected.error());
  }
  return connection;
}

Status PgConnection::connect(const std::string& url, const std::string& application, const Patience& patience) {
  const char* keywords[] = {"dbname", "fallback_application_name", "client_encoding", nullptr};
  const char* values[] = {url.c_str(), application.c_str(), "UTF8", nullptr};
  connection_.reset(PQconnectStartParams(keywords, values, 1));
  if (connection_ == nullptr) return fail(Code::exhausted, "no memory for a connection to " + shown_);
  PostgresPollingStatusType step = PGRES_POLLING_WRITING;
  while (PQstatus(connection_.get()) != CONNECTION_BAD && step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
    if (Status ready = wait(step == PGRES_POLLING_WRITING, patience); !ready) return ready;
    step = PQconnectPoll(connection_.get());
  }
  if (PQstatus(connection_.get()) == CONNECTION_OK) {
    PQsetnonblocking(connection_.get(), 1);
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);  // "already exists, skipping"
    return {};
  }
  // A refused login has no SQLSTATE here, only words; these are told apart because waiting does not help.
  std::string message = PQerrorMessage(connection_.get());
  close();
  const std::size_t fatal = message.find("FATAL:  ");
  Error error{Code::unavailable,
              fmt::format("cannot connect to {}: {}", shown_,
                          first_line(message.c_str() + (fatal == std::string::npos ? 0 : fatal))),
              true};
  auto says = [&](std::string_view words) { return message.find(words) != std::string::npos; };
  if (says("authentication failed") || says("no password supplied") || says("no pg_hba.conf entry") ||
      (says("role \"") && says("does not exist")) || says("permission denied for database")) {
    error.code = Code::denied;
  } else if (says("database \"") && says("does not exist")) {
    error.code = Code::not_found;
    error.message += "; create it: createdb";
  }
  error.retryable = error.code == Code::unavailable;
  return unexpected(std::move(error));
}

Status PgConnection::wait(bool to_write, const Patience& patience) {
  const int fd = PQsocket(connection_.get());
  for (;;) {
    const int left = patience();
    if (left <= 0) {
      close();
      return fail(Code::timeout, fmt::format("{} does not answer", shown_), true);
    }
    pollfd poll_fd{fd, static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&poll_fd, 1, std::min(left, k_look_every_ms));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) {
      close();
      return fail(Code::internal, fmt::format("cannot wait for {}: {}", shown_, std::strerror(errno)));
    }
  }
}

Error PgConnection::error_of(const PGresult* result) const {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result);
  return error_of_state(state == nullptr ? "" : state, fmt::format("{}: {}", shown_, first_line(text)));
}

tl::unexpected<Error> PgConnection::broken() {
  Error error{Code::unavailable,
              fmt::format("the connection to {} broke: {}", shown_, first_line(PQerrorMessage(connection_.get()))),
              true};
  close();
  return unexpected(std::move(error));
}

/// Everything that the server answers to one statement; the last result counts, the first failure is told.
Result<PgRows> PgConnection::result_of(bool sent, const Patience& patience) {
  if (!sent) return broken();
  for (int unsent = PQflush(connection_.get()); unsent != 0; unsent = PQflush(connection_.get())) {
    if (unsent < 0) return broken();
    if (Status ready = wait(true, patience); !ready) return unexpected(ready.error());
    if (PQconsumeInput(connection_.get()) == 0) return broken();
  }
  PgRows rows;
  std::optional<Error> failure;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0) {
      if (Status ready = wait(false, patience); !ready) return unexpected(ready.error());
      if (PQconsumeInput(connection_.get()) == 0) return broken();
    }
    PGresult* raw = PQgetResult(connection_.get());
    if (raw == nullptr) break;
    PgRows next(raw);
    const ExecStatusType status = PQresultStatus(raw);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !failure) failure = error_of(raw);
    rows = std::move(next);
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) close();
  if (failure) return unexpected(*std::move(failure));
  return rows;
}

Status PgConnection::prepare(const char* statement, const PgArguments& arguments, const Patience& patience) {
  const std::string name = fmt::format("s{}", prepared_.size());
  const bool sent = PQsendPrepare(connection_.get(), name.c_str(), statement, static_cast<int>(arguments.types_.size()),
                                  arguments.types_.data()) != 0;
  if (Result<PgRows> prepared = result_of(sent, patience); !prepared) return unexpected(prepared.error());
  prepared_[statement] = name;
  return {};
}

Result<PgRows> PgConnection::run(const char* statement, const PgArguments& arguments, const Patience& patience) {
  if (!is_open()) return fail(Code::unavailable, fmt::format("there is no connection to {}", shown_), true);
  if (!prepared_.contains(statement)) {
    if (Status prepared = prepare(statement, arguments, patience); !prepared) return unexpected(prepared.error());
  }
  const std::size_t count = arguments.values_.size();
  std::vector<const char*> values(count);
  std::vector<int> lengths(count);
  const std::vector<int> binary(count, 1);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = arguments.values_[i].data();
    lengths[i] = static_cast<int>(arguments.values_[i].size());
  }
  const bool sent = PQsendQueryPrepared(connection_.get(), prepared_.at(statement).c_str(), static_cast<int>(count),
                                        values.data(), lengths.data(), binary.data(), 1) != 0;
  return result_of(sent, patience);
}

Status PgConnection::run_all(const std::string& statements, const Patience& patience) {
  if (!is_open()) return fail(Code::unavailable, fmt::format("there is no connection to {}", shown_), true);
  Result<PgRows> done = result_of(PQsendQuery(connection_.get(), statements.c_str()) != 0, patience);
  if (!done) return unexpected(done.error());
  return {};
}

bool PgConnection::take_notifications() {
  if (!is_open()) return false;
  if (PQconsumeInput(connection_.get()) == 0) {
    close();
    return false;
  }
  bool any = false;
  while (PGnotify* note = PQnotifies(connection_.get())) {
    any = true;
    PQfreemem(note);
  }
  return any;
}

}  // namespace virga
