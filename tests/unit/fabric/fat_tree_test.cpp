// Fat trees: their counts, what they refuse, and what has to hold for each of them however it is routed.
#include "fabric/fat_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "fabric/measures.hpp"
#include "fabric/routing.hpp"
#include "fabric/switch_tree.hpp"
#include "support/random.hpp"

namespace virga {
namespace {

FabricGraph built(const FatTreeShape& shape) {
  Result<FabricGraph> graph = build_fat_tree(shape);
  REQUIRE_MESSAGE(graph.has_value(), graph.error().message);
  return std::move(*graph);
}

std::string error_of(const FatTreeShape& shape) {
  const auto graph = build_fat_tree(shape);
  return graph ? "" : graph.error().message;
}

std::size_t switches_of(const FabricGraph& graph, std::uint32_t level) {
  return static_cast<std::size_t>(std::count_if(graph.switches().begin(), graph.switches().end(),
                                                [&](const FabricSwitch& s) { return s.level == level; }));
}

struct Loads {
  AllToAll all;
  WorstLink all_to_all;
  WorstLink ring;
};

Loads loads_of(const FabricGraph& graph) {
  const auto tables = route_d_mod_k(graph);
  REQUIRE(tables.has_value());
  const auto hosts = in_tree_order(graph, all_hosts(graph));
  auto all = load_all_to_all(graph, *tables, hcas_of(graph, hosts));
  REQUIRE(all.has_value());
  const auto ring = load_pairs(graph, *tables, ring_pairs(graph, hosts));
  REQUIRE(ring.has_value());
  const WorstLink worst = worst_link(graph, all->loads);
  return {std::move(*all), worst, worst_link(graph, *ring)};
}

}  // namespace

TEST_CASE("fat tree: 512 HCAs on 64-port switches, a leaf for each rail") {
  const FabricGraph graph = built({.hosts = 64});
  CHECK(graph.hcas().size() == 512);
  CHECK(graph.rails() == 8);
  CHECK(graph.levels() == 2);
  CHECK(switches_of(graph, 1) == 16);
  CHECK(switches_of(graph, 2) == 8);
  CHECK(graph.cables().size() == 512);
  // HCA r of a host is on the r-th leaf of its unit.
  for (const FabricHost& host : graph.hosts()) {
    for (std::uint32_t rail = 0; rail < 8; ++rail) {
      const FabricHca& hca = graph.hcas()[host.hcas[rail]];
      CHECK(hca.rail == rail);
      CHECK(graph.switches()[hca.on_switch].name.back() == static_cast<char>('1' + rail));
    }
  }
  CHECK(graph.switches().front().name == "leaf-1-1");
  CHECK(graph.switches().back().name == "spine-8");
  CHECK(hca_text(graph, 8) == "node-02 mlx5_0");
}

TEST_CASE("fat tree: every leaf has equally many cables to every spine") {
  const FabricGraph graph = built({.hosts = 64});
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> cables;
  for (const FabricCable& c : graph.cables()) ++cables[{c.a, c.b}];
  CHECK(cables.size() == 16 * 8);
  for (const auto& [ends, count] : cables) CHECK(count == 4);
}

TEST_CASE("fat tree: three levels when two are too few, and when they are asked for") {
  const FabricGraph large = built({.hosts = 512});
  CHECK(large.levels() == 3);
  CHECK(switches_of(large, 1) == 128);
  CHECK(switches_of(large, 2) == 128);  // four pods of 32
  CHECK(switches_of(large, 3) == 64);
  CHECK(large.cables().size() == 2 * 4096);
  const FabricGraph small = built({.hosts = 64, .levels = 3, .units_per_pod = 1});
  CHECK(small.levels() == 3);
  CHECK(small.switches().back().name.starts_with("core-"));
}

TEST_CASE("fat tree: oversubscription takes uplinks away") {
  const FabricGraph graph = built({.hosts = 96, .leaf_oversubscription_permille = 3000});
  CHECK(switches_of(graph, 1) == 16);       // 48 hosts a unit
  CHECK(graph.cables().size() == 16 * 16);  // 16 uplinks each
  const Bisection halves = bisection(graph, all_hosts(graph));
  CHECK(halves.mbps * 3 == halves.hosts_mbps);
}

TEST_CASE("fat tree: rack wiring puts a host on one leaf") {
  const FabricGraph graph = built({.hosts = 64, .wiring = Wiring::rack});
  CHECK(switches_of(graph, 1) == 16);
  for (const FabricHost& host : graph.hosts()) {
    std::set<std::uint32_t> on;
    for (const std::uint32_t hca : host.hcas) on.insert(graph.hcas()[hca].on_switch);
    CHECK(on.size() == 1);
  }
}

TEST_CASE("fat tree: what does not fit is told") {
  CHECK(error_of({.hosts = 0}) == "a fabric needs at least one host with one HCA");
  CHECK(error_of({.hosts = 2000, .levels = 2}) ==
        "504 leaves are too many for two levels of 64-port switches; use three levels");
  CHECK(error_of({.hosts = 4, .rails = 8, .switch_ports = 8, .wiring = Wiring::rack}) ==
        "a switch of 8 ports has no room for a host of 8 ports and its uplinks; use larger switches or --wiring rail");
  CHECK(error_of({.hosts = 64, .hosts_per_unit = 40}) ==
        "40 hosts a unit do not fit on a leaf of 64 ports with its uplinks; at most 32 do");
  CHECK(error_of({.hosts = 64, .levels = 3, .units_per_pod = 536'870'912}) ==
        "536870912 units a pod are more than the 64 hosts");
  CHECK(error_of({.hosts = 64, .levels = 2, .units_per_pod = 1}) ==
        "two levels have no pods; leave units a pod out, or use three levels");
  CHECK(error_of({.hosts = 64, .levels = 4}) == "4 levels; a fat tree has 2 or 3 here");
  CHECK(error_of({.hosts = 64, .leaf_oversubscription_permille = 500}) == "an oversubscription is 1 to 64");
  CHECK(error_of({.hosts = 200, .rails = 1, .switch_ports = 4}) ==
        "200 hosts are too many for three levels; at most 16 fit");
}

TEST_CASE("fat tree: a full non-blocking one carries whatever its hosts can send") {
  for (const FatTreeShape& shape :
       {FatTreeShape{.hosts = 64}, FatTreeShape{.hosts = 64, .wiring = Wiring::rack}, FatTreeShape{.hosts = 512},
        FatTreeShape{.hosts = 128, .rails = 4, .switch_ports = 16},
        FatTreeShape{.hosts = 16, .rails = 1, .switch_ports = 4},
        FatTreeShape{.hosts = 128, .rails = 1, .switch_ports = 8, .levels = 3}}) {
    const FabricGraph graph = built(shape);
    const Bisection halves = bisection(graph, all_hosts(graph));
    CHECK(halves.mbps == halves.hosts_mbps);
    CHECK(halves.mbps == graph.hcas().size() / 2 * 400'000);
    const Loads loads = loads_of(graph);
    CHECK(loads.all_to_all.slow_down_permille == 1000);
    CHECK(loads.all_to_all.flows == graph.hcas().size() - 1);
    CHECK(loads.ring.flows == 1);
    CHECK(loads.ring.slow_down_permille == 1000);
  }
}

TEST_CASE("fat tree: whatever its shape, each pair has a way of 2, 4 or 6 cables, and the ring never queues") {
  test::Random random(20);
  const auto number_below = [&](std::int64_t end) { return static_cast<std::uint32_t>(random.between(0, end - 1)); };
  int trees = 0;
  while (trees < 60) {
    FatTreeShape shape;
    shape.hosts = 1 + number_below(90);
    shape.rails = 1 + number_below(5);
    shape.switch_ports = 4 + 2 * number_below(20);
    shape.leaf_oversubscription_permille = 1000 + 500 * number_below(5);
    shape.spine_oversubscription_permille = 1000 + 1000 * number_below(2);
    shape.levels = number_below(3) == 0 ? 3 : 0;
    shape.wiring = number_below(3) == 0 ? Wiring::rack : Wiring::rail;
    const auto graph = build_fat_tree(shape);
    if (!graph) {
      CHECK(graph.error().code == Code::invalid);
      continue;
    }
    ++trees;
    const Loads loads = loads_of(*graph);
    std::uint64_t pairs = 0;
    for (std::size_t cables = 0; cables < loads.all.pairs_by_cables.size(); ++cables) {
      const std::uint64_t count = loads.all.pairs_by_cables[cables];
      CHECK((count == 0 || cables == 2 || cables == 4 || cables == 6));
      pairs += count;
    }
    const std::uint64_t hcas = graph->hcas().size();
    CHECK(pairs == hcas * (hcas - 1));
    if (shape.wiring == Wiring::rail && graph->hosts().size() > 1) CHECK(loads.ring.flows == 1);
    const Bisection halves = bisection(*graph, all_hosts(*graph));
    CHECK(halves.mbps <= halves.hosts_mbps);
  }
}

TEST_CASE("fat tree: the same shape gives the same graph, and its tree has a leaf for each unit") {
  const FabricGraph graph = built({.hosts = 70});
  CHECK(differences(graph, built({.hosts = 70})).empty());
  const SwitchTree tree = tree_of(graph);
  REQUIRE(tree.switches.size() == 4);
  CHECK(tree.switches[0].name == "leaf-1");
  CHECK(tree.switches[0].hosts.size() == 32);
  CHECK(tree.switches[2].hosts.size() == 6);
  CHECK(tree.switches[3].name == "spine");
  CHECK(tree.switches[3].children == std::vector<std::uint32_t>{0, 1, 2});
}

}  // namespace virga
