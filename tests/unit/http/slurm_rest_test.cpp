// Slurm's REST interface, through the real client and the real controller.
#include "wire/slurm_rest.hpp"

#include <doctest/doctest.h>

#include "unit/http/world.hpp"

namespace virga::test {

namespace {

/// What the client makes of a failure: the body of 22.05's documents is no problem document, so the code is all of it.
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string v38(const std::string& rest) { return "/slurm/v0.0.38" + rest; }
std::string db38(const std::string& rest) { return "/slurmdb/v0.0.38" + rest; }

}  // namespace

TEST_CASE("paths of Slurm's REST interface") {
  CHECK(is_slurm_rest("/slurm/v0.0.38/ping"));
  CHECK_FALSE(is_slurm_rest("/v1/jobs"));
  SlurmRestMatch job = match_slurm_rest("DELETE", "/slurm/v0.0.38/job/7");
  REQUIRE(job.route != nullptr);
  CHECK(job.route->operation == SlurmOperation::cancel_job);
  CHECK(job.parameters.at(0) == "7");
  CHECK(match_slurm_rest("POST", "/slurm/v0.0.38/job/submit").route->operation == SlurmOperation::submit_job);
  CHECK(match_slurm_rest("GET", "/slurm/v0.0.37/ping").route == nullptr);
  SlurmRestMatch put = match_slurm_rest("PUT", "/slurm/v0.0.38/ping");
  CHECK(put.route == nullptr);
  CHECK(put.known_path);
  CHECK_FALSE(match_slurm_rest("GET", "/slurm/v0.0.38/nothing").known_path);
  CHECK_FALSE(match_slurm_rest("GET", "/slurmdb/v0.0.38/ping").known_path);
  CHECK(match_slurm_rest("GET", "/slurmdb/v0.0.38/qos/high").route->operation == SlurmOperation::qos);
}

TEST_CASE("every path answers with a document of its plugin") {
  World world;
  Client client = world.client();
  for (const SlurmRestRoute& route : slurm_rest_routes()) {
    if (route.method != "GET" || has(std::string(route.path), "{") || route.operation == SlurmOperation::association) {
      continue;
    }
    const std::string target = "/" + std::string(route.root) + "/v0.0.38" + std::string(route.path);
    CAPTURE(target);
    auto text = client.get(target);
    REQUIRE_MESSAGE(text, text.error().message);
    CHECK(JsonDocument::parse(*text));
    CHECK(has(*text, route.root == "slurm" ? "\"openapi/v0.0.38\"" : "\"openapi/dbv0.0.38\""));
    CHECK(has(*text, "\"errors\":[]"));
  }
}

TEST_CASE("a job through Slurm's REST interface") {
  World world;
  Client client = world.client();
  JobId id = world.submit(client, world.small_job("life"));
  const std::string number = std::to_string(id.value);
  CHECK(client.get("/v1/jobs/" + number + "/wait?for=started"));
  auto job = client.get(v38("/job/" + number));
  REQUIRE(job);
  CHECK(has(*job, "\"job_id\":" + number + ","));
  CHECK(has(*job, "\"job_state\":\"RUNNING\""));
  CHECK(has(client.get(v38("/jobs")).value(), "\"name\":\"life\""));
  CHECK(has(client.get(v38("/node/nd-1")).value(), "\"name\":\"nd-1\""));
  CHECK_FALSE(has(client.get(v38("/node/nd-1")).value(), "\"name\":\"nd-2\""));
  CHECK_FALSE(client.get(v38("/node/zz")));
  CHECK_FALSE(client.get(v38("/job/999")));
  CHECK_FALSE(client.get(v38("/job/abc")));
  CHECK(has(client.get(v38("/partition/main")).value(), "\"total_nodes\":4"));
  CHECK_FALSE(client.get(v38("/partition/zz")));
  auto accounted = client.get(db38("/job/" + number));
  REQUIRE(accounted);
  CHECK(has(*accounted, "\"current\":\"RUNNING\""));
  CHECK(has(client.get(db38("/job/999")).value(), "Nothing found"));
}

TEST_CASE("the policy as Slurm's database") {
  World world([](HttpOptions&, Config& config) {
    config.tenants = {{.name = "science"}, {.name = "physics", .parent = "science", .shares = 3, .users = {"ada"}}};
    config.qos = {{.name = "urgent", .priority = 1'000, .max_jobs_per_user = 2}};
  });
  Client client = world.client();
  const std::string associations = client.get(db38("/associations")).value();
  CHECK(has(associations, "\"account\":\"physics\""));
  CHECK(has(associations, "\"parent_account\":\"science\""));
  CHECK(has(associations, "\"shares_raw\":3"));
  CHECK(has(client.get(db38("/association?account=physics&user=ada")).value(), "\"user\":\"ada\""));
  CHECK_FALSE(client.get(db38("/association?account=zz")));
  CHECK_FALSE(client.get(db38("/association")));  // ambiguous
  CHECK(has(client.get(db38("/user/ada")).value(), "\"account\":\"physics\""));
  CHECK_FALSE(client.get(db38("/user/zz")));
  CHECK(has(client.get(db38("/account/science")).value(), "\"name\":\"science\""));
  CHECK_FALSE(has(client.get(db38("/account/science")).value(), "\"name\":\"physics\""));
  const std::string qos = client.get(db38("/qos/urgent")).value();
  CHECK(has(qos, "\"active_jobs\":{\"per\":{\"account\":null,\"user\":2}}"));
  CHECK(has(qos, "\"usage_factor\":1.0"));
  CHECK(has(client.get(db38("/qos/zz")).value(), "\"QOS\":[]"));
  CHECK_FALSE(client.post(db38("/accounts"), R"({"accounts":[]})"));
}

}  // namespace virga::test
