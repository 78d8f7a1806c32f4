// What Azure is told about a scale set. Pure.
//
//   SetBody made = put_body(settings, pool, {.name = "virga-c1-nd-1", .capacity = 100, .join_script = script});
//   patch_body(80);                           // one PATCH, whatever the number of nodes
//   instances_body({"0", "12"});              // of a Flexible set: the names of its VMs
//
// Three shapes (pool_settings.hpp): Uniform in one placement group; Flexible, whose members are VMs of their own with
// interfaces and disks of their own, all of which go with them; and racks, which are Uniform without a placement group
// and ask for no placement of their interconnect (Azure refuses that for such sizes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clouds/azure/arm_client.hpp"
#include "core/config.hpp"

namespace virga::azure {

inline constexpr std::string_view k_tag_cluster = "virga-cluster";
inline constexpr std::string_view k_tag_pool = "virga-pool";
inline constexpr std::string_view k_tag_set = "virga-set";

struct NewSet {
  std::string name;
  std::uint32_t capacity = 0;
  std::string join_script = {};
  std::string ssh_key = {};  ///< may be empty
};

struct SetBody {
  std::string text;
  ApiVersion version = ApiVersion::compute;  ///< the oldest that knows all that is in it
  bool flexible = false;
};
SetBody put_body(const AzureSettings& settings, const Pool& pool, const NewSet& set);
std::string patch_body(std::uint32_t capacity);
std::string instances_body(const std::vector<std::string>& instance_ids);

}  // namespace virga::azure
