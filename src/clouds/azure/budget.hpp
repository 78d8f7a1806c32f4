// How fast Azure may be called: its documented token buckets, kept on our side, so that no run of ours is ever
// throttled by its own calls.
//
//   Budget budget;
//   Duration pause = budget.wait_for(CallKind::set_update, "virga-c-nd-1", now);   // zero: go, the tokens are taken
//   budget.observe(CallKind::set_update, "virga-c-nd-1", remaining, now);          // others use the subscription too
//
// Three buckets stand behind a call: the front end's (reads, writes or deletes of this client), the provider's of the
// resource, and the provider's of the subscription. A bucket is full at the start; its tokens come back one by one.
// Each is kept one token short of what is documented, since calls arrive closer together than they were sent.
// Pure: the time is given. Not thread-safe. Source: as src/arm/throttle.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/time.hpp"

namespace virga::azure {

enum class CallKind : std::uint8_t {
  set_create,
  set_update,
  set_delete,
  set_get,
  set_list,         ///< sets of a group, instances of a set; the resource is the list's path
  instance_delete,  ///< also of several instances at once
  vm_list,          ///< virtual machines of the group: members of Flexible sets
  vm_delete,
  operation,
  network_read,
  network_write,
  network_delete,
  disk_read,
  disk_delete,
  group_read,
  group_write,
  catalogue_read,  ///< usages, sizes, images, and what else says what can be had
};

/// What an answer's x-ms-ratelimit-remaining headers tell; absent: nothing.
struct Remaining {
  std::optional<std::uint32_t> front = {};
  std::optional<std::uint32_t> resource = {};
  std::optional<std::uint32_t> subscription = {};
};

class Budget {
 public:
  /// Zero: the call may go now and its tokens are taken. Else nothing is taken; ask again after that time.
  Duration wait_for(CallKind kind, const std::string& resource, Time now);
  /// Lowers the buckets to what Azure says is left.
  void observe(CallKind kind, const std::string& resource, const Remaining& remaining, Time now);
  /// A refusal for throttling: nothing of this kind goes to this resource before `until`.
  void block(CallKind kind, const std::string& resource, Time until);

 private:
  std::map<std::string, Time> full_at_;  ///< by bucket: when it is full again
  std::map<std::string, Time> blocked_;  ///< by kind and resource
};

}  // namespace virga::azure
