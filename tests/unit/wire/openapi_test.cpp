// The OpenAPI document is complete JSON whose references all lead somewhere, and the route table finds what it lists.
#include "wire/openapi.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/foreign.hpp"
#include "wire/api_bodies.hpp"
#include "wire/api_routes.hpp"
#include "wire/api_schema.hpp"
#include "wire/event_json.hpp"

using virga::JsonNode;

namespace {

void collect_references(JsonNode node, std::set<std::string>& out) {
  if (node.kind() == JsonNode::Kind::array) {
    for (std::size_t i = 0; i < node.size(); ++i) collect_references(node.element(i), out);
  }
  if (node.kind() != JsonNode::Kind::object) return;
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (node.name(i) == "$ref") out.insert(std::string(node.member(i).string()));
    collect_references(node.member(i), out);
  }
}

}  // namespace

TEST_CASE("the document names every route, and every reference is defined") {
  auto document = virga::JsonDocument::parse(virga::openapi_text("1.2.3"));
  REQUIRE(document);
  JsonNode root = document->root();
  CHECK(root.find("openapi").string() == "3.1.0");
  CHECK(root.find("info").find("version").string() == "1.2.3");
  std::set<std::string> names;
  for (const virga::Route& route : virga::api_routes()) {
    JsonNode path = root.find("paths").find(route.path);
    REQUIRE_MESSAGE(path, route.path);
    JsonNode operation = path.find(route.method == "GET" ? "get" : "post");
    REQUIRE_MESSAGE(operation, route.path);
    CHECK(operation.find("operationId").string() == route.name);
    CHECK_MESSAGE(names.insert(std::string(route.name)).second, "operationId twice: ", route.name);
    CHECK(operation.find("responses").find(std::to_string(route.status)));
  }
  JsonNode schemas = root.find("components").find("schemas");
  std::set<std::string> references;
  collect_references(root, references);
  CHECK(references.size() > 20);
  for (const std::string& reference : references) {
    std::string prefix = "#/components/schemas/";
    REQUIRE(reference.starts_with(prefix));
    CHECK_MESSAGE(schemas.find(reference.substr(prefix.size())), reference);
  }
}

TEST_CASE("schemas follow visit()") {
  virga::SchemaBook book;
  CHECK(book.schema<virga::Job>() == R"({"$ref":"#/components/schemas/Job"})");
  CHECK(book.schemas().contains("JobSpec"));
  CHECK(book.schemas().contains("Resources"));
  auto spec = virga::JsonDocument::parse(book.schemas().at("JobSpec"));
  REQUIRE(spec);
  JsonNode properties = spec->root().find("properties");
  CHECK(properties.find("nodes").find("default").unsigned_integer() == 1u);
  CHECK(properties.find("time_limit").find("$ref").string() == "#/components/schemas/Duration");
  auto state = virga::JsonDocument::parse(book.schemas().at("JobState"));
  REQUIRE(state);
  CHECK(state->root().find("enum").size() == std::size(virga::EnumNames<virga::JobState>::names));
}

TEST_CASE("routes are found by method and path") {
  auto match = virga::match_route("GET", "/v1/jobs/17/wait");
  REQUIRE(match.route);
  CHECK(match.route->operation == virga::Operation::wait);
  CHECK(match.parameters == std::vector<std::string_view>{"17"});
  match = virga::match_route("POST", "/v1/jobs/17/steps/3/end");
  REQUIRE(match.route);
  CHECK(match.parameters == std::vector<std::string_view>{"17", "3"});
  match = virga::match_route("DELETE", "/v1/jobs");
  CHECK_FALSE(match.route);
  CHECK(match.allowed == "GET, POST");
  for (const char* path :
       {"/", "", "/v1", "/v1/jobs/", "/v1/jobs//wait", "/v1/jobs/1/wait/", "/v1/jobs/1/2", "/v2/ping"}) {
    match = virga::match_route("GET", path);
    CHECK_MESSAGE((match.route == nullptr && match.allowed.empty()), path);
  }
}

TEST_CASE("events survive JSON") {
  virga::JobEnded ended{{7}, 2, {1, 9}, {}};
  std::string text = virga::event_json({5}, {virga::Time::from_seconds(9), ended});
  auto back = virga::event_from_json(text);
  REQUIRE(back);
  CHECK(back->seq.value == 5);
  CHECK(virga::event_json(back->seq, back->event) == text);
  CHECK(std::get<virga::JobEnded>(back->event.body).exit == ended.exit);
  CHECK_FALSE(virga::event_from_json("{}"));
  CHECK_FALSE(virga::event_from_json("7"));
}

TEST_CASE("the status counts what is there") {
  virga::State state;
  state.config.pools.emplace_back().name = "p";
  state.config.pools[0].sku.price_per_hour = virga::Money::usd(10);
  state.vms[{1}].pool = "p";
  state.vms[{1}].state = virga::VmState::ready;
  state.vms[{1}].granted = virga::Time::from_seconds(1000);
  state.vms[{2}].pool = "gone";
  for (const std::uint32_t node : {1, 2}) {
    virga::Vm& vm = state.vms[{node}];
    vm.name = "nd" + std::to_string(node);
    vm.drained = true;
    vm.drain_reason = virga::foreign_reason({{9, "bob"}, {node, "ada"}});
  }
  state.jobs[{1}].state = virga::JobState::running;
  virga::StatusBody body = virga::status_of(state, virga::Time::from_seconds(1000 + 1800));
  CHECK(body.vms.total == 2);
  CHECK(body.vms.ready == 1);
  REQUIRE(body.pools.size() == 2);
  CHECK(body.pools[0].name == "p");
  REQUIRE(body.foreign.size() == 3);
  CHECK(body.foreign[0].nodes == "nd1");
  CHECK(body.foreign[1].user == "ada");
  CHECK(body.foreign[2].job == 9);
  CHECK(body.foreign[2].user == "bob");
  CHECK(body.foreign[2].nodes == "nd[1-2]");
  CHECK(body.pools[1].name == "gone");
  CHECK(body.jobs.at("RUNNING") == 1);
  CHECK(body.jobs.at("FAILED") == 0);
  CHECK(body.cost_usd == virga::Money::usd(5));
  CHECK(body.cost_per_hour_usd == virga::Money::usd(10));
}
