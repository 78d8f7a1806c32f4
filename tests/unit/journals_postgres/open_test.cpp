// What can be wrong with a journal's url, its server and its tables.
#include "unit/journals_postgres/helpers.hpp"

namespace virga {

namespace jc = journal_contract;
using test::contains;

namespace {

Error open_error(const std::string& url, OpenMode mode = OpenMode::create_or_open) {
  Result<std::unique_ptr<Journal>> journal = open_postgres_journal(test::options(url), mode);
  REQUIRE_FALSE(journal.has_value());
  return journal.error();
}

}  // namespace

TEST_CASE("postgres journal: urls that lead nowhere") {
  CHECK(open_error("postgres://u:s3cret@[::1").code == Code::invalid);
  CHECK_FALSE(contains(open_error("postgres://u:s3cret@[::1").message, "s3cret"));
  const Error nobody = open_error("postgres://u:s3cret@/db?host=/nonexistent");
  CHECK(nobody.code == Code::unavailable);
  CHECK(nobody.retryable);
  CHECK_MESSAGE(contains(nobody.message, "/nonexistent"), nobody.message);
  CHECK_FALSE(contains(nobody.message, "s3cret"));
}

TEST_CASE("postgres journal: databases that hold none, or another one") {
  if (test::skips()) return;
  test::PostgresServer& server = test::shared_server();
  const std::string url = test::fresh_database();
  const std::string database = test::database_of(url);
  CHECK(open_error("postgres://virga@/nowhere?host=" + server.folder()).code == Code::not_found);
  CHECK(open_error("postgres://stranger@/postgres?host=" + server.folder()).code == Code::denied);
  CHECK(open_error(url, OpenMode::read_only).code == Code::not_found);
  CHECK(open_error(url, OpenMode::open_existing).code == Code::not_found);
  {
    auto journal = test::open_or_fail(url);
    REQUIRE(journal->append(jc::entries(1, 5), {}, {}));
    CHECK(open_postgres_journal(test::options(url), OpenMode::read_only).has_value());
  }
  SUBCASE("of a newer Virga") {
    REQUIRE(server.sql("INSERT INTO virga.schema_versions VALUES (1000, 'virga 99')", database) == 0);
    const Error newer = open_error(url);
    CHECK(newer.code == Code::refused);
    CHECK_MESSAGE(contains(newer.message, "newer Virga"), newer.message);
  }
  SUBCASE("damaged: a changed record, a missing one, a lost table") {
    auto journal = test::open_or_fail(url, OpenMode::read_only);
    REQUIRE(server.sql("UPDATE virga.events SET record = record || '\\x00' WHERE seq = 3", database) == 0);
    Error error = journal->verify().error();
    CHECK(error.code == Code::corrupt);
    CHECK_MESSAGE(contains(error.message, "event 3 does not match its CRC-32C"), error.message);
    REQUIRE(server.sql("DELETE FROM virga.events WHERE seq = 3", database) == 0);
    CHECK_MESSAGE(contains(journal->verify().error().message, "event 3 is missing; event 4 follows"), "a gap");
    REQUIRE(server.sql("DROP TABLE virga.events", database) == 0);
    CHECK(journal->verify().error().code == Code::corrupt);
  }
  SUBCASE("a reader changes nothing") {
    auto reader = test::open_or_fail(url, OpenMode::read_only);
    CHECK(reader->append(jc::entries(6, 1), {}, {}).error().code == Code::denied);
    CHECK(reader->compact().error().code == Code::denied);
    CHECK(jc::count_from(*reader, 0, 1) == 5);
  }
}

TEST_CASE("postgres journal: a server without fsync is refused") {
  test::PostgresServer server({"fsync=off"});
  if (test::skips(server)) return;
  const Error error = open_error(server.make_database("j"));
  CHECK(error.code == Code::refused);
  CHECK_MESSAGE(contains(error.message, "fsync = on"), error.message);
}

}  // namespace virga
