#include "wire/config_pool.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "brain/place/features.hpp"
#include "wire/health_table.hpp"
#include "wire/sku_table.hpp"

namespace virga {
namespace {

void read_fabric(TomlSection& section, Pool& pool) {
  PoolFabric& fabric = pool.fabric;
  section.number("nodes_per_leaf", fabric.nodes_per_leaf, {1, 4'096});
  section.number("leaves_per_spine", fabric.leaves_per_spine, {1, 4'096});
  section.number("spines_per_pod", fabric.spines_per_pod, {1, 4'096});
  const NumberRange tapers{1'000, 1'000'000};
  section.permille("leaf_taper", fabric.leaf_taper_permille, tapers);
  section.permille("spine_taper", fabric.spine_taper_permille, tapers);
  section.permille("pod_taper", fabric.pod_taper_permille, tapers);
  if (fabric.nodes_per_leaf == 0 && fabric.leaves_per_spine > 0) {
    section.wrong("leaves_per_spine", "leaves of unknown size; add nodes_per_leaf");
  }
  if (fabric.leaves_per_spine == 0 && fabric.spines_per_pod > 0) {
    section.wrong("spines_per_pod", "spines of unknown size; add leaves_per_spine");
  }
}

/// A rack is one scale set, and NVLink joins its VMs, which no network is faster than. A gang that InfiniBand joins
/// must lie within a placement group, also where nobody wrote down how much one holds.
void read_sets(TomlSection& section, Pool& pool) {
  const bool is_azure = pool.cloud == "azure";
  const SetShape shape = set_shape_of(pool.sku.name);
  const bool is_rack = is_azure && shape == SetShape::rack;
  if (is_rack) {
    pool.set_nodes_max = k_rack_nodes;
    pool.fabric.nodes_per_leaf = k_rack_nodes;
  } else if (is_azure && shape == SetShape::uniform) {
    pool.set_nodes_max = k_placement_group_nodes;
  }
  section.number("set_nodes_max", pool.set_nodes_max, {1, is_rack ? k_rack_nodes : 10'000});
  section.flag("ib_spans_sets", pool.ib_spans_sets);
}

void read_health(TomlSection& section, Pool& pool) {
  section.flag("health_checks", pool.health_checks);
  if (pool.health_checks && find_health_limits(pool.sku.name) == nullptr) {
    std::vector<std::string_view> sizes;
    for (const HealthLimits& limits : known_health_limits()) sizes.push_back(limits.size);
    section.wrong("health_checks", fmt::format("nothing is known of a healthy \"{}\"; write health_checks = false, or "
                                               "take a size of data/azure_health.csv, such as \"{}\"",
                                               shown(pool.sku.name), sizes.front()));
  }
  if (section.text("health_tools", pool.health_tools) && !pool.health_tools.empty()) {
    if (pool.health_tools.front() != '/' || pool.health_tools.find(':') != std::string::npos) {
      section.wrong("health_tools",
                    fmt::format("\"{}\" is no folder of a PATH; write one that starts with / and has no :",
                                shown(pool.health_tools)));
    } else if (!pool.health_checks) {
      section.wrong("health_tools", "the nodes of this pool are not checked; add health_checks = true");
    }
  }
  section.duration("quarantine_time", pool.quarantine_time, {Duration{}, Duration::minutes(30 * 24 * 60)});
}

void read_features(TomlSection& section, Pool& pool) {
  if (!section.texts("features", pool.features)) return;
  for (const std::string& feature : pool.features) {
    if (!feature_mistake(feature, {feature}) && feature.find_first_of("&|,()[]*") == std::string::npos) continue;
    section.wrong("features", fmt::format("\"{}\" cannot be asked for with --constraint; write letters, digits and "
                                          "any of _ - . : = /",
                                          shown(feature)));
  }
}

}  // namespace

void read_pool_supply(TomlSection& section, Pool& pool) {
  std::string purchase;
  if (section.text("purchase", purchase)) {
    if (const auto value = enum_from_name<Purchase>(purchase)) {
      pool.purchase = *value;
    } else {
      section.wrong("purchase",
                    fmt::format("no purchase \"{}\"; write \"on_demand\", \"reserved\" or \"spot\"", shown(purchase)));
    }
  }
  section.price("price_per_hour", pool.price_per_hour);
  section.duration("boot_time", pool.boot_time, {Duration{}, Duration::minutes(24 * 60)});
  if (section.number("spare_nodes", pool.spare_nodes, {0, 1'000}) && pool.spare_nodes >= pool.max_nodes) {
    section.wrong("spare_nodes", fmt::format("{} of {} nodes are to be spare, which leaves none for jobs; lower it",
                                             pool.spare_nodes, pool.max_nodes));
  }
  read_features(section, pool);
  section.bytes("tmp_disk", pool.tmp_bytes);
  read_sets(section, pool);
  read_fabric(section, pool);
  read_health(section, pool);
}

}  // namespace virga
