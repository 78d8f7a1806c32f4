// The routes, through the real client and the real controller.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include "cli/job_list.hpp"
#include "unit/http/world.hpp"
#include "wire/cost_report.hpp"
#include "wire/error_codes.hpp"
#include "wire/job_list_layout.hpp"

namespace virga::test {

namespace {

std::string error_of(const auto& result) { return result ? "no error" : result.error().message; }
std::string path_of(JobId id, const std::string& rest = "") { return "/v1/jobs/" + std::to_string(id.value) + rest; }

}  // namespace

TEST_CASE("ping, status, config, journal and the description of the API") {
  World world;
  Client client = world.client();
  auto ping = client.get_as<PingBody>("/v1/ping");
  REQUIRE_MESSAGE(ping, error_of(ping));
  CHECK(ping->version == "9.9.9");
  CHECK(ping->pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(ping->state == "up");
  auto status = client.get_as<StatusBody>("/v1/status");
  REQUIRE_MESSAGE(status, error_of(status));
  CHECK(status->home == world.temp.home.path);
  CHECK(status->pools.at(0).name == "nd");
  CHECK(status->journal.last == status->seq);
  auto config = client.get_as<Config>("/v1/config");
  REQUIRE_MESSAGE(config, error_of(config));
  CHECK(config->pools.at(0).max_nodes == 4);
  auto journal = client.get_as<JournalBody>("/v1/journal");
  REQUIRE_MESSAGE(journal, error_of(journal));
  CHECK(journal->digest.size() == 16);
  auto openapi = client.get("/v1/openapi.json");
  REQUIRE_MESSAGE(openapi, error_of(openapi));
  CHECK(JsonDocument::parse(*openapi));
}

TEST_CASE("a job's life through the API") {
  World world;
  Client client = world.client();
  JobId id = world.submit(client, world.small_job("life"));
  auto started = client.get_as<JobBody>(path_of(id, "/wait?for=started"));
  REQUIRE_MESSAGE(started, error_of(started));
  CHECK(started->job.state == JobState::running);
  CHECK(started->job.owner.uid == ::geteuid());
  auto step = client.post_as<StepStartedBody>(path_of(id, "/steps"), StartStepBody{"train", 1, 2});
  REQUIRE_MESSAGE(step, error_of(step));
  std::string end = path_of(id, "/steps/" + std::to_string(step->step_id) + "/end");
  CHECK(client.post_as<NoBody>(end, EndStepBody{{3, 0}, {}}));
  CHECK(client.post_as<NoBody>(path_of(id, "/checkpoints"), CheckpointBody{100, 5}));
  CHECK(client.post_as<NoBody>(path_of(id, "/signal"), SignalBody{10, true}));
  auto job = client.get_as<JobBody>(path_of(id));
  REQUIRE_MESSAGE(job, error_of(job));
  CHECK(job->job.steps.at(0).exit.code == 3);
  CHECK(job->job.checkpoint.step == 100);
  CHECK(client.get(path_of(id, "/script")).value() == "#!/bin/sh\ntrue\n");
  auto why = client.get_as<Explanation>(path_of(id, "/explain"));
  REQUIRE_MESSAGE(why, error_of(why));
  CHECK(why->job == id);
  auto vms = client.get_as<VmsBody>("/v1/vms");
  REQUIRE_MESSAGE(vms, error_of(vms));
  CHECK(vms->vms.at(0).name == "nd-1");
  world.end_job(id, 7);
  auto ended = client.get_as<JobBody>(path_of(id, "/wait"));
  REQUIRE_MESSAGE(ended, error_of(ended));
  CHECK(ended->job.state == JobState::failed);
  CHECK(ended->job.exit.code == 7);
  auto accounts = client.get_as<JobsBody>("/v1/accounting/jobs?ids=" + std::to_string(id.value));
  REQUIRE_MESSAGE(accounts, error_of(accounts));
  CHECK(accounts->jobs.size() == 1);
  auto lent = client.get_as<AccountedVmsBody>("/v1/accounting/vms");
  REQUIRE_MESSAGE(lent, error_of(lent));
  CHECK(lent->vms.size() == 1);
}

TEST_CASE("hold, release, cancel, drain") {
  World world;
  Client client = world.client();
  SubmitBody body = world.small_job();
  body.spec.held = true;
  JobId id = world.submit(client, body);
  CHECK(client.get_as<JobBody>(path_of(id))->job.state == JobState::pending);
  CHECK(client.post(path_of(id, "/release"), "{}"));
  CHECK(client.get_as<JobBody>(path_of(id, "/wait?for=started"))->job.state == JobState::running);
  auto hold = client.post(path_of(id, "/hold"), "");
  REQUIRE_FALSE(hold);
  CHECK(hold.error().code == Code::conflict);
  CHECK(client.post(path_of(id, "/cancel"), "{}"));
  CHECK(client.get_as<JobBody>(path_of(id, "/wait"))->job.state == JobState::cancelled);
  CHECK(client.post_as<NoBody>("/v1/nodes/nd-2", NodeBody{true, "broken fan"}));
  CHECK(client.get_as<VmsBody>("/v1/vms")->marks.at("nd-2").reason == "broken fan");
  auto unknown = client.post_as<NoBody>("/v1/nodes/no%20such", NodeBody{true, ""});
  CHECK(error_of(unknown) == "Invalid node name specified: no such");
}

TEST_CASE("many jobs are cancelled at once, and what is none of them keeps no other") {
  World world;
  Client client = world.client();
  SubmitBody held = world.small_job();
  held.spec.held = true;
  const JobId one = world.submit(client, held);
  held.spec.array.tasks = {{0, 9, 3}};
  const JobId array = world.submit(client, held);
  const std::string task = std::to_string(array.value) + "_6";
  const auto state_of = [&](std::uint32_t id) { return client.get_as<JobBody>(path_of({id}))->job.state; };
  const std::string unknown = std::to_string(array.value) + "_5";  // no task of it
  auto done = client.post_as<CancelledBody>("/v1/jobs/cancel",
                                            CancelBody{{std::to_string(one.value), "x", task, unknown, task, "4000"}});
  REQUIRE_MESSAGE(done, error_of(done));
  CHECK(state_of(one.value) == JobState::cancelled);
  CHECK(state_of(array.value) == JobState::pending);
  CHECK(state_of(array.value + 1) == JobState::pending);
  CHECK(state_of(array.value + 2) == JobState::cancelled);
  REQUIRE(done->refused.size() == 4);
  CHECK(done->refused[0].job == "x");
  CHECK(done->refused[0].message == "Invalid job id specified: x");
  CHECK(done->refused[1].job == unknown);
  CHECK(done->refused[1].code == Code::not_found);
  CHECK(done->refused[2].job == task);
  CHECK(done->refused[2].code == Code::conflict);
  CHECK(done->refused[3].job == "4000");
  CHECK(client.post_as<CancelledBody>("/v1/jobs/cancel", CancelBody{{std::to_string(array.value)}}));
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(state_of(array.value + i) == JobState::cancelled);
  CHECK(client.post_as<CancelledBody>("/v1/jobs/cancel", CancelBody{})->refused.empty());
}

TEST_CASE("the job list in the commands' own layout is the same list") {
  World world;
  Client client = world.client();
  SubmitBody held = world.small_job("held");
  held.spec.held = true;
  world.submit(client, held);
  REQUIRE(client.get(path_of(world.submit(client, world.small_job("runs")), "/wait?for=started")));
  for (const std::string query : {"", "?state=PENDING"}) {
    const auto wanted = client.get_as<JobsBody>("/v1/jobs" + query);
    const auto found = get_jobs(client, "/v1/jobs" + query);
    REQUIRE(wanted);
    REQUIRE(found);
    REQUIRE(found->jobs.size() == wanted->jobs.size());
    for (std::size_t i = 0; i < found->jobs.size(); ++i) {
      CHECK(to_json_text(found->jobs[i]) == to_json_text(wanted->jobs[i]));
    }
  }
  CHECK(client.get("/v1/jobs?layout=" + std::to_string(k_job_list_layout))->starts_with("VJOB"));
  CHECK(client.get("/v1/jobs?layout=" + std::to_string(k_job_list_layout + 1))->starts_with("{"));  // another Virga's
}

TEST_CASE("filters of the job list") {
  World world;
  Client client = world.client();
  SubmitBody held = world.small_job("held");
  held.spec.held = true;
  JobId first = world.submit(client, held);
  JobId second = world.submit(client, world.small_job("runs"));
  REQUIRE(client.get(path_of(second, "/wait?for=started")));
  auto list = [&](const std::string& query) {
    auto jobs = client.get_as<JobsBody>("/v1/jobs" + query);
    REQUIRE_MESSAGE(jobs, error_of(jobs));
    std::string names;
    for (const Job& job : jobs->jobs) names += job.spec->name + " ";
    return names;
  };
  CHECK(list("") == "held runs ");
  CHECK(list("?state=RUNNING") == "runs ");
  CHECK(list("?state=PENDING,RUNNING") == "held runs ");
  CHECK(list("?ids=" + std::to_string(first.value)) == "held ");
  CHECK(list("?partition=other") == "");
  CHECK(list("?uid=" + std::to_string(::geteuid())) == "held runs ");
  CHECK(list("?user=nobody-like-this") == "");
  CHECK(error_of(client.get("/v1/jobs?state=RUNING")).find("'RUNING' in 'state'") != std::string::npos);
  CHECK(error_of(client.get("/v1/jobs?ids=1,x")).find("'x' in 'ids'") != std::string::npos);
  CHECK(error_of(client.get("/v1/jobs?usr=x")).find("unknown query parameter 'usr'") != std::string::npos);
  CHECK(error_of(client.get("/v1/jobs?user=%zz")).find("percent-encoded") != std::string::npos);
  CHECK(error_of(client.get("/v1/accounting/jobs?ended_after=now")).find("is no time") != std::string::npos);
}

TEST_CASE("what is refused is told, and not journalled") {
  World world;
  Client client = world.client();
  auto seq = [&] { return client.get_as<PingBody>("/v1/ping")->seq; };
  Seq before = seq();
  auto refused = [&](const std::string& path, const std::string& body) {
    auto answer = client.post(path, body);
    CHECK_FALSE(answer);
    return answer ? Error{} : answer.error();
  };
  CHECK(refused("/v1/jobs", "{\"spec\":").message.find("not JSON: incomplete JSON at line 1") != std::string::npos);
  CHECK(refused("/v1/jobs", R"({"spce":{}})").message.find("unknown key 'spce'") != std::string::npos);
  CHECK(refused("/v1/jobs", R"({"spec":{"nodes":"x"}})").message.find("'spec.nodes' must be") != std::string::npos);
  CHECK(refused("/v1/jobs", R"({"spec":{"work_dir":"/"}})").message.find("batch script") != std::string::npos);
  SubmitBody body = world.small_job();
  body.payload.environment.push_back("novalue");
  CHECK(refused("/v1/jobs", to_json_text(body)).message.find("'payload.environment[1]'") != std::string::npos);
  body = world.small_job();
  body.spec.name = std::string("a\0b", 3);
  CHECK(refused("/v1/jobs", to_json_text(body)).message == "'spec.name' holds a zero byte");
  body = world.small_job();
  body.spec.nodes = 99;
  Error never = refused("/v1/jobs", to_json_text(body));
  CHECK(never.code == Code::refused);
  CHECK(refused("/v1/jobs?dry_run=true", to_json_text(body)).message == never.message);
  CHECK(refused("/v1/jobs?dry_run=perhaps", to_json_text(world.small_job())).code == Code::invalid);
  CHECK(refused("/v1/jobs/77/cancel", "").code == Code::not_found);
  CHECK(slurm_error_number(refused("/v1/jobs/77/cancel", "")) == 2017);
  CHECK(refused("/v1/jobs/x/cancel", "").message == "Invalid job id specified: x");
  CHECK(refused("/v1/jobs/1/cancel", R"({"now":true})").message.find("unknown key 'now'") != std::string::npos);
  CHECK(refused("/v1/nothing", "").code == Code::not_found);
  CHECK(refused("/v1/ping", "").message == "this path takes GET, not POST");
  CHECK(error_of(client.get("/v1/jobs/5")) == "Invalid job id specified: 5");
  CHECK(error_of(client.get("/v1/jobs/5/wait")) == "Invalid job id specified: 5");
  CHECK(error_of(client.get("/v1/jobs/5/wait?for=ever")).find("started or ended") != std::string::npos);
  const auto plan = client.post_as<SubmittedBody>("/v1/jobs?dry_run=true", world.small_job());
  REQUIRE_MESSAGE(plan, error_of(plan));
  CHECK(plan->job_id == JobId{});
  REQUIRE(plan->dry_run);
  CHECK(plan->dry_run->next_job_id == JobId{1});
  REQUIRE(plan->dry_run->offers.size() == 1);
  CHECK(plan->dry_run->offers[0].pool == "nd");
  CHECK(seq() == before);
}

TEST_CASE("cost and offers") {
  World world([](HttpOptions&, Config& config) { config.pools[0].price_per_hour = Money::usd(36); });
  Client client = world.client();
  JobId id = world.submit(client, world.small_job());
  REQUIRE(client.get(path_of(id, "/wait?for=started")));
  auto living = client.get_as<CostBody>("/v1/accounting/cost?by=job");
  REQUIRE_MESSAGE(living, error_of(living));
  REQUIRE(living->rows.size() == 1);
  CHECK(living->rows[0].job_cost > Money{});
  world.end_job(id);
  REQUIRE(client.get(path_of(id, "/wait")));
  for (const char* by : {"tenant", "user", "job", "pool"}) {
    auto cost = client.get_as<CostBody>("/v1/accounting/cost?by=" + std::string(by));
    REQUIRE_MESSAGE(cost, error_of(cost));
    REQUIRE(cost->rows.size() == 1);
    CHECK(cost->rows[0].job_cost == cost->total.job_cost);
    CHECK(cost->total.vm_cost == cost->total.job_cost + cost->total.idle_cost);
    CHECK(cost->total.vms == 1);
  }
  CHECK(error_of(client.get("/v1/accounting/cost?by=week")) == "'by' must be tenant, user, job or pool, not 'week'");
  CHECK(error_of(client.get("/v1/accounting/cost?since=soon")).find("'since'") == 0);
  auto none = client.get_as<CostBody>("/v1/accounting/cost?until=1970-01-02T00:00:00Z");
  REQUIRE_MESSAGE(none, error_of(none));
  CHECK(none->rows.empty());
  auto offers = client.get_as<OffersBody>("/v1/offers?nodes=2&gpus=8&minutes=60");
  REQUIRE_MESSAGE(offers, error_of(offers));
  REQUIRE(offers->offers.size() == 1);
  CHECK(offers->offers[0].price == Money::usd(72));
  CHECK(offers->offers[0].kind == OfferKind::ask);
  CHECK(error_of(client.get("/v1/offers?nodes=5")).find("5 nodes asked for") != std::string::npos);
  CHECK(error_of(client.get("/v1/offers?nodes=two")) == "'two' in 'nodes' is no number of the right size");
  CHECK(offers->market.empty());  // nobody knows a market here
}

TEST_CASE("the market goes with the offers, on a thread that no request waits for") {
  std::promise<void> may_answer;
  auto released = may_answer.get_future().share();
  World world([&](HttpOptions& options, Config& config) {
    config.pools[0].price_per_hour = Money::usd(36);
    config.pools[0].sku.name = "tiny";
    options.market = [released](const MarketQuery& query) {
      released.wait();
      Market market = market_of_pools(query.pools);
      MarketOffer far = market.offers.front();
      far.region = "far";
      far.price_class = Purchase::spot;
      far.quota = Quota::unknown;
      far.price_per_hour.reset();
      far.pools.clear();
      market.offers.push_back(far);
      market.failure = "the moon does not answer";
      return market;
    };
  });
  Client client = world.client();
  auto waiting = std::async(std::launch::async, [&] { return world.client().get_as<OffersBody>("/v1/offers"); });
  CHECK(client.get("/v1/ping").has_value());
  CHECK(client.get("/v1/jobs").has_value());
  may_answer.set_value();
  const auto offers = waiting.get();
  REQUIRE_MESSAGE(offers, error_of(offers));
  REQUIRE(offers->market.size() == 1);
  CHECK(offers->market[0].pools == std::vector<std::string>{"nd"});
  CHECK(offers->market_failure == "the moon does not answer");

  const auto market = client.get_as<MarketBody>("/v1/market?nodes=2");
  REQUIRE_MESSAGE(market, error_of(market));
  REQUIRE(market->offers.size() == 2);
  CHECK(market->offers[0].price_per_hour == Money::usd(36));
  CHECK(market->offers[0].wait == Duration{});
  CHECK(market->offers[1].wait == std::nullopt);
  CHECK(market->offers[1].price_per_hour == std::nullopt);
  CHECK(client.get_as<MarketBody>("/v1/market?nodes=5")->offers[0].wait == std::nullopt);
  CHECK(client.get_as<MarketBody>("/v1/market?region=FAR&sku=TINY")->offers.size() == 1);
  CHECK(client.get_as<MarketBody>("/v1/market?class=on_demand")->offers.size() == 1);
  CHECK(client.get_as<MarketBody>("/v1/market?class=reserved")->offers.empty());
  CHECK(error_of(client.get("/v1/market?class=cheap")) == "'class' must be on_demand, reserved or spot, not 'cheap'");
  CHECK(error_of(client.get("/v1/market?sku=huge")).find("no cloud of this instance has a size 'huge'") == 0);
  CHECK(error_of(client.get("/v1/market?region=near")).find("no price is known in a region 'near'") == 0);
}

TEST_CASE("the same key submits once") {
  World world;
  Client client = world.client();
  SubmitBody body = world.small_job();
  body.idempotency_key = "k";
  JobId first = world.submit(client, body);
  CHECK(world.submit(client, body) == first);
  body.idempotency_key = "other";
  CHECK(world.submit(client, body) != first);
}

TEST_CASE("a 10 MB script, 20,000 variables and bytes that are no UTF-8 arrive whole") {
  World world;
  Client client = world.client();
  SubmitBody body = world.small_job();
  body.payload.script = "#!/bin/sh\n" + std::string(10'000'000, '#') + "\xff\n";
  for (int i = 0; i < 20'000; ++i) body.payload.environment.push_back("V" + std::to_string(i) + "=x\xfey");
  JobId id = world.submit(client, body);
  CHECK(client.get(path_of(id, "/script")).value() == body.payload.script);
  REQUIRE(client.get(path_of(id, "/wait?for=started")));
  CHECK(world.journal.payloads.at(client.get_as<JobBody>(path_of(id))->job.submitted_at_seq.value - 1).environment ==
        body.payload.environment);
}

TEST_CASE("a full disk is told and passes") {
  World world;
  Client client = world.client();
  world.journal.full = true;
  auto refused = client.post("/v1/jobs", to_json_text(world.small_job()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::exhausted);
  CHECK(refused.error().retryable);
  world.journal.full = false;
  world.submit(client, world.small_job());
}

TEST_CASE("a thousand wait, and only those of the job that ends are answered") {
  // Both ends of each connection are here.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 10'000);
  ::setrlimit(RLIMIT_NOFILE, &files);
  REQUIRE(files.rlim_cur > 2'200);
  World world;
  Client client = world.client();
  JobId first = world.submit(client, world.small_job("a"));
  JobId second = world.submit(client, world.small_job("b"));
  REQUIRE(client.get(path_of(second, "/wait?for=started")));
  REQUIRE(client.get(path_of(first, "/wait?for=started")));
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 1'000; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(world.temp.home.api_socket()));
    sockets.back()->send("GET " + path_of(i == 500 ? second : first, "/wait") + " HTTP/1.1\r\n\r\n");
  }
  for (int i = 0; i < 500; ++i) sockets[static_cast<std::size_t>(i)].reset();  // clients that go away harm nobody
  world.end_job(second);
  CHECK(sockets[500]->read_until("\"state\":\"COMPLETED\"").find("200 OK") != std::string::npos);
  CHECK(client.get_as<JobBody>(path_of(first))->job.state == JobState::running);
  world.end_job(first, 1);
  for (std::size_t i = 501; i < sockets.size(); ++i) {
    REQUIRE(sockets[i]->read_until("\"state\":\"FAILED\"").find("200 OK") != std::string::npos);
  }
}

TEST_CASE("reload, backup and shutdown") {
  World world;
  Client client = world.client();
  CHECK(client.post("/v1/reload", "{}"));
  CHECK(world.reloads == 1);
  CHECK(client.post_as<NoBody>("/v1/journal/backup", BackupBody{"/tmp/copy"}));
  CHECK(world.journal.backups == std::vector<std::string>{"/tmp/copy"});
  CHECK_FALSE(client.post_as<NoBody>("/v1/journal/backup", BackupBody{"copy"}));
  JobId id = world.submit(client, world.small_job());
  REQUIRE(client.get(path_of(id, "/wait?for=started")));
  auto busy = client.post_as<NoBody>("/v1/shutdown", ShutdownBody{false});
  REQUIRE_FALSE(busy);
  CHECK(busy.error().code == Code::conflict);
  CHECK(client.post_as<NoBody>("/v1/shutdown", ShutdownBody{true}));
  CHECK(comes_true([&] { return world.journal.jobs_archived > 0; }));
}

}  // namespace virga::test
