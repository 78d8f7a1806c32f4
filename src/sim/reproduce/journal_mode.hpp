// `virga simulate --journal PATH`: a recorded run once more, and whether the controller decides the same.
//
//   Result<JournalOutput> out = run_journal_mode({.journal = "run.db"}, open_to_read);
//   out->reproduced;
//
// The journal is opened by whoever knows how; a failure to read it names it in one line.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "ports/journal.hpp"

namespace virga {

using JournalOpener = std::function<Result<std::unique_ptr<Journal>>(const std::string& path)>;

struct JournalMode {
  std::string journal;    ///< what `open` takes
  std::string json = {};  ///< a file, or "-"; empty: none
};

struct JournalOutput {
  std::string text;  ///< belongs on standard output
  bool reproduced = false;
};

Result<JournalOutput> run_journal_mode(const JournalMode& mode, const JournalOpener& open);

}  // namespace virga
