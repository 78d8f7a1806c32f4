// What the tests of the SQLite journal share.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "journals/sqlite/sqlite_journal.hpp"
#include "ports/contract/journal_contract.hpp"
#include "support/temp_dir.hpp"

namespace virga::test {

inline std::unique_ptr<Journal> open_or_fail(const std::string& path, OpenMode mode = OpenMode::create_or_open) {
  return journal_contract::opened([&] { return open_sqlite_journal(path, mode); });
}

/// The error of an opening that must fail.
inline Error open_error(const std::string& path, OpenMode mode = OpenMode::create_or_open) {
  Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(path, mode);
  REQUIRE_FALSE(journal.has_value());
  return journal.error();
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Runs `work` in a child process that ends without any cleaning up; true if `work` returned true.
template <class F>
bool in_child(F work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(work() ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace virga::test
