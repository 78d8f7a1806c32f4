// Which journal: the SQLite file of the instance, or PostgreSQL, as virga.toml and the command line say.
#pragma once

#include <memory>
#include <string>

#include "ports/journal.hpp"
#include "ports/leadership.hpp"
#include "wire/config_journal.hpp"
#include "wire/home.hpp"

namespace virga {

struct ChosenJournal {
  std::unique_ptr<Journal> journal;
  std::shared_ptr<Leadership> leadership;  ///< null: this process has the journal alone
};

/// The instance's own, to run it.
Result<ChosenJournal> open_chosen_journal(const Home& home, const JournalSettings& settings, const ControllerId& self);

/// `name`: a path, sqlite:PATH, postgres://… or postgres:URL.
Result<std::unique_ptr<Journal>> open_named_journal(const std::string& name, OpenMode mode);

/// `virga journal …` over both kinds.
int any_journal_main(int argc, char** argv);

}  // namespace virga
