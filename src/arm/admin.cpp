// The admin API: what tests and demonstrations do to the cloud, and what they ask of it.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/stand_in.hpp"
#include "arm/text.hpp"
#include "wire/json_codec.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::int64_t k_most = 100'000'000;
constexpr std::int64_t k_seconds_most = 366 * 86'400;

Answer wrong(const std::string& what) { return refusal(400, "InvalidAdminRequest", what); }

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

/// Reads the members of a body once each; what is wrong with it, or left over, is told by refusal().
class Wanted {
 public:
  explicit Wanted(const json::object& body) : body_(body) {}

  std::string text(const char* key, std::string otherwise = "") {
    const json::value* value = member(key);
    if (value == nullptr) return otherwise;
    if (!value->is_string()) return wrong(fmt::format("{} is no text", key)), otherwise;
    return std::string(value->get_string());
  }
  std::int64_t number(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    const json::value* value = member(key);
    if (value == nullptr) return otherwise;
    const bool fits = value->is_int64() && value->get_int64() >= least && value->get_int64() <= most;
    if (!fits) return wrong(fmt::format("{} is no whole number from {} to {}", key, least, most)), otherwise;
    return value->get_int64();
  }
  std::string region(const Scenario& scenario) {
    std::string name = lower_case(text("region"));
    const auto& all = scenario.regions;
    if (!name.empty() && std::find(all.begin(), all.end(), name) == all.end()) {
      wrong(fmt::format("there is no region '{}'; write one of {}", name, fmt::join(all, ", ")));
    }
    return name;
  }
  bool has(const char* key) const { return body_.contains(key); }
  /// The first mistake counts.
  void wrong(const std::string& what) {
    if (mistake_.empty()) mistake_ = what;
  }
  std::optional<Answer> refusal() {
    for (const auto& [key, value] : body_) {
      const bool known = std::find(known_.begin(), known_.end(), std::string_view(key)) != known_.end();
      if (!known) wrong(fmt::format("unknown key '{}'; known are {}", std::string_view(key), fmt::join(known_, ", ")));
    }
    if (mistake_.empty()) return std::nullopt;
    return arm::refusal(400, "InvalidAdminRequest", mistake_);
  }

 private:
  const json::value* member(const char* key) {
    known_.emplace_back(key);
    return body_.if_contains(key);
  }

  const json::object& body_;
  std::vector<std::string> known_;
  std::string mistake_;
};

Answer evict(World& world, const json::object& body, Time now) {
  Wanted wanted(body);
  const Duration notice = Duration::seconds(wanted.number("notice_s", 30, 0, k_seconds_most));
  const auto count = static_cast<std::uint32_t>(wanted.number("count", 1, 0, k_most));
  const std::string vm = wanted.text("vm");
  const std::string set = wanted.text("set");
  if (!vm.empty() && (wanted.has("set") || wanted.has("count"))) wanted.wrong("write vm, or set and count, not both");
  if (auto refused = wanted.refusal()) return *refused;
  if (vm.empty()) return json_answer(200, {{"evicted", evict_machines(world, set, count, notice, now)}});
  const auto found = world.machines.named(vm);
  if (found.empty()) return refusal(404, "NotFound", "there is no VM '" + vm + "'");
  if (found.size() > 1) return ambiguous_name(vm, found);
  world.machines.evict(found.front()->number, notice, now);
  return json_answer(200, {{"evicted", 1}});
}

Answer set_quota(World& world, const json::object& body) {
  Wanted wanted(body);
  QuotaRule rule;
  rule.region = wanted.region(world.scenario);
  rule.family = wanted.text("family");
  rule.vcpus = static_cast<std::uint32_t>(wanted.number("vcpus", 0, 0, k_most));
  if (!is_quota_family(rule.family)) {
    wanted.wrong(
        fmt::format("no size has the family '{}'; write one that the usages list, such as cores", rule.family));
  }
  if (!wanted.has("vcpus")) wanted.wrong(R"(vcpus is missing; write {"family": "cores", "vcpus": 96})");
  if (auto refused = wanted.refusal()) return *refused;
  world.machines.add_quota_rule(std::move(rule));
  return json_answer(200, body);
}

Answer set_capacity(World& world, const json::object& body) {
  Wanted wanted(body);
  CapacityRule rule;
  rule.region = wanted.region(world.scenario);
  rule.size = wanted.text("size");
  rule.vms = static_cast<std::uint32_t>(wanted.number("vms", 0, 0, k_most));
  if (!rule.size.empty() && find_azure_size(rule.size) == nullptr) {
    wanted.wrong(fmt::format("no size '{}' is known; write one such as Standard_ND96isr_H100_v5", rule.size));
  }
  if (!wanted.has("vms")) wanted.wrong(R"(vms is missing; write {"region": "eastus", "vms": 100})");
  if (auto refused = wanted.refusal()) return *refused;
  world.machines.add_capacity_rule(std::move(rule));
  return json_answer(200, body);
}

Answer inject(StandIn& stand_in, const json::object& body) {
  Wanted wanted(body);
  FailureRule rule;
  const auto number = [&](const char* key, std::uint32_t otherwise, std::int64_t least, std::int64_t most) {
    return static_cast<std::uint32_t>(wanted.number(key, otherwise, least, most));
  };
  rule.operation = wanted.text("operation");
  if (!is_operation_name(rule.operation)) {
    wanted.wrong(
        fmt::format("no call is named '{}'; write a method and types as GET /admin/calls names them, such as "
                    "PUT virtualMachineScaleSets",
                    rule.operation));
  }
  const auto kind = enum_from_name<FailureKind>(wanted.text("kind"));
  if (!kind) wanted.wrong("kind is one of status, html, truncated, hang, never_ends, async, recovers");
  rule.kind = kind.value_or(FailureKind::status);
  rule.skip = number("skip", rule.skip, 0, k_most);
  rule.count = number("count", rule.count, 1, k_most);
  rule.status = number("status", rule.status, 400, 599);
  rule.retry_after_s = number("retry_after_s", 0, 0, 3600);
  rule.recovers_after = Duration::seconds(wanted.number("recovers_after_s", 60, 0, k_seconds_most));
  rule.code = wanted.text("code", rule.code);
  rule.message = wanted.text("message", rule.message);
  if (auto refused = wanted.refusal()) return *refused;
  stand_in.add_failure(rule);
  return json_answer(200, body);
}

Answer change_clock(StandIn& stand_in, const json::object& body, Time now) {
  Wanted wanted(body);
  const std::int64_t speed = wanted.number("speed", stand_in.world().scenario.speed, 1, 100'000);
  const Duration skip = Duration::seconds(wanted.number("skip_s", 0, 0, k_most));
  if (k_end_of_time < now + skip) wanted.wrong("skip_s goes beyond the year 2199, where the clock ends");
  if (auto refused = wanted.refusal()) return *refused;
  stand_in.world().scenario.speed = static_cast<std::uint32_t>(speed);
  stand_in.wish_clock({static_cast<std::uint32_t>(speed), skip});
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
    if (what == "clock") return change_clock(stand_in, **body, now);
  }
  return refusal(404, "NotFound",
                 "the admin API has GET calls, bill, state; DELETE calls; POST evict, quota, capacity, failure, clock");
}

}  // namespace virga::arm
