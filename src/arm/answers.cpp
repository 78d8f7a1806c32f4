// How the handlers answer: bodies, pages, operations, refusals.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/json_codec.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

/// One operation may be asked for 15 times a minute.
constexpr Duration k_poll_interval = Duration::seconds(5);

std::string operation_url(const Call& call, const Operation& operation, std::string_view more) {
  return fmt::format("{}/subscriptions/{}/providers/{}/locations/{}/operations/{}?{}api-version={}", call.base_url,
                     call.target.subscription, operation.provider, operation.location, operation.id, more,
                     call.target.query_value("api-version"));
}

std::size_t page_start(const Call& call) {
  const std::string_view token = call.target.query_value("$skiptoken");
  std::size_t start = 0;
  std::from_chars(token.data(), token.data() + token.size(), start);
  return start;
}

/// The same call with another $skiptoken, which clients write as %24skiptoken too.
std::string next_link(const Call& call, std::size_t start) {
  const std::string_view target = call.request.target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  std::string link = call.base_url + std::string(target.substr(0, mark)) + "?";
  for (std::string_view rest = target.substr(std::min(mark + 1, target.size())); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::string name = lower_case(decoded(pair.substr(0, pair.find('=')), true));
    if (name != "$skiptoken" && !pair.empty()) link.append(pair).append("&");
  }
  return fmt::format("{}$skiptoken={}", link, start);
}

}  // namespace

World::World(Scenario s, VmBackend& backend, Time now)
    : scenario(std::move(s)),
      started(now),
      random(scenario.seed),
      operations(agenda, random.split()),
      machines(scenario, agenda, operations, addresses, backend, random.split(), now) {}

Answer json_answer(int status, const json::object& body) {
  Answer answer;
  answer.status = status;
  answer.body = json_text(body);
  return answer;
}

Answer list_answer(const World& world, const Call& call, std::size_t count,
                   const std::function<json::object(std::size_t)>& item) {
  const std::size_t start = std::min(page_start(call), count);
  const std::size_t end = std::min<std::size_t>(count, start + world.scenario.page_size);
  json::object body;
  json::array& value = body["value"].emplace_array();
  value.reserve(end - start);
  for (std::size_t i = start; i < end; ++i) value.push_back(item(i));
  if (end < count) body["nextLink"] = next_link(call, end);
  return json_answer(200, body);
}

std::int64_t client_seconds(const World& world, Duration duration) {
  const std::int64_t unit = Duration::seconds(world.scenario.speed).ns;
  return std::max<std::int64_t>(1, (duration.ns + unit - 1) / unit);
}

void add_operation(Answer& answer, const World& world, const Call& call, const Operation& operation) {
  answer.headers.push_back({"Azure-AsyncOperation", operation_url(call, operation, "")});
  answer.headers.push_back({"Location", operation_url(call, operation, "monitor=true&")});
  answer.headers.push_back({"Retry-After", std::to_string(client_seconds(world, k_poll_interval))});
}

Answer accepted(const World& world, const Call& call, const Operation& operation) {
  Answer answer;
  answer.status = 202;
  add_operation(answer, world, call, operation);
  return answer;
}

Answer answer_operation(World& world, const Call& call) {
  const std::string id(call.target.name());
  const Operation* operation = world.operations.find(id);
  if (operation == nullptr) return refusal(404, "ResourceNotFound", "The operation '" + id + "' could not be found.");
  const std::string status = operation->status();
  if (call.target.query_value("monitor") == "true" && status == "InProgress") return accepted(world, call, *operation);
  if (call.target.query_value("monitor") == "true") {
    if (status == "Failed") return refusal(409, operation->error_code, operation->error_message);
    Answer done;
    done.status = operation->subject.empty() ? 200 : 204;
    const Resource* resource = world.resources.find(operation->subject);
    return resource == nullptr ? done : json_answer(200, view_of_any(world, *resource));
  }
  json::object body;
  body["name"] = operation->id;
  body["status"] = status;
  body["startTime"] = iso8601(operation->started);
  if (status != "InProgress") body["endTime"] = iso8601(operation->ended);
  if (status == "Failed") {
    body["error"] = {{"code", operation->error_code}, {"message", operation->error_message}};
  }
  Answer answer = json_answer(200, body);
  if (status == "InProgress") {
    answer.headers.push_back({"Retry-After", std::to_string(client_seconds(world, k_poll_interval))});
  }
  return answer;
}

Answer method_not_allowed(const Call& call) {
  return refusal(405, "HttpMethodNotAllowed",
                 fmt::format("The stand-in does not serve {} of '{}'.", call.request.method, call.target.path));
}

Answer not_served(const Call& call) {
  return refusal(404, "NotFound", fmt::format("The stand-in serves nothing at '{}'.", call.target.path));
}

Answer resource_not_found(const Call& call) {
  const Target& target = call.target;
  return refusal(404, "ResourceNotFound",
                 fmt::format("The Resource '{}/{}' under resource group '{}' was not found. For more details please go "
                             "to https://aka.ms/ARMResourceNotFoundFix",
                             target.full_type(), fmt::join(target.names, "/"), target.group));
}

std::optional<Answer> fail_later(World& world, const Call& call, const std::string& location) {
  if (!call.failure || call.failure->kind != FailureKind::async) return std::nullopt;
  const Operation& operation = begin_operation(world, call, location, "");
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  return accepted(world, call, operation);
}

Operation& begin_operation(World& world, const Call& call, const std::string& location, const std::string& subject) {
  Operation draft;
  draft.location = location;
  draft.subject = subject;
  draft.provider = call.target.provider.empty() ? "Microsoft.Resources" : call.target.provider;
  draft.failure = call.failure;
  return world.operations.begin(std::move(draft), call.now);
}

std::optional<Answer> check_location(const World& world, const json::object& body, std::string& location) {
  location = lower_case(text_at(body, "location"));
  location.erase(std::remove(location.begin(), location.end(), ' '), location.end());
  if (location.empty())
    return refusal(400, "LocationRequired", "The location property is required for this definition.");
  const auto& regions = world.scenario.regions;
  if (std::find(regions.begin(), regions.end(), location) != regions.end()) return std::nullopt;
  return refusal(400, "LocationNotAvailableForResourceType",
                 fmt::format("The provided location '{}' is not available. List of available regions is '{}'.",
                             location, fmt::join(regions, ",")));
}

}  // namespace virga::arm
