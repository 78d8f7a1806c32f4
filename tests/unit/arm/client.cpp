#include "unit/arm/client.hpp"

#include <boost/json.hpp>

namespace virga::arm::test {
namespace {

Reply reply_of(Answer answer) {
  Reply reply;
  reply.raw = std::move(answer);
  if (Result<Document> body = parse_document(reply.raw.body)) reply.body = std::move(*body);
  return reply;
}

}  // namespace

const boost::json::array& Reply::items() const {
  const boost::json::array* items = array_at(*body, "value");
  REQUIRE_MESSAGE(items != nullptr, raw.body);
  return *items;
}

Scenario scenario_of(std::string_view toml) {
  const Result<Scenario> scenario = parse_scenario(toml, "test.toml");
  REQUIRE_MESSAGE(scenario, scenario.error().message);
  return *scenario;
}

Reply Client::send(const std::string& method, std::string target, const std::string& body) {
  if (target.starts_with("/resource") || target.starts_with("/providers")) target = prefix + target;
  if (target.find("api-version") == std::string::npos) {
    target += (target.find('?') == std::string::npos ? "?api-version=" : "&api-version=") + version;
  }
  return reply_of(azure.handle({method, target, {{"Host", "arm.test"}, {"Authorization", "Bearer test"}}, body}, now));
}

Reply Client::operation_of(const Reply& reply) {
  const std::string url = reply.header("Azure-AsyncOperation");
  REQUIRE(url.starts_with("https://arm.test/"));
  return get(url.substr(16));
}

Reply Client::admin(const std::string& what, const std::string& body) {
  return reply_of(azure.handle({body.empty() ? "GET" : "POST", "/admin/" + what, {}, body}, now));
}

Reply Client::metadata(const std::string& method, const std::string& target, const std::string& body) {
  return reply_of(azure.handle_metadata({method, target, {{"metadata", "true"}}, body}, now));
}

std::string set_body(int capacity, const std::string& profile, std::string_view size) {
  return R"({"location": "eastus", "tags": {"job": "7"}, "sku": {"name": ")" + std::string(size) +
         R"(", "capacity": )" + std::to_string(capacity) +
         R"(}, "properties": {"singlePlacementGroup": true, "overprovision": false, "virtualMachineProfile": {)" +
         R"("osProfile": {"computerNamePrefix": "nd", "adminUsername": "virga", "adminPassword": "secret",)" +
         R"( "customData": "aGVsbG8="})" + profile + "}}}";
}

}  // namespace virga::arm::test
