// The admin API: what tests and demonstrations do to the cloud, and what they ask of it.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/stand_in.hpp"
#include "arm/text.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

namespace json = boost::json;

constexpr std::int64_t k_most = 100'000'000;

Answer wrong(const std::string& what) { return refusal(400, "InvalidAdminRequest", what); }

bool in_range(std::int64_t number) { return number >= 0 && number <= k_most; }

double dollars(Money money) { return static_cast<double>(money.micro_usd) / 1e6; }
double seconds(Duration duration) { return static_cast<double>(duration.ns) / 1e9; }

Answer calls_answer(const CallLog& log) {
  json::object body;
  json::object& counts = body["counts"].emplace_object();
  json::object by_status;
  for (const auto& [operation, statuses] : log.counts()) {
    json::object& count = counts[operation].emplace_object();
    std::uint64_t all = 0;
    for (const auto& [status, number] : statuses) {
      all += number;
      count[std::to_string(status)] = number;
      json::value& sum = by_status[std::to_string(status)];
      sum = number + (sum.is_uint64() ? sum.get_uint64() : 0);
    }
    count["all"] = all;
  }
  body["by_status"] = std::move(by_status);
  json::array& entries = body["calls"].emplace_array();
  for (const CallLog::Entry& entry : log.entries()) {
    entries.push_back({{"time", iso8601(entry.when)},
                       {"operation", entry.operation},
                       {"target", entry.target},
                       {"status", entry.status}});
  }
  return json_answer(200, body);
}

Answer bill_answer(const World& world, Time now) {
  struct Sum {
    Duration billed;
    Money money;
  };
  std::map<std::string, Sum> by_set;
  std::map<std::string, Sum> by_size;
  Sum total;
  json::array vms;
  const auto add = [&](const Bill& bill, bool there) {
    const Money money = price_for(bill.price_per_hour, bill.billed);
    for (Sum* sum : {&by_set[bill.set.substr(bill.set.rfind('/') + 1)], &by_size[bill.size], &total}) {
      sum->billed = sum->billed + bill.billed;
      sum->money += money;
    }
    vms.push_back({{"vmId", bill.vm_id},
                   {"name", bill.name},
                   {"set", bill.set},
                   {"size", bill.size},
                   {"exists", there},
                   {"seconds", seconds(bill.billed)},
                   {"usd", dollars(money)}});
  };
  for (const Bill& bill : world.machines.bills()) add(bill, false);
  for (const auto& [number, machine] : world.machines.all()) {
    add({machine.vm_id, machine.spec.name, machine.spec.set, machine.spec.size->name, machine.spec.spot,
         machine.billed_until(now), machine.spec.size->price_per_hour},
        true);
  }
  const auto view = [](const Sum& sum) -> json::object {
    return {{"seconds", seconds(sum.billed)}, {"usd", dollars(sum.money)}};
  };
  json::object body = {{"total", view(total)}};
  json::object sets;
  for (const auto& [name, sum] : by_set) sets[name] = view(sum);
  json::object sizes;
  for (const auto& [name, sum] : by_size) sizes[name] = view(sum);
  body["sets"] = std::move(sets);
  body["sizes"] = std::move(sizes);
  body["vms"] = std::move(vms);
  return json_answer(200, body);
}

Answer state_answer(World& world, Time now) {
  json::object body;
  body["now"] = iso8601(now);
  body["speed"] = world.scenario.speed;
  json::array& groups = body["groups"].emplace_array();
  for (const Group* group : world.resources.groups()) groups.push_back(json::string(group->name));
  json::array& resources = body["resources"].emplace_array();
  for (const Resource* resource : world.resources.list("", "", "", Time::never())) {
    resources.push_back({{"id", resource->id}, {"provisioningState", resource->provisioning}});
  }
  json::array& vms = body["vms"].emplace_array();
  for (const auto& [number, machine] : world.machines.all()) {
    vms.push_back({{"id", machine.spec.id},
                   {"vmId", machine.vm_id},
                   {"name", machine.spec.name},
                   {"size", machine.spec.size->name},
                   {"spot", machine.spec.spot},
                   {"address", machine.address},
                   {"provisioningState", name_of(machine.provisioning)},
                   {"power", name_of(machine.power)},
                   {"created", iso8601(machine.created)},
                   {"booted", iso8601(machine.booted)},
                   {"customData", machine.spec.custom_data}});
  }
  return json_answer(200, body);
}

