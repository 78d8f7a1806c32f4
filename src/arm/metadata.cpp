// The instance metadata service: /metadata/… of the VM that asks. A real VM has it at 169.254.169.254; here each VM has
// a path of its own, /vm/NAME-OR-ID/metadata/…; without that prefix it is the virtual node that asks, or else the
// machine that the client itself runs on, which has an identity and nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/stand_in.hpp"
#include "arm/text.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

Answer bad_request(std::string_view error) {
  Answer answer = json_answer(400, {{"error", error}});
  return answer;
}

json::object instance_of(World& world, const Machine& machine) {
  const Target id = parse_target(machine.spec.id);
  const Resource* set = world.resources.find(machine.spec.set);
  json::object compute;
  compute["azEnvironment"] = "AzurePublicCloud";
  compute["location"] = machine.spec.location;
  compute["name"] = machine.spec.name;
  compute["osType"] = "Linux";
  compute["priority"] = machine.spec.spot ? "Spot" : "Regular";
  compute["evictionPolicy"] = !machine.spec.spot ? "" : machine.spec.eviction_deletes ? "Delete" : "Deallocate";
  compute["resourceGroupName"] = id.group;
  compute["resourceId"] = machine.spec.id;
  compute["subscriptionId"] = world.scenario.subscription;
  compute["vmId"] = machine.vm_id;
  compute["vmScaleSetName"] = set == nullptr ? "" : set->name;
  compute["vmSize"] = machine.spec.size->name;
  compute["zone"] = machine.spec.zone;
  compute["platformFaultDomain"] = "0";
  compute["platformUpdateDomain"] = "0";
  std::string tags;
  json::array& list = compute["tagsList"].emplace_array();
  const Resource* tagged = set == nullptr ? world.resources.find(machine.spec.id) : set;
  const json::object* all = tagged == nullptr ? nullptr : object_at(*tagged->body, "tags");
  if (all != nullptr) {
    for (const auto& [key, value] : *all) {
      const std::string text = value.is_string() ? value.get_string().c_str() : "";
      tags += fmt::format("{}{}:{}", tags.empty() ? "" : ";", std::string(key), text);
      list.push_back({{"name", key}, {"value", text}});
    }
  }
  compute["tags"] = tags;
  json::object address = {{"privateIpAddress", machine.address}, {"publicIpAddress", ""}};
  json::object interface;
  interface["ipv4"] = {{"ipAddress", json::array({std::move(address)})}, {"subnet", json::array()}};
  interface["ipv6"] = {{"ipAddress", json::array()}};
  return {{"compute", std::move(compute)}, {"network", {{"interface", json::array({std::move(interface)})}}}};
}

/// /metadata/instance/compute/vmId: one value of the whole document.
Answer instance_answer(World& world, const Machine& machine, const Target& target) {
  json::value value = instance_of(world, machine);
  for (std::size_t i = 2; i < target.segments.size(); ++i) {
    const std::string& word = target.segments[i];
    json::value* next = nullptr;
    if (json::object* object = value.if_object()) next = object->if_contains(word);
    json::array* array = value.if_array();
    if (array != nullptr && word.size() == 1 && word[0] >= '0' && std::size_t(word[0] - '0') < array->size()) {
      next = &array->at(static_cast<std::size_t>(word[0] - '0'));
    }
    if (next == nullptr) return refusal(404, "NotFound", "no '" + word + "' in the metadata of this instance");
    value = json::value(*next);
  }
  Answer answer;
  const bool plain = target.query_value("format") == "text" && value.is_string();
  answer.body = plain ? std::string(value.get_string().c_str()) : json::serialize(value);
  if (plain) answer.content_type = "text/plain; charset=utf-8";
  return answer;
}

Answer events_answer(const Machine& machine) {
  json::object body;
  body["DocumentIncarnation"] = machine.event_document;
  json::array& events = body["Events"].emplace_array();
  for (const ScheduledEvent& event : machine.events) {
    events.push_back({{"EventId", event.id},
                      {"EventType", event.type},
                      {"ResourceType", "VirtualMachine"},
                      {"Resources", json::array({json::string(machine.spec.name)})},
                      {"EventStatus", "Scheduled"},
                      {"NotBefore", http_date(event.not_before)},
                      {"Description", "The Spot VM is evicted."},
                      {"EventSource", "Platform"},
                      {"DurationInSeconds", -1}});
  }
  return json_answer(200, body);
}

