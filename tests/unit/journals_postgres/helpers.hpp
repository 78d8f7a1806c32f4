// What the tests of the PostgreSQL journal share.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "journals/postgres/postgres_journal.hpp"
#include "ports/contract/journal_contract.hpp"
#include "support/postgres_server.hpp"

namespace virga::test {

/// True, having said so, where no server can be had.
inline bool skips(const PostgresServer& server = shared_server()) {
  if (server.why_not().empty()) return false;
  MESSAGE("skipped: " << server.why_not());
  return true;
}

inline PostgresOptions options(const std::string& url, const std::string& name = "test") {
  return {.url = url, .self = {name, "here", 0, "", ""}};
}

inline std::unique_ptr<Journal> open_or_fail(const std::string& url, OpenMode mode = OpenMode::create_or_open) {
  return journal_contract::opened([&] { return open_postgres_journal(options(url), mode); });
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace virga::test
