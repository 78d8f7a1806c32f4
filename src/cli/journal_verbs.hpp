// `virga journal info | verify | replay | backup | restore | copy | events | trace`.
//
//   return journal_main(argc, argv, {.open = …, .restore = restore_sqlite_journal});    // argv[0] is "journal"
//
// The command line knows no adapter: the program says how a journal is opened and restored. A journal is named by a
// path, sqlite:PATH, postgres://… or postgres:URL.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ports/journal.hpp"
#include "wire/home.hpp"

namespace virga {

struct JournalAccess {
  std::function<Result<std::unique_ptr<Journal>>(const std::string& name, OpenMode mode)> open;
  /// Returns the name under which the replaced journal is kept, or "".
  std::function<Result<std::string>(const std::string& backup, const std::string& path)> restore;
  /// The name of the instance's journal, as virga.toml says.
  std::function<Result<std::string>(const Home& home)> own_journal = [](const Home& home) {
    return Result<std::string>(home.journal());
  };
};

/// Exit code: 0; 1 when verify or replay found something; 2 for wrong usage; else that of the error.
int journal_main(int argc, char** argv, const JournalAccess& access);

}  // namespace virga
