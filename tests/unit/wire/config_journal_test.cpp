// [journal] of virga.toml.
#include "wire/config_journal.hpp"

#include <doctest/doctest.h>

#include "wire/config_toml.hpp"

namespace virga {

namespace {

std::string mistake(const std::string& text) {
  Result<JournalSettings> settings = parse_journal_settings(text, "virga.toml");
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().code == Code::invalid);
  return settings.error().message;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("config: the journal's section") {
  CHECK(parse_journal_settings("", "virga.toml")->url.empty());
  CHECK(parse_journal_settings("[pool.nd]\nmax_nodes = 3", "virga.toml")->lease == Duration::seconds(1));
  const auto settings =
      parse_journal_settings("[journal]\nurl = \"postgres://virga@db/virga\"\nlease = \"2s\"", "virga.toml");
  REQUIRE(settings);
  CHECK(settings->url == "postgres://virga@db/virga");
  CHECK(settings->lease == Duration::seconds(2));
  // Who reads the rest of the file passes over it.
  CHECK(parse_config("[journal]\nurl = \"postgres://virga@db/virga\"\n" + default_config_text(), "virga.toml", {}));
}

TEST_CASE("config: mistakes in the journal's section") {
  CHECK(contains(mistake("[journal]\nurl = \"mysql://db\""), "virga.toml:2:"));
  CHECK(contains(mistake("[journal]\nurl = \"mysql://db\""), "write postgres://user@host/database"));
  for (const char* url : {"postgres://u:s3cret@db/virga", "postgresql://db/virga?user=u&password=s3cret"}) {
    const std::string message = mistake("[journal]\nurl = \"" + std::string(url) + "\"");
    CHECK(contains(message, "PGPASSFILE"));
    CHECK_FALSE(contains(message, "s3cret"));
  }
  CHECK(contains(mistake("[journal]\nlease = \"10ms\""), "lease"));
  CHECK(contains(mistake("[journal]\nulr = \"x\""), "known are url, lease"));
}

TEST_CASE("config: words that name a journal") {
  CHECK(names_postgres("postgres://x/y"));
  CHECK(names_postgres("postgresql://x/y"));
  CHECK(names_postgres("postgres:host=/tmp dbname=x"));
  CHECK_FALSE(names_postgres("/var/postgres/journal.db"));
  CHECK_FALSE(names_postgres("postgres-of-may.db"));
  CHECK(sqlite_path("sqlite:/var/journal.db") == "/var/journal.db");
  CHECK(sqlite_path("journal.db") == "journal.db");
}

}  // namespace virga
