// The live stream: history and present without gap or repetition, resumption, limits of sight, a server that goes.
#include <doctest/doctest.h>

#include <set>

#include "unit/http/world.hpp"

namespace virga::test {

namespace {

/// Follows the stream on a thread of its own until `last` was seen.
struct Follower {
  Follower(Client c, Seq since, std::uint64_t last) : client(std::move(c)) {
    thread = std::thread([this, since, last] {
      status = client.events(since, [&](const StreamedEvent& e) {
        seen.push_back(e.seq.value);
        count = seen.size();
        return e.seq.value < last;
      });
    });
  }
  void join() { thread.join(); }
  Client client;
  std::vector<std::uint64_t> seen;
  std::atomic<std::size_t> count = 0;
  Status status;
  std::thread thread;
};

void check_consecutive(const std::vector<std::uint64_t>& seen, std::uint64_t first, std::uint64_t last) {
  REQUIRE(seen.size() == last - first + 1);
  for (std::size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i] == first + i);
}

}  // namespace

TEST_CASE("history and present join without gap or repetition, for several clients at once") {
  World world;
  Client client = world.client();
  SubmitBody held = world.small_job();
  held.spec.held = true;
  for (int i = 0; i < 1'500; ++i) world.submit(client, held);  // more than one piece of history
  const std::uint64_t base = client.get_as<PingBody>("/v1/ping")->seq.value;
  Follower all(world.client(), {0}, base + 1'000);
  Follower some(world.client(), {base - 10}, base + 1'000);
  for (int i = 0; i < 1'000; ++i) world.submit(client, held);
  all.join();
  some.join();
  CHECK(all.status.has_value());
  check_consecutive(all.seen, 1, base + 1'000);
  check_consecutive(some.seen, base - 9, base + 1'000);
}

TEST_CASE("without since only what comes; with Last-Event-ID what was missed") {
  World world;
  Client client = world.client();
  JobId id = world.submit(client, world.small_job());
  REQUIRE(client.get("/v1/jobs/" + std::to_string(id.value) + "/wait?for=started"));
  const std::uint64_t base = client.get_as<PingBody>("/v1/ping")->seq.value;
  RawSocket live(world.temp.home.api_socket());
  live.send("GET /v1/events HTTP/1.1\r\n\r\n");
  CHECK(live.read_until("\r\n\r\n").find("Content-Type: text/event-stream") != std::string::npos);
  world.end_job(id);
  std::string message = live.read_until("\n\n");
  CHECK(message.starts_with("id: " + std::to_string(base + 1) + "\nevent: job_ended\ndata: {\"seq\":"));
  RawSocket again(world.temp.home.api_socket());
  again.send("GET /v1/events?since=0 HTTP/1.1\r\nLast-Event-ID: " + std::to_string(base) + "\r\n\r\n");
  again.read_until("\r\n\r\n");
  CHECK(again.read_until("\n\n") == message);
}

TEST_CASE("a budget near its end is told once on a stream, and no client stumbles over it") {
  World world([](HttpOptions&, Config& config) {
    config.kill_wait = Duration{};
    config.pools[0].sku.price_per_hour = Money::usd(10);
    config.tenants = {{.name = "lab", .budget_period = BudgetPeriod::total, .budget = Money::usd(100)}};
  });
  Client client = world.client();
  SubmitBody body = world.small_job();
  body.spec.account = "lab";
  body.spec.time_limit = Duration::minutes(9 * 60);
  JobId id = world.submit(client, body);
  REQUIRE(client.get("/v1/jobs/" + std::to_string(id.value) + "/wait?for=started"));
  auto budgets = client.get_as<BudgetsBody>("/v1/budgets");
  REQUIRE(budgets);
  REQUIRE(budgets->budgets.size() == 1);
  CHECK(budgets->budgets[0].committed == Money::usd(90));
  CHECK(budgets->budgets[0].warning.find("tenant lab has used 90 % of its budget of 100.00 USD") == 0);
  const auto second = client.post_as<SubmittedBody>("/v1/jobs", body, Client::Retry::safe);
  REQUIRE(second);
  CHECK(second->warnings == std::vector<std::string>{budgets->budgets[0].warning});
  RawSocket live(world.temp.home.api_socket());
  live.send("GET /v1/events HTTP/1.1\r\n\r\n");
  const std::string message = live.read_until("\n\n");
  CHECK(message.find("event: budget_warning\ndata: {\"tenant\":\"lab\",\"period\":\"total\"") != std::string::npos);
  world.end_job(id);
  CHECK(live.read_until("\n\n").find("event: job_ended") != std::string::npos);
  std::uint64_t seen = 0;
  CHECK(client.events({0}, [&](const StreamedEvent& e) { return (seen = e.seq.value) < 3; }));
  CHECK(seen == 3);
}

TEST_CASE("what is compacted away is gone, what is not there yet is refused") {
  World world;
  Client client = world.client();
  for (int i = 0; i < 20; ++i) world.submit(client, world.small_job());
  std::atomic<bool> done = false;
  world.controller.view([&](const Brain&) {
    world.journal.compacted = 10;
    done = true;
  });
  REQUIRE(comes_true([&] { return done.load(); }));
  RawSocket raw(world.temp.home.api_socket());
  raw.send("GET /v1/events?since=3 HTTP/1.1\r\nConnection: close\r\n\r\n");
  std::string answer = raw.read_all();
  CHECK(answer.starts_with("HTTP/1.1 410 Gone"));
  CHECK(answer.find("since=10") != answer.npos);
  auto gone = client.events({3}, [](const StreamedEvent&) { return true; });
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Code::conflict);
  CHECK(gone.error().message.find("compacted") != std::string::npos);
  CHECK(client.events({10}, [](const StreamedEvent& e) {
    CHECK(e.seq.value == 11);
    return false;
  }));
  CHECK_FALSE(client.events({1'000'000}, [](const StreamedEvent&) { return true; }));
  CHECK_FALSE(client.get("/v1/events?since=x"));
}

TEST_CASE("a stream survives a restart of the server, and resumes where it was") {
  World world;
  Client client = world.client();
  world.submit(client, world.small_job());
  const std::uint64_t base = client.get_as<PingBody>("/v1/ping")->seq.value;
  Follower follower(world.client(), {0}, base + 40);
  REQUIRE(comes_true([&] { return follower.count >= 1; }));
  world.server->stop();
  HttpOptions options;
  options.home = world.temp.home;
  options.daemon_uid = ::geteuid();
  auto second = HttpServer::start(options, world.controller);
  REQUIRE(second);
  world.server = *std::move(second);
  SubmitBody held = world.small_job();
  held.spec.held = true;
  for (int i = 0; i < 60; ++i) world.submit(client, held);
  follower.join();
  REQUIRE(follower.status);
  check_consecutive(follower.seen, 1, follower.seen.back());
}

TEST_CASE("long polls are told when the server goes") {
  World world;
  Client client = world.client();
  JobId id = world.submit(client, world.small_job());
  REQUIRE(client.get("/v1/jobs/" + std::to_string(id.value) + "/wait?for=started"));
  RawSocket raw(world.temp.home.api_socket());
  raw.send("GET /v1/jobs/" + std::to_string(id.value) + "/wait HTTP/1.1\r\n\r\n");
  // Another request on the same connection shows that the first was taken.
  RawSocket probe(world.temp.home.api_socket());
  probe.send("GET /v1/ping HTTP/1.1\r\n\r\n");
  probe.read_until("\"state\"");
  client.get("/v1/ping").value();
  world.server->stop();
  std::string answer = raw.read_all();
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.find("going down") != answer.npos);
}

TEST_CASE("without a daemon the message says what to do") {
  TempHome temp;
  Client client = Client::on_socket(temp.home.api_socket());
  auto answer = client.get("/v1/ping");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unavailable);
  CHECK(answer.error().message.find(temp.home.api_socket()) != std::string::npos);
  CHECK(answer.error().message.find("virga up") != std::string::npos);
  Client tcp = Client::on_tcp("127.0.0.1", "1", "t");
  tcp.set_patience({});
  answer = tcp.get("/v1/ping");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unavailable);
}

TEST_CASE("a stream of events comes apart into messages, however it is cut") {
  std::string text = ": hello\nid: 1\nevent: a\ndata: {}\n\nid:2\r\ndata: x\r\ndata: y\r\n\r\n: heartbeat\n\nid: 3\n";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    EventStreamParser parser;
    std::vector<EventStreamParser::Message> all;
    for (std::size_t at = 0; at < text.size(); at += cut) {
      for (auto& m : parser.feed(std::string_view(text).substr(at, cut))) all.push_back(m);
    }
    REQUIRE(all.size() == 2);
    CHECK(all[0].id == "1");
    CHECK(all[0].name == "a");
    CHECK(all[0].data == "{}");
    CHECK(all[1].id == "2");
    CHECK(all[1].data == "x\ny");
  }
}

}  // namespace virga::test
