#include "fabric/fat_tree.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace virga {
namespace {

constexpr std::uint64_t k_first_switch_guid = 0x0200'5000'0000'0100;
constexpr std::uint64_t k_first_hca_guid = 0x0200'4000'0000'0100;
constexpr std::uint64_t k_guid_step = 0x100;  // room for the ports' own GUIDs

std::uint32_t ceil_div(std::uint64_t a, std::uint64_t b) { return static_cast<std::uint32_t>((a + b - 1) / b); }

/// Numbers from 1, all of one width.
std::string padded(std::uint32_t number, std::uint32_t of) {
  const std::string digits = std::to_string(number + 1);
  return std::string(std::to_string(of).size() - digits.size(), '0') + digits;
}

/// How the switches of one level are joined to those above: each has `cables` to each of `parents`.
struct Joint {
  std::uint32_t parents = 0;
  std::uint32_t cables = 0;
};

/// The fewest parents that `children` switches of `uplinks` ports share evenly, each with `ports` for them.
std::optional<Joint> fewest_parents(std::uint32_t children, std::uint32_t uplinks, std::uint32_t ports) {
  for (std::uint32_t parents = 1; parents <= uplinks; ++parents) {
    if (uplinks % parents != 0) continue;
    const std::uint32_t cables = uplinks / parents;
    if (std::uint64_t{children} * cables <= ports) return Joint{parents, cables};
  }
  return std::nullopt;
}

/// All counts of a tree, before anything is built.
struct Plan {
  std::uint32_t down = 0;  ///< ports of a leaf towards hosts
  std::uint32_t up = 0;
  std::uint32_t hosts_per_unit = 0;
  std::uint32_t leaves_per_unit = 0;
  std::uint32_t units = 0;
  std::uint32_t levels = 0;
  Joint leaf_to_spine;
  std::uint32_t units_per_pod = 0;  ///< two levels: all of them
  std::uint32_t pods = 1;
  std::uint32_t spine_down = 0;  ///< ports of a spine towards leaves, in a full pod
  std::uint32_t spine_up = 0;
  Joint spine_to_core;
};

tl::unexpected<Error> wrong(const std::string& message) { return fail(Code::invalid, message); }

Status plan_leaves(const FatTreeShape& shape, Plan& plan) {
  const std::uint32_t ports = shape.switch_ports;
  const auto uplinks = [&](std::uint32_t down) {
    return ceil_div(std::uint64_t{down} * 1000, shape.leaf_oversubscription_permille);
  };
  const std::uint32_t per_host = shape.wiring == Wiring::rail ? 1 : shape.rails;
  std::uint32_t most = 0;
  while ((most + 1) * per_host + uplinks((most + 1) * per_host) <= ports) ++most;
  if (most == 0) {
    return wrong("a switch of " + std::to_string(ports) + " ports has no room for a host of " +
                 std::to_string(per_host) + " ports and its uplinks; use larger switches or --wiring rail");
  }
  if (shape.hosts_per_unit > most) {
    return wrong(std::to_string(shape.hosts_per_unit) + " hosts a unit do not fit on a leaf of " +
                 std::to_string(ports) + " ports with its uplinks; at most " + std::to_string(most) + " do");
  }
  plan.hosts_per_unit = shape.hosts_per_unit != 0 ? shape.hosts_per_unit : most;
  plan.down = plan.hosts_per_unit * per_host;
  plan.up = uplinks(plan.down);
  plan.leaves_per_unit = shape.wiring == Wiring::rail ? shape.rails : 1;
  plan.units = ceil_div(shape.hosts, plan.hosts_per_unit);
  return {};
}

bool plan_two_levels(const FatTreeShape& shape, Plan& plan) {
  const auto joint = fewest_parents(plan.units * plan.leaves_per_unit, plan.up, shape.switch_ports);
  if (!joint) return false;
  plan.levels = 2;
  plan.leaf_to_spine = *joint;
  plan.units_per_pod = plan.units;
  return true;
}

/// The spines of pods of `units` units each.
bool plan_pod(const FatTreeShape& shape, std::uint32_t units, Plan& plan) {
  const std::uint32_t leaves = units * plan.leaves_per_unit;
  for (std::uint32_t spines = 1; spines <= plan.up; ++spines) {
    if (plan.up % spines != 0) continue;
    const std::uint64_t down = std::uint64_t{leaves} * (plan.up / spines);
    const std::uint32_t up = ceil_div(down * 1000, shape.spine_oversubscription_permille);
    if (down + up > shape.switch_ports) continue;
    plan.leaf_to_spine = {spines, plan.up / spines};
    plan.units_per_pod = units;
    plan.spine_down = static_cast<std::uint32_t>(down);
    plan.spine_up = up;
    return true;
  }
  return false;
}

Status plan_three_levels(const FatTreeShape& shape, Plan& plan) {
  plan.levels = 3;
  if (shape.units_per_pod != 0) {
    if (!plan_pod(shape, shape.units_per_pod, plan)) {
      return wrong(std::to_string(shape.units_per_pod) + " units a pod have more leaves than a spine has ports");
    }
  } else {
    std::uint32_t units = plan.units;
    while (units > 0 && !plan_pod(shape, units, plan)) --units;
    if (units == 0) {
      return wrong("a unit of " + std::to_string(plan.leaves_per_unit) +
                   " leaves has no room on a spine; use larger switches or --wiring rack");
    }
  }
  plan.pods = ceil_div(plan.units, plan.units_per_pod);
  const auto joint = fewest_parents(plan.pods, plan.spine_up, shape.switch_ports);
  if (!joint) {
    const std::uint64_t most = std::uint64_t{shape.switch_ports} * plan.units_per_pod * plan.hosts_per_unit;
    return wrong(std::to_string(shape.hosts) + " hosts are too many for three levels; at most " + std::to_string(most) +
                 " fit");
  }
  plan.spine_to_core = *joint;
  return {};
}

Status check_shape(const FatTreeShape& shape) {
  if (shape.hosts == 0 || shape.rails == 0) return wrong("a fabric needs at least one host with one HCA");
  if (std::uint64_t{shape.hosts} * shape.rails > k_fat_tree_hcas_max) {
    return wrong(std::to_string(shape.hosts) + " hosts of " + std::to_string(shape.rails) + " HCAs are more than " +
                 std::to_string(k_fat_tree_hcas_max) + " HCAs");
  }
  if (shape.units_per_pod > shape.hosts) {
    return wrong(std::to_string(shape.units_per_pod) + " units a pod are more than the " + std::to_string(shape.hosts) +
                 " hosts");
  }
  if (shape.switch_ports < 2 || shape.switch_ports > 1024) {
    return wrong("switches of " + std::to_string(shape.switch_ports) + " ports; write 2 to 1024");
  }
  if (shape.levels != 0 && shape.levels != 2 && shape.levels != 3) {
    return wrong(std::to_string(shape.levels) + " levels; a fat tree has 2 or 3 here");
  }
  for (const std::uint32_t permille : {shape.leaf_oversubscription_permille, shape.spine_oversubscription_permille}) {
    if (permille < 1000 || permille > 64'000) return wrong("an oversubscription is 1 to 64");
  }
  return {};
}

Result<Plan> plan_of(const FatTreeShape& shape) {
  if (Status ok = check_shape(shape); !ok) return unexpected(ok.error());
  Plan plan;
  if (Status ok = plan_leaves(shape, plan); !ok) return unexpected(ok.error());
  if (shape.levels != 3 && shape.units_per_pod == 0 && plan_two_levels(shape, plan)) return plan;
  if (shape.levels == 2) {
    if (shape.units_per_pod != 0) return wrong("two levels have no pods; leave units a pod out, or use three levels");
    return wrong(std::to_string(plan.units * plan.leaves_per_unit) + " leaves are too many for two levels of " +
                 std::to_string(shape.switch_ports) + "-port switches; use three levels");
  }
  if (Status ok = plan_three_levels(shape, plan); !ok) return unexpected(ok.error());
  return plan;
}

class FatTreeMaker {
 public:
  FatTreeMaker(const FatTreeShape& shape, const Plan& plan) : shape_(shape), plan_(plan) {}

  Result<FabricGraph> make() {
    add_switches();
    add_hosts();
    join_leaves();
    if (plan_.levels == 3) join_spines();
    if (failed_) return unexpected(*failed_);
    return builder_.build();
  }

 private:
  std::uint32_t add_switch(const std::string& name, std::uint32_t level) {
    const std::uint64_t guid = k_first_switch_guid + switches_++ * k_guid_step;
    const auto added = builder_.add_switch({name, guid, shape_.switch_ports, 0, level});
    return keep(added) ? *added : 0;
  }

  template <class T>
  bool keep(const Result<T>& result) {
    if (!result && !failed_) failed_ = result.error();
    return result.has_value();
  }

  void add_switches() {
    const std::uint32_t leaves = plan_.units * plan_.leaves_per_unit;
    for (std::uint32_t i = 0; i < leaves; ++i) {
      const std::string unit = padded(i / plan_.leaves_per_unit, plan_.units);
      const std::string rail =
          plan_.leaves_per_unit > 1 ? "-" + padded(i % plan_.leaves_per_unit, plan_.leaves_per_unit) : "";
      leaves_.push_back(add_switch("leaf-" + unit + rail, 1));
    }
    const std::uint32_t spines = plan_.leaf_to_spine.parents;
    for (std::uint32_t i = 0; i < plan_.pods * spines; ++i) {
      const std::string pod = plan_.levels == 3 ? padded(i / spines, plan_.pods) + "-" : "";
      spines_.push_back(add_switch("spine-" + pod + padded(i % spines, spines), 2));
    }
    if (plan_.levels == 2) return;
    const std::uint32_t cores = plan_.spine_to_core.parents;
    for (std::uint32_t i = 0; i < spines * cores; ++i) {
      cores_.push_back(add_switch("core-" + padded(i / cores, spines) + "-" + padded(i % cores, cores), 3));
    }
  }

  void add_hosts() {
    std::uint64_t guid = k_first_hca_guid;
    for (std::uint32_t host = 0; host < shape_.hosts; ++host) {
      const std::string name = "node-" + padded(host, shape_.hosts);
      const std::uint32_t unit = host / plan_.hosts_per_unit;
      const std::uint32_t place = host % plan_.hosts_per_unit;
      for (std::uint32_t rail = 0; rail < shape_.rails; ++rail, guid += k_guid_step) {
        FabricHca hca{.name = "mlx5_" + std::to_string(rail), .guid = guid, .link = shape_.link};
        const bool by_rail = shape_.wiring == Wiring::rail;
        hca.on_switch = leaves_[unit * plan_.leaves_per_unit + (by_rail ? rail : 0)];
        hca.switch_port = by_rail ? place + 1 : place * shape_.rails + rail + 1;
        keep(builder_.add_hca(std::move(hca), name));
      }
    }
  }

  /// Uplink u goes to parent u mod parents, so that neighbouring uplinks have different parents.
  void join_leaves() {
    const auto [spines, cables] = plan_.leaf_to_spine;
    const std::uint32_t leaves_per_pod = plan_.units_per_pod * plan_.leaves_per_unit;
    for (std::uint32_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      const std::uint32_t pod = leaf / leaves_per_pod;
      for (std::uint32_t u = 0; u < plan_.up; ++u) {
        const std::uint32_t spine_port = (leaf % leaves_per_pod) * cables + u / spines + 1;
        keep(builder_.connect(
            {leaves_[leaf], plan_.down + u + 1, spines_[pod * spines + u % spines], spine_port, shape_.link}));
      }
    }
  }

  void join_spines() {
    const std::uint32_t spines = plan_.leaf_to_spine.parents;
    const auto [cores, cables] = plan_.spine_to_core;
    for (std::uint32_t i = 0; i < spines_.size(); ++i) {
      const std::uint32_t pod = i / spines;
      for (std::uint32_t u = 0; u < plan_.spine_up; ++u) {
        const std::uint32_t core = (i % spines) * cores + u % cores;
        keep(builder_.connect(
            {spines_[i], plan_.spine_down + u + 1, cores_[core], pod * cables + u / cores + 1, shape_.link}));
      }
    }
  }

  const FatTreeShape& shape_;
  const Plan& plan_;
  FabricGraphBuilder builder_;
  std::optional<Error> failed_;
  std::uint64_t switches_ = 0;
  std::vector<std::uint32_t> leaves_;
  std::vector<std::uint32_t> spines_;
  std::vector<std::uint32_t> cores_;
};

}  // namespace

Result<FabricGraph> build_fat_tree(const FatTreeShape& shape) {
  const Result<Plan> plan = plan_of(shape);
  if (!plan) return unexpected(plan.error());
  return FatTreeMaker(shape, *plan).make();
}

}  // namespace virga
