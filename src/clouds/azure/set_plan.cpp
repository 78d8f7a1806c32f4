#include "clouds/azure/set_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace virga::azure {
namespace {

constexpr std::size_t k_longest_name = 64;

}  // namespace

std::optional<std::uint32_t> node_number(const Pool& pool, std::string_view name) {
  if (!name.starts_with(pool.node_prefix)) return std::nullopt;
  name.remove_prefix(pool.node_prefix.size());
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
  return whole && number > 0 ? std::optional(number) : std::nullopt;
}

std::string set_name(const std::string& cluster, const std::string& pool, std::uint32_t number) {
  return fmt::format("virga-{}-{}-{}", cluster, pool, number);
}

Result<std::vector<SetShare>> plan_gang(const ReserveGang& command, const AzureSettings& settings) {
  const Pool& pool = command.pool;
  const std::uint32_t most = set_nodes_of(settings.pool(pool.name), pool);
  std::map<std::uint32_t, SetShare> shares;
  auto share = shares.end();  // neighbours are mostly in one
  for (std::size_t place = 0; place < command.vms.size(); ++place) {
    const std::string& name = command.vms[place].name;
    const auto number = node_number(pool, name);
    if (!number) {
      return fail(Code::invalid, fmt::format("node \"{}\" has no number of pool {}; such names are {}1, {}2 and so on",
                                             name, pool.name, pool.node_prefix, pool.node_prefix));
    }
    const std::uint32_t set = (*number - 1) / most + 1;
    if (share == shares.end() || share->first != set) {
      share = shares.try_emplace(set).first;
      share->second.places.reserve(std::min<std::size_t>(most, command.vms.size()));
    }
    share->second.places.push_back(place);
  }
  std::vector<SetShare> result;
  for (auto& [number, found] : shares) {
    found.number = number;
    found.set = set_name(settings.cluster, pool.name, number);
    if (found.set.size() > k_longest_name) {
      return fail(Code::invalid, fmt::format("the scale set's name \"{}\" has more than {} characters; shorten the "
                                             "cluster's or the pool's",
                                             found.set, k_longest_name));
    }
    result.push_back(std::move(found));
  }
  return result;
}

}  // namespace virga::azure