Answer approve_events(World& world, const Machine& machine, const Request& request, Time now) {
  const Result<Document> body = parse_document(request.body);
  if (!body) return bad_request(body.error().message);
  const json::array* starts = array_at(**body, "StartRequests");
  if (starts == nullptr) return bad_request("StartRequests is missing");
  const MachineNumber number = machine.number;
  std::vector<std::string> ids;
  for (const json::value& start : *starts) {
    const std::string id = start.is_object() ? text_at(start.get_object(), "EventId") : "";
    const bool known = std::any_of(machine.events.begin(), machine.events.end(),
                                   [&](const ScheduledEvent& event) { return event.id == id; });
    if (!known) return bad_request("no event has the id '" + id + "'");
    ids.push_back(id);
  }
  for (const std::string& id : ids) world.machines.approve_event(number, id, now);
  return Answer{};
}

}  // namespace

Answer ambiguous_name(std::string_view name, const std::vector<const Machine*>& machines) {
  std::string ids;
  for (const Machine* machine : machines)
    ids += fmt::format("{}{} ({})", ids.empty() ? "" : ", ", machine->vm_id, machine->spec.id);
  return refusal(409, "AmbiguousName",
                 fmt::format("several VMs are named '{}'; write one of these ids: {}", name, ids));
}

Answer answer_metadata(World& world, Login& login, const Request& request, Time now) {
  Target target = parse_target(request.target);
  const Machine* machine = nullptr;
  if (target.segments.size() > 2 && same_word(target.segments[0], "vm")) {
    const auto found = world.machines.named(target.segments[1]);
    if (found.empty()) return refusal(404, "NotFound", "there is no VM '" + target.segments[1] + "'");
    if (found.size() > 1) return ambiguous_name(target.segments[1], found);
    machine = found.front();
    target.segments.erase(target.segments.begin(), target.segments.begin() + 2);
  } else if (!request.node.empty()) {
    machine = world.machines.at_address(request.node);
  }
  const auto word = [&](std::size_t i) { return i < target.segments.size() ? lower_case(target.segments[i]) : ""; };
  if (word(0) != "metadata") return refusal(404, "NotFound", "the metadata service is at /vm/NAME/metadata/");
  if (!same_word(request.header("Metadata"), "true")) {
    return bad_request("Bad request. Required metadata header not specified or not correct");
  }
  if (target.query_value("api-version").empty()) {
    return bad_request("Bad request. api-version was not specified in the request");
  }
  if (word(1) == "identity") {
    return login.managed_identity(request, target, machine == nullptr ? "managed-identity" : machine->vm_id, now);
  }
  if (machine == nullptr) return refusal(404, "NotFound", "this is of a VM: ask at /vm/NAME/metadata/");
  if (word(1) == "instance") return instance_answer(world, *machine, target);
  if (word(1) == "scheduledevents" && request.method == "GET") return events_answer(*machine);
  if (word(1) == "scheduledevents" && request.method == "POST") return approve_events(world, *machine, request, now);
  return refusal(404, "NotFound", "the metadata service has no '" + target.path + "'");
}

std::uint32_t evict_machines(World& world, const std::string& set, std::uint32_t count, Duration notice, Time now) {
  std::vector<MachineNumber> chosen;
  for (const auto& [number, machine] : world.machines.all()) {
    if (chosen.size() >= count) break;
    const std::string name = machine.spec.set.substr(machine.spec.set.rfind('/') + 1);
    const bool fits = machine.spec.spot && (set.empty() || same_word(name, set));
    if (fits && machine.power == Power::running && machine.events.empty()) chosen.push_back(number);
  }
  for (const MachineNumber number : chosen) world.machines.evict(number, notice, now);
  return static_cast<std::uint32_t>(chosen.size());
}

}  // namespace virga::arm
