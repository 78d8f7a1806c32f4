#include "wire/config_journal.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr Duration k_lease_least = Duration::milliseconds(500);
constexpr Duration k_lease_most = Duration::minutes(1);

/// Between the scheme and the @ of postgres://user:secret@host, or as a parameter.
bool has_password(std::string_view url) {
  const std::size_t begin = url.find("://") + 3;
  const std::string_view authority = url.substr(begin, url.find('/', begin) - begin);
  const std::size_t at = authority.find('@');
  return (at != authority.npos && authority.substr(0, at).find(':') != authority.npos) ||
         url.find("password=") != url.npos;
}

void read_journal(const toml::table& root, JournalSettings& settings, Mistakes& mistakes) {
  TomlSection top(root, "", mistakes);
  const auto* table = top.table("journal");
  if (table == nullptr) return;
  TomlSection section(*table, "journal", mistakes);
  if (section.long_text("url", settings.url)) {
    if (!settings.url.starts_with("postgres://") && !settings.url.starts_with("postgresql://")) {
      section.wrong("url",
                    "only journals in PostgreSQL have one; write postgres://user@host/database, or leave it out "
                    "for the file journal.db");
    } else if (has_password(settings.url)) {
      section.wrong("url",
                    "it has a password in it, and many may read this file; put it into the file that PGPASSFILE "
                    "names, or ~/.pgpass");
    }
  }
  section.duration("lease", settings.lease, {k_lease_least, k_lease_most});
  section.finish();
}

}  // namespace

Result<JournalSettings> parse_journal_settings(std::string_view text, const std::string& file_name) {
  const Result<toml::table> root = parse_toml(text, file_name);
  if (!root) return unexpected(root.error());
  Mistakes mistakes(file_name);
  JournalSettings settings;
  read_journal(*root, settings, mistakes);
  if (mistakes.any()) return fail(Code::invalid, mistakes.text());
  return settings;
}

Result<JournalSettings> read_journal_settings(const Home& home) {
  std::ifstream file(home.config());
  if (!file) return JournalSettings{};  // what is wrong with it is told by who reads all of it
  return parse_journal_settings(std::string(std::istreambuf_iterator<char>(file), {}), home.config());
}

bool names_postgres(std::string_view journal) {
  return journal.starts_with("postgres:") || journal.starts_with("postgresql:");
}

std::string sqlite_path(std::string_view journal) {
  constexpr std::string_view k_prefix = "sqlite:";
  return std::string(journal.starts_with(k_prefix) ? journal.substr(k_prefix.size()) : journal);
}

}  // namespace virga
