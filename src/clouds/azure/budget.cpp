#include "clouds/azure/budget.hpp"

#include <algorithm>
#include <array>

namespace virga::azure {
namespace {

constexpr std::int64_t k_minute_ns = 60'000'000'000;

/// Tokens that come back in a minute, and tokens of a full bucket. No tokens: there is no such bucket.
struct Size {
  std::uint32_t per_minute = 0;
  std::uint32_t capacity = 0;
  Duration interval() const { return {k_minute_ns / per_minute}; }
};

enum class Front : std::uint8_t { reads, writes, deletes };
constexpr Size k_front_sizes[] = {{25 * 60, 250}, {10 * 60, 200}, {10 * 60, 200}};

struct Policy {
  CallKind kind;
  std::string_view name;  ///< kinds with one name share their buckets
  Front front;
  Size resource;
  Size subscription;
};

constexpr Policy k_policies[] = {
    {CallKind::set_create, "set-create", Front::writes, {4, 12}, {125, 375}},
    {CallKind::set_update, "set-update", Front::writes, {4, 12}, {500, 1500}},
    {CallKind::set_delete, "set-delete", Front::deletes, {4, 12}, {175, 525}},
    {CallKind::set_get, "set-get", Front::reads, {12, 36}, {800, 2400}},
    {CallKind::set_list, "set-list", Front::reads, {10, 30}, {360, 1080}},
    {CallKind::instance_delete, "instance-write", Front::writes, {4, 12}, {500, 1500}},
    {CallKind::vm_list, "vm-list", Front::reads, {}, {300, 900}},
    {CallKind::vm_delete, "vm-write", Front::deletes, {4, 12}, {500, 1500}},
    {CallKind::operation, "operation", Front::reads, {15, 45}, {5000, 15'000}},
    // 10,000 reads and 1,000 writes in five minutes.
    {CallKind::network_read, "network-read", Front::reads, {}, {2000, 10'000}},
    {CallKind::network_write, "network-write", Front::writes, {}, {200, 1000}},
    {CallKind::network_delete, "network-write", Front::deletes, {}, {200, 1000}},
    // No bucket of the provider's own is documented.
    {CallKind::disk_read, "disk-read", Front::reads, {}, {}},
    {CallKind::disk_delete, "disk-delete", Front::deletes, {}, {}},
    {CallKind::group_read, "group-read", Front::reads, {}, {}},
    {CallKind::group_write, "group-write", Front::writes, {}, {}},
    {CallKind::catalogue_read, "catalogue-read", Front::reads, {}, {}},
};

const Policy& policy_of(CallKind kind) {
  return *std::find_if(std::begin(k_policies), std::end(k_policies), [&](const Policy& p) { return p.kind == kind; });
}

struct Draw {
  std::string bucket;
  Size size;
};

/// The front end's bucket, the resource's, the subscription's; without a size: there is none.
std::array<Draw, 3> draws_of(const Policy& policy, const std::string& resource) {
  constexpr std::string_view k_front_names[] = {"front|reads", "front|writes", "front|deletes"};
  const auto front = static_cast<std::size_t>(policy.front);
  const std::string name(policy.name);
  return {Draw{std::string(k_front_names[front]), k_front_sizes[front]},
          Draw{"resource|" + name + "|" + resource, policy.resource}, Draw{"all|" + name, policy.subscription}};
}

std::string block_key(CallKind kind, const std::string& resource) {
  return std::string(policy_of(kind).name) + "|" + resource;
}

}  // namespace

Duration Budget::wait_for(CallKind kind, const std::string& resource, Time now) {
  constexpr std::size_t k_many = 10'000;
  // A bucket that is full again is like one that was never used. Operations come and go by the thousand.
  if (full_at_.size() > k_many) std::erase_if(full_at_, [&](const auto& bucket) { return bucket.second <= now; });
  std::erase_if(blocked_, [&](const auto& block) { return block.second <= now; });
  Duration wait;
  if (const auto blocked = blocked_.find(block_key(kind, resource)); blocked != blocked_.end()) {
    wait = blocked->second - now;
  }
  const auto draws = draws_of(policy_of(kind), resource);
  for (const Draw& draw : draws) {
    if (draw.size.capacity == 0) continue;
    const auto found = full_at_.find(draw.bucket);
    const Time full_at = found == full_at_.end() ? now : std::max(found->second, now);
    // With the token that is asked for, no more than capacity - 1 may be missing.
    const Duration missing = full_at + draw.size.interval() - now;
    wait = std::max(wait, missing - draw.size.interval() * (std::int64_t{draw.size.capacity} - 1));
  }
  if (wait.ns > 0) return wait;
  for (const Draw& draw : draws) {
    if (draw.size.capacity == 0) continue;
    Time& full_at = full_at_[draw.bucket];
    full_at = std::max(full_at, now) + draw.size.interval();
  }
  return {};
}

void Budget::observe(CallKind kind, const std::string& resource, const Remaining& remaining, Time now) {
  const auto draws = draws_of(policy_of(kind), resource);
  const std::optional<std::uint32_t> left[] = {remaining.front, remaining.resource, remaining.subscription};
  for (std::size_t i = 0; i < draws.size(); ++i) {
    const Size& size = draws[i].size;
    if (!left[i] || size.capacity == 0 || *left[i] >= size.capacity) continue;
    Time& full_at = full_at_[draws[i].bucket];
    full_at = std::max(full_at, now + size.interval() * std::int64_t{size.capacity - *left[i]});
  }
}

void Budget::block(CallKind kind, const std::string& resource, Time until) {
  Time& blocked = blocked_[block_key(kind, resource)];
  blocked = std::max(blocked, until);
}

}  // namespace virga::azure
