#include "arm/throttle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "arm/text.hpp"
#include "wire/json_codec.hpp"

namespace virga::arm {
namespace {

constexpr std::int64_t k_minute_ns = 60'000'000'000;

/// A class of calls of a resource provider: its policies are NAMEResource and NAMESubscriptionMaximum.
struct Policy {
  std::string_view name;
  std::optional<BucketSize> resource;
  BucketSize subscription;
};

constexpr BucketSize k_rare = {4, 12};
constexpr Policy k_create_set = {"CreateVMScaleSet", k_rare, {125, 375}};
constexpr Policy k_update_set = {"UpdateVMScaleSet", k_rare, {500, 1500}};
constexpr Policy k_delete_set = {"DeleteVMScaleSet", k_rare, {175, 525}};
constexpr Policy k_get_set = {"GetVMScaleSet", BucketSize{12, 36}, {800, 2400}};
constexpr Policy k_list_set = {"ListVMScaleSet", BucketSize{10, 30}, {360, 1080}};
constexpr Policy k_write_set_vm = {"UpdateVMScaleSetVM", k_rare, {500, 1500}};
constexpr Policy k_get_set_vm = {"GetVMScaleSetVM", BucketSize{12, 36}, {2000, 6000}};
constexpr Policy k_write_vm = {"UpdateVM", k_rare, {500, 1500}};
constexpr Policy k_get_vm = {"GetVM", BucketSize{12, 36}, {8000, 24'000}};
constexpr Policy k_list_vm = {"ListVM", std::nullopt, {300, 900}};
constexpr Policy k_operation = {"GetOperation", BucketSize{15, 45}, {5000, 15'000}};
// 1,000 writes and 10,000 reads in five minutes.
constexpr Policy k_write_network = {"NetworkWrites", std::nullopt, {200, 1000}};
constexpr Policy k_read_network = {"NetworkReads", std::nullopt, {2000, 10'000}};

constexpr BucketSize k_front_reads = {25 * 60, 250};
constexpr BucketSize k_front_writes = {10 * 60, 200};
constexpr BucketSize k_front_deletes = {10 * 60, 200};

const Policy* policy_of_set(const ThrottledCall& call) {
  const std::string& tail = call.target->tail_key;
  if (call.is_list) return &k_list_set;
  if (call.method == "GET" || call.method == "HEAD") return tail == "instanceview" ? &k_list_set : &k_get_set;
  if (call.method == "DELETE") return &k_delete_set;
  if (call.method == "PUT") return call.exists ? &k_update_set : &k_create_set;
  if (tail == "delete") return &k_write_set_vm;
  return tail == "poweroff" || tail == "deallocate" ? &k_delete_set : &k_update_set;
}

const Policy* policy_of(const ThrottledCall& call) {
  const Target& target = *call.target;
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (target.provider == "Microsoft.Network") return reads ? &k_read_network : &k_write_network;
  if (target.provider != "Microsoft.Compute") return nullptr;
  if (target.key == "locations/operations") return &k_operation;
  if (target.key == "virtualmachinescalesets") {
    return call.is_list && target.tail_key == "networkinterfaces" ? &k_read_network : policy_of_set(call);
  }
  if (target.key == "virtualmachinescalesets/virtualmachines") return reads ? &k_get_set_vm : &k_write_set_vm;
  if (target.key == "virtualmachines") return reads ? &k_get_vm : &k_write_vm;
  if (!target.key.empty()) return nullptr;
  if (target.tail_key == "virtualmachinescalesets") return &k_list_set;
  return target.tail_key == "virtualmachines" ? &k_list_vm : nullptr;
}

struct Draw {
  std::string key;
  std::string policy;
  BucketSize size;
  std::string header;  ///< its name, and what stands before the number
  std::string prefix;
};

Draw front_end_draw(const ThrottledCall& call) {
  const bool reads = call.method == "GET" || call.method == "HEAD";
  const bool deletes = call.method == "DELETE";
  const std::string_view kind = reads ? "reads" : deletes ? "deletes" : "writes";
  const BucketSize size = reads ? k_front_reads : deletes ? k_front_deletes : k_front_writes;
  return {fmt::format("arm|{}|{}|{}", kind, call.region, call.principal), std::string(kind), size,
          fmt::format("x-ms-ratelimit-remaining-subscription-{}", kind), ""};
}

std::vector<Draw> draws_of(const ThrottledCall& call) {
  std::vector<Draw> draws = {front_end_draw(call)};
  const Policy* policy = policy_of(call);
  if (policy == nullptr) return draws;
  const auto add = [&](std::string_view kind, std::string_view whose, BucketSize size) {
    std::string name = fmt::format("{}{}", policy->name, kind);
    draws.push_back({fmt::format("{}|{}", name, whose), name, size, "x-ms-ratelimit-remaining-resource",
                     fmt::format("{}/{};", call.target->provider, name)});
  };
  if (policy->resource) {
    const Target& target = *call.target;
    add("Resource", lower_case(call.is_list ? target.path : target.id()), *policy->resource);
  }
  add("SubscriptionMaximum", lower_case(call.target->subscription) + "|" + call.region, policy->subscription);
  return draws;
}

}  // namespace

Duration Bucket::wait(BucketSize size, Time now) const {
  const std::int64_t interval = k_minute_ns / size.per_minute;
  const Time after = std::max(full_at_, now) + Duration{interval};
  return std::max(Duration{}, after - now - Duration{interval * size.capacity});
}

void Bucket::take(BucketSize size, Time now) {
  full_at_ = std::max(full_at_, now) + Duration{k_minute_ns / size.per_minute};
}

std::uint32_t Bucket::left(BucketSize size, Time now) const {
  const std::int64_t interval = k_minute_ns / size.per_minute;
  const std::int64_t missing_ns = std::max(full_at_, now).ns - now.ns;
  return size.capacity - static_cast<std::uint32_t>((missing_ns + interval - 1) / interval);
}

Verdict Throttle::take(const ThrottledCall& call, Time now) {
  // A bucket that is full again is like one that was never used.
  if (buckets_.size() > sweep_at_) {
    std::erase_if(buckets_, [&](const auto& item) { return item.second.is_full(now); });
    sweep_at_ = std::max<std::size_t>(10'000, buckets_.size() * 2);
  }
  const std::vector<Draw> draws = draws_of(call);
  Verdict verdict;
  for (const Draw& draw : draws) {
    const Duration wait = buckets_[draw.key].wait(draw.size, now);
    if (wait <= verdict.wait) continue;
    verdict.allowed = false;
    verdict.wait = wait;
    verdict.policy = draw.policy;
    verdict.by_front_end = draw.prefix.empty();
    verdict.limit = draw.size.capacity;
  }
  for (const Draw& draw : draws) {
    Bucket& bucket = buckets_[draw.key];
    if (verdict.allowed) bucket.take(draw.size, now);
    verdict.headers.push_back({draw.header, fmt::format("{}{}", draw.prefix, bucket.left(draw.size, now))});
  }
  return verdict;
}

Answer throttled_answer(const Verdict& verdict, std::uint32_t speed) {
  constexpr std::int64_t k_second_ns = 1'000'000'000;
  const std::int64_t unit = k_second_ns * speed;
  const std::int64_t seconds = std::max<std::int64_t>(1, (verdict.wait.ns + unit - 1) / unit);
  Answer answer;
  if (verdict.by_front_end) {
    answer = refusal(429, "SubscriptionRequestsThrottled",
                     fmt::format("Number of '{}' requests for subscription exceeded. Please try again after '{}' "
                                 "seconds after additional tokens are available.",
                                 verdict.policy, seconds));
  } else {
    JsonWriter w;
    w.begin_object();
    w.key("error");
    w.begin_object();
    w("code", "OperationNotAllowed");
    w("message", "The server rejected the request because too many requests have been received for this subscription.");
    w.key("details");
    w.begin_array();
    w.begin_object();
    w("code", "TooManyRequests");
    w("target", verdict.policy);
    w("message", fmt::format("{{\"operationGroup\":\"{}\",\"allowedRequestCount\":{},\"retryAfterSeconds\":{}}}",
                             verdict.policy, verdict.limit, seconds));
    w.end_object();
    w.end_array();
    w.end_object();
    w.end_object();
    answer.status = 429;
    answer.body = w.take();
  }
  answer.headers = verdict.headers;
  answer.headers.push_back({"Retry-After", std::to_string(seconds)});
  return answer;
}

}  // namespace virga::arm
