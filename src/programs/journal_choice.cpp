#include "programs/journal_choice.hpp"

#include <unistd.h>

#include <cstdio>

#include "cli/journal_verbs.hpp"
#include "journals/postgres/postgres_journal.hpp"
#include "journals/sqlite/sqlite_journal.hpp"

namespace virga {

namespace {

/// A backup of any journal is an SQLite file, which needs no server to be read.
Status back_up_to_sqlite(Journal& journal, const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) {
    return fail(Code::conflict, "cannot back up to " + path + ": it exists; name a file that does not");
  }
  Result<std::unique_ptr<Journal>> copy = open_sqlite_journal(path, OpenMode::create_or_open);
  if (!copy) return unexpected(copy.error());
  Status copied = (*copy)->import(journal);
  copy->reset();
  unlink((path + ".lock").c_str());
  if (!copied) unlink(path.c_str());
  return copied;
}

PostgresOptions postgres_options(const std::string& url) {
  PostgresOptions options;
  options.url = url;
  options.backup = back_up_to_sqlite;
  options.say = [](const std::string& line) { std::fprintf(stderr, "virgad: %s\n", line.c_str()); };
  return options;
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

Result<ChosenJournal> open_chosen_journal(const Home& home, const JournalSettings& settings, const ControllerId& self) {
  if (settings.url.empty()) {
    auto journal = open_sqlite_journal(home.journal(), OpenMode::create_or_open);
    if (!journal) return unexpected(journal.error());
    return ChosenJournal{*std::move(journal), nullptr};
  }
  PostgresOptions options = postgres_options(settings.url);
  options.lease = settings.lease;
  options.self = self;
  options.self.host = host_name();
  options.self.pid = static_cast<std::uint32_t>(getpid());
  Result<PostgresStandby> standby = open_postgres_standby(std::move(options));
  if (!standby) return unexpected(standby.error());
  return ChosenJournal{std::move(standby->journal), std::move(standby->leadership)};
}

Result<std::unique_ptr<Journal>> open_named_journal(const std::string& name, OpenMode mode) {
  if (names_postgres(name)) {
    PostgresOptions options = postgres_options(name);
    options.self = {"virga journal", host_name(), 0, "", ""};
    options.say = nullptr;
    return open_postgres_journal(std::move(options), mode);
  }
  return open_sqlite_journal(sqlite_path(name), mode);
}

int any_journal_main(int argc, char** argv) {
  JournalAccess access;
  access.open = open_named_journal;
  access.restore = restore_sqlite_journal;
  access.own_journal = [](const Home& home) -> Result<std::string> {
    Result<JournalSettings> settings = read_journal_settings(home);
    if (!settings) return unexpected(settings.error());
    return settings->url.empty() ? home.journal() : settings->url;
  };
  return journal_main(argc, argv, access);
}

}  // namespace virga
