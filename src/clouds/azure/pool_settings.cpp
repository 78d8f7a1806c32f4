#include "clouds/azure/pool_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "wire/toml_section.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_flexible_nodes = 1000;

class PoolReader {
 public:
  PoolReader(TomlSection& section, const Pool& pool, std::string group)
      : section_(section), pool_(pool), group_(std::move(group)) {}

  AzurePool read();

 private:
  void resource(std::string_view key, std::string_view type, std::string& id);
  void read_zones();
  void check_orchestration();
  void check_reservation();
  void check_targeted();
  void check_interconnect();

  TomlSection& section_;
  const Pool& pool_;
  const std::string group_;
  AzurePool placed_;
};

AzurePool PoolReader::read() {
  Orchestration orchestration{};
  if (section_.word("orchestration", orchestration)) placed_.orchestration = orchestration;
  resource("proximity_placement_group", "Microsoft.Compute/proximityPlacementGroups",
           placed_.proximity_placement_group);
  resource("capacity_reservation_group", "Microsoft.Compute/capacityReservationGroups",
           placed_.capacity_reservation_group);
  section_.word("reservation_type", placed_.reservation_type);
  resource("interconnect_block", "Microsoft.Compute/interconnectBlocks", placed_.interconnect_block);
  resource("interconnect_group", "Microsoft.Network/interconnectGroups", placed_.interconnect_group);
  read_zones();
  section_.finish();
  check_orchestration();
  check_reservation();
  check_interconnect();
  return placed_;
}

/// A name in the cluster's resource group, or an id from anywhere.
void PoolReader::resource(std::string_view key, std::string_view type, std::string& id) {
  constexpr std::string_view k_allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
  std::string value;
  if (!section_.long_text(key, value)) return;
  const std::string part = fmt::format("/providers/{}/", type);
  const bool is_id = value.starts_with("/subscriptions/") && value.find(part) != std::string::npos;
  const bool is_name = !value.empty() && value.find_first_not_of(k_allowed) == std::string::npos;
  if (is_id) {
    id = value;
  } else if (is_name) {
    id = group_ + part + value;
  } else {
    section_.wrong(key,
                   fmt::format("\"{}\" is neither a name nor the id of such a resource; write one such as \"mine\" "
                               "or \"/subscriptions/…{}mine\"",
                               shown(value), part));
  }
}

void PoolReader::read_zones() {
  if (!section_.texts("zones", placed_.zones)) return;
  const std::set<std::string> different(placed_.zones.begin(), placed_.zones.end());
  const bool good = std::all_of(different.begin(), different.end(), [](const std::string& zone) {
    return zone.size() == 1 && zone[0] >= '1' && zone[0] <= '9';
  });
  if (!good || different.size() != placed_.zones.size()) {
    section_.wrong("zones", "no list of different zones; write some such as [\"1\"] or [\"1\", \"2\"]");
  } else if (placed_.zones.size() > 1 && shape_of(placed_, pool_) != SetShape::flexible) {
    section_.wrong("zones", fmt::format("the VMs of a scale set of {} share a network, which lies in one zone; write "
                                        "one",
                                        pool_.sku.name));
  } else if (placed_.zones.size() > 1 && !placed_.proximity_placement_group.empty()) {
    section_.wrong("zones", "a proximity placement group lies in one zone; write that one");
  }
}

void PoolReader::check_orchestration() {
  if (shape_of(placed_, pool_) == SetShape::flexible && pool_.set_nodes_max > k_flexible_nodes) {
    section_.wrong("orchestration", fmt::format("a Flexible scale set holds {} VMs, but pool.{}.set_nodes_max is {}; "
                                                "lower that",
                                                k_flexible_nodes, pool_.name, pool_.set_nodes_max));
  }
  if (placed_.orchestration != Orchestration::flexible) return;
  const bool known = find_sku(pool_.sku.name) != nullptr;
  if (known && set_shape_of(pool_.sku.name) != SetShape::flexible) {
    section_.wrong("orchestration",
                   fmt::format("{} would lose its InfiniBand in a Flexible scale set; leave it out", pool_.sku.name));
  }
}

void PoolReader::check_reservation() {
  constexpr std::string_view k_key = "capacity_reservation_group";
  if (placed_.capacity_reservation_group.empty()) {
    if (section_.has("reservation_type") && !section_.has(k_key)) {
      section_.wrong("reservation_type", "of which reservation? Add capacity_reservation_group, or leave it out");
    }
    return;
  }
  if (pool_.purchase == Purchase::spot) {
    return section_.wrong(k_key, fmt::format("Spot VMs cannot use reserved capacity, and pool.{}.purchase is \"spot\"; "
                                             "change one of the two",
                                             pool_.name));
  }
  if (placed_.reservation_type == ReservationType::targeted) check_targeted();
}

void PoolReader::check_targeted() {
  constexpr std::string_view k_key = "capacity_reservation_group";
  if (!can_be_targeted(pool_.sku.name)) {
    section_.wrong(k_key, fmt::format("Azure has no targeted capacity reservations for {}; leave it out, or write "
                                      "reservation_type = \"block\" if it is a block reservation",
                                      pool_.sku.name));
  } else if (shape_of(placed_, pool_) == SetShape::uniform) {
    section_.wrong(k_key, "a scale set in one placement group cannot use it; write orchestration = \"flexible\"");
  } else if (!placed_.proximity_placement_group.empty()) {
    section_.wrong(k_key, "VMs in a proximity placement group cannot use it; leave out one of the two");
  }
}

void PoolReader::check_interconnect() {
  for (const std::string_view key : {"interconnect_block", "interconnect_group"}) {
    if (section_.has(key) && shape_of(placed_, pool_) == SetShape::flexible) {
      section_.wrong(key, fmt::format("{} has no InfiniBand to be connected by; leave it out", pool_.sku.name));
    }
  }
}

}  // namespace

AzurePool read_azure_pool(TomlSection& section, const Pool& pool, std::string group) {
  return PoolReader(section, pool, std::move(group)).read();
}

SetShape shape_of(const AzurePool& placed, const Pool& pool) {
  const SetShape by_size = set_shape_of(pool.sku.name);
  if (by_size == SetShape::rack || !placed.orchestration) return by_size;
  return *placed.orchestration == Orchestration::flexible ? SetShape::flexible : SetShape::uniform;
}

std::uint32_t set_nodes_of(const AzurePool& placed, const Pool& pool) {
  if (pool.set_nodes_max > 0) return pool.set_nodes_max;
  switch (shape_of(placed, pool)) {
    case SetShape::uniform:
      return k_placement_group_nodes;
    case SetShape::flexible:
      return k_flexible_nodes;
    case SetShape::rack:
      return k_rack_nodes;
  }
  return k_placement_group_nodes;
}

}  // namespace virga