Answer evict(World& world, const json::object& body, Time now) {
  const std::int64_t notice = number_at(body, "notice_s", 30);
  const std::int64_t count = number_at(body, "count", 1);
  if (!in_range(notice) || !in_range(count)) return wrong("notice_s and count are numbers from 0");
  const std::string vm = text_at(body, "vm");
  if (vm.empty()) {
    const auto evicted =
        evict_machines(world, text_at(body, "set"), static_cast<std::uint32_t>(count), Duration::seconds(notice), now);
    return json_answer(200, {{"evicted", evicted}});
  }
  const Machine* machine = world.machines.find(vm);
  if (machine == nullptr) return refusal(404, "NotFound", "there is no VM '" + vm + "'");
  world.machines.evict(machine->number, Duration::seconds(notice), now);
  return json_answer(200, {{"evicted", 1}});
}

Answer set_quota(World& world, const json::object& body) {
  const std::int64_t limit = number_at(body, "vcpus", -1);
  const std::string family = text_at(body, "family");
  if (family.empty() || !in_range(limit))
    return wrong("write {\"region\": \"eastus\", \"family\": \"…\", \"vcpus\": 96}");
  world.machines.add_quota_rule({lower_case(text_at(body, "region")), family, static_cast<std::uint32_t>(limit)});
  return json_answer(200, body);
}

Answer set_capacity(World& world, const json::object& body) {
  const std::int64_t vms = number_at(body, "vms", -1);
  const std::string size = text_at(body, "size");
  if (!in_range(vms)) return wrong("write {\"region\": \"eastus\", \"size\": \"Standard_…\", \"vms\": 100}");
  if (!size.empty() && find_azure_size(size) == nullptr) return wrong("no size '" + size + "' is known");
  CapacityRule rule;
  rule.region = lower_case(text_at(body, "region"));
  rule.size = size;
  rule.vms = static_cast<std::uint32_t>(vms);
  world.machines.add_capacity_rule(rule);
  return json_answer(200, body);
}

Answer inject(StandIn& stand_in, const json::object& body) {
  FailureRule rule;
  rule.name = "admin";
  rule.operation = text_at(body, "operation");
  const auto kind = enum_from_name<FailureKind>(text_at(body, "kind"));
  if (rule.operation.empty() || !kind) {
    return wrong(
        "write {\"operation\": \"PUT virtualMachineScaleSets\", \"kind\": \"status\", …}; kinds are status, "
        "html, truncated, hang, never_ends, async, recovers");
  }
  rule.kind = *kind;
  const auto number = [&](const char* key, std::uint32_t& value) {
    const std::int64_t wanted = number_at(body, key, value);
    if (in_range(wanted)) value = static_cast<std::uint32_t>(wanted);
    return in_range(wanted);
  };
  std::uint32_t recovers_s = 60;
  const bool numbers_ok = number("skip", rule.skip) && number("count", rule.count) && number("status", rule.status) &&
                          number("retry_after_s", rule.retry_after_s) && number("recovers_after_s", recovers_s);
  if (!numbers_ok || rule.status < 400 || rule.status > 599) return wrong("a number is out of range");
  rule.recovers_after = Duration::seconds(recovers_s);
  if (body.contains("code")) rule.code = text_at(body, "code");
  if (body.contains("message")) rule.message = text_at(body, "message");
  stand_in.add_failure(rule);
  return json_answer(200, body);
}

Answer change_clock(StandIn& stand_in, const json::object& body) {
  const std::int64_t speed = number_at(body, "speed", stand_in.world().scenario.speed);
  const std::int64_t skip = number_at(body, "skip_s", 0);
  if (speed < 1 || speed > 100'000 || !in_range(skip)) return wrong("write {\"speed\": 60} or {\"skip_s\": 3600}");
  stand_in.world().scenario.speed = static_cast<std::uint32_t>(speed);
  stand_in.wish_clock({static_cast<std::uint32_t>(speed), Duration::seconds(skip)});
  return json_answer(200, {{"speed", speed}});
}

}  // namespace

Answer answer_admin(StandIn& stand_in, const Request& request, const Target& target, Time now) {
  World& world = stand_in.world();
  const std::string what = target.segments.size() == 2 ? lower_case(target.segments[1]) : "";
  if (request.method == "GET") {
    if (what == "calls") return calls_answer(stand_in.calls());
    if (what == "bill") return bill_answer(world, now);
    if (what == "state") return state_answer(world, now);
  }
  if (request.method == "DELETE" && what == "calls") {
    stand_in.calls().clear();
    return Answer{};
  }
  if (request.method == "POST") {
    const Result<Document> body = parse_document(request.body);
    if (!body) return wrong(body.error().message);
    if (what == "evict") return evict(world, **body, now);
    if (what == "quota") return set_quota(world, **body);
    if (what == "capacity") return set_capacity(world, **body);
    if (what == "failure") return inject(stand_in, **body);
    if (what == "clock") return change_clock(stand_in, **body);
  }
  return refusal(404, "NotFound",
                 "the admin API has GET calls, bill, state; DELETE calls; POST evict, quota, capacity, failure, clock");
}

}  // namespace virga
