// The graph of a network: what its builder refuses, ways and loads on small ones that can be counted by hand.
#include "fabric/graph.hpp"

#include <doctest/doctest.h>

#include "fabric/max_flow.hpp"
#include "fabric/measures.hpp"
#include "fabric/routing.hpp"
#include "fabric/switch_tree.hpp"

namespace virga {
namespace {

/// Two leaves of two hosts each, joined by `cables` cables.
FabricGraphBuilder two_leaves(std::uint32_t cables) {
  FabricGraphBuilder builder;
  for (const char* name : {"s1", "s2"}) REQUIRE(builder.add_switch({.name = name, .ports = 8}).has_value());
  for (std::uint32_t i = 0; i < 4; ++i) {
    const FabricHca hca{.name = "hca", .on_switch = i / 2, .switch_port = i % 2 + 1};
    REQUIRE(builder.add_hca(hca, "n" + std::to_string(i + 1)).has_value());
  }
  for (std::uint32_t i = 0; i < cables; ++i) REQUIRE(builder.connect({0, 3 + i, 1, 3 + i}).has_value());
  return builder;
}

FabricGraph graph_with(std::uint32_t cables) {
  auto graph = two_leaves(cables).build();
  REQUIRE(graph.has_value());
  return std::move(*graph);
}

}  // namespace

TEST_CASE("graph: what is taken, or not there, is told by name") {
  FabricGraphBuilder builder = two_leaves(1);
  CHECK(builder.add_switch({.name = "s1", .ports = 8}).error().message ==
        "two switches are named \"s1\"; each needs a name of its own");
  CHECK(builder.add_switch({.name = "s3"}).error().message == "switch \"s3\" has 0 ports; 1 to 60000 would be right");
  CHECK(builder.connect({0, 3, 1, 5}).error().message ==
        "port 3 of switch \"s1\" has two cables, one of them to s2[3]; keep one");
  CHECK(builder.connect({0, 9, 1, 5}).error().message == "switch \"s1\" has no port 9; it has 1 to 8");
  CHECK(builder.connect({0, 5, 0, 6}).error().message == "a cable joins switch \"s1\" to itself");
  CHECK(builder.add_hca({.name = "hca", .on_switch = 0, .switch_port = 7}, "n1").error().message ==
        "host \"n1\" has two HCAs named \"hca\"; two hosts of one name need names of their own");
  CHECK(FabricGraphBuilder().build().error().message == "no host; a fabric needs at least one host on a switch");
  FabricGraphBuilder island = two_leaves(1);
  REQUIRE(island.add_switch({.name = "island", .ports = 8}).has_value());
  CHECK(island.build().error().message ==
        "switch \"island\" has no cable that leads to a host; cable it or leave it out");
}

TEST_CASE("graph: rates of four lanes, in Mb/s") {
  CHECK(Link{4, LinkSpeed::qdr}.mbps() == 40'000);
  CHECK(Link{4, LinkSpeed::fdr}.mbps() == 56'000);
  CHECK(Link{4, LinkSpeed::ndr}.mbps() == 400'000);
  CHECK(Link{2, LinkSpeed::xdr}.mbps() == 400'000);
}

TEST_CASE("graph: differences are told by name, whatever the order") {
  CHECK(differences(graph_with(2), graph_with(2)).empty());
  CHECK(differences(graph_with(2), graph_with(1)) ==
        std::vector<std::string>{"only in the first: cable s1[4] to s2[4] 4xNDR"});
}

TEST_CASE("routing: a pair without a way is told") {
  const FabricGraph apart = graph_with(0);
  const auto tables = route_d_mod_k(apart);
  REQUIRE(tables.has_value());
  CHECK(path_of(apart, *tables, 0, 3).error().message == "no way from n1 hca to n4 hca: switch s1 has no entry");
  CHECK(path_of(apart, *tables, 0, 1)->size() == 1);
  const auto hcas = hcas_of(apart, all_hosts(apart));
  CHECK(load_all_to_all(apart, *tables, hcas).error().message ==
        "no way from n3 hca to n1 hca: switch s2 has no entry");
}

TEST_CASE("graph and routing: hosts of subnet managers on two spines") {
  FabricGraphBuilder builder;
  for (const char* name : {"l1", "l2", "s1", "s2"}) {
    REQUIRE(builder.add_switch({.name = name, .ports = 16}).has_value());
  }
  for (std::uint32_t i = 0; i < 10; ++i) {
    const std::uint32_t on = i < 8 ? i / 4 : i - 6;
    const FabricHca hca{.name = "hca", .on_switch = on, .switch_port = i % 4 + 1};
    REQUIRE(builder.add_hca(hca, "n" + std::to_string(i)).has_value());
  }
  for (std::uint32_t leaf : {0U, 1U}) {
    for (std::uint32_t spine : {2U, 3U}) REQUIRE(builder.connect({leaf, spine + 5, spine, leaf + 5}).has_value());
  }
  const auto graph = builder.build();
  REQUIRE(graph.has_value());
  CHECK(graph->levels() == 2);
  CHECK(graph->switches()[1].level == 1);
  CHECK(graph->switches()[2].level == 2);
  const auto tables = route_d_mod_k(*graph);
  REQUIRE(tables.has_value());
  CHECK(path_of(*graph, *tables, 0, 8)->size() == 2);
  CHECK(path_of(*graph, *tables, 8, 7)->size() == 2);
  CHECK(path_of(*graph, *tables, 8, 9)->size() == 3);  // down and up again: there is no other way
  CHECK(load_all_to_all(*graph, *tables, hcas_of(*graph, all_hosts(*graph))).has_value());
}

TEST_CASE("routing: imported tables that go in a circle are told") {
  const FabricGraph graph = graph_with(1);
  auto tables = ForwardingTables::sized_for(graph);
  REQUIRE(tables.has_value());
  tables->set(0, 3, 3);
  tables->set(1, 3, 3);
  CHECK(path_of(graph, *tables, 0, 3).error().message ==
        "no way from n1 hca to n4 hca: the forwarding tables go in a circle");
  tables->set(1, 3, 1);
  CHECK(path_of(graph, *tables, 0, 3).error().message ==
        "no way from n1 hca to n4 hca: port 1 of switch s2 does not lead there");
  tables->set(1, 3, 2);
  CHECK(*path_of(graph, *tables, 0, 3) == std::vector<Hop>{{0, 3}, {1, 2}});
}

TEST_CASE("measures: a leaf above two leaves, counted by hand") {
  // s1 and s2 below s3: one cable each, two hosts each. All-to-all: 2 * 2 flows up each cable, 3 from each host.
  SwitchTree tree;
  tree.switches = {{"s1", {}, {0, 1}}, {"s2", {}, {2, 3}}, {"s3", {0, 1}, {}}};
  tree.hosts = {"n1", "n2", "n3", "n4"};
  const auto graph = graph_of(tree, {.oversubscription_permille = 2000});
  REQUIRE(graph.has_value());
  const auto tables = route_d_mod_k(*graph);
  const auto hosts = all_hosts(*graph);
  const auto all = load_all_to_all(*graph, *tables, hcas_of(*graph, hosts));
  REQUIRE(all.has_value());
  const WorstLink worst = worst_link(*graph, all->loads);
  CHECK(worst.flows == 4);
  CHECK(worst.mbps == 400'000);
  CHECK(worst.slow_down_permille == 1333);
  CHECK(all->pairs_by_cables == std::vector<std::uint64_t>{0, 0, 4, 0, 8});
  const Bisection halves = bisection(*graph, hosts);
  CHECK(halves.mbps == 400'000);
  CHECK(halves.hosts_mbps == 800'000);
  // A set is measured alone.
  const std::vector<std::uint32_t> two = {0, 2};
  CHECK(worst_switch_link(*graph, load_all_to_all(*graph, *tables, hcas_of(*graph, two))->loads).flows == 1);
  CHECK(ring_pairs(*graph, two) == std::vector<HcaPair>{{0, 2}, {2, 0}});
  CHECK(bisection(*graph, two).hosts_mbps == 400'000);
}

TEST_CASE("max flow: around a narrow place") {
  MaxFlow network(6);
  network.join(0, 1, 10);
  network.join(0, 2, 10);
  network.join(1, 3, 4);
  network.join(2, 3, 8);
  network.join(1, 2, 3);
  network.join(2, 4, 2);
  network.join(3, 5, 20);
  network.join(4, 5, 9);
  CHECK(network.flow(0, 5) == 14);
}

TEST_CASE("switch tree: what is wrong with one is told") {
  SwitchTree circle;
  circle.switches = {{"s1", {1}, {0}}, {"s2", {0}, {}}};
  circle.hosts = {"n1"};
  CHECK(graph_of(circle).error().message == "switch \"s1\" is above itself: a circle of switches");
  SwitchTree twice;
  twice.switches = {{"s1", {}, {0}}, {"s2", {}, {0}}, {"s3", {0, 1}, {}}};
  twice.hosts = {"n1"};
  CHECK(graph_of(twice).error().message == "host \"n1\" is on the switches \"s1\" and \"s2\"; one of them is right");
}

TEST_CASE("switch tree: spines that share their leaves become one, a tree stays as it is") {
  SwitchTree tree;
  tree.switches = {{"l1", {}, {0}}, {"l2", {}, {1}}, {"spine-1", {0, 1}, {}}, {"spine-2", {0, 1}, {}}};
  tree.hosts = {"n1", "n2"};
  const auto graph = graph_of(tree);
  REQUIRE(graph.has_value());
  const SwitchTree merged = tree_of(*graph);
  REQUIRE(merged.switches.size() == 3);
  CHECK(merged.switches[2].name == "spine");
  CHECK(merged.switches[2].children == std::vector<std::uint32_t>{0, 1});
  const auto again = graph_of(merged);
  REQUIRE(again.has_value());
  CHECK(differences(*again, *graph_of(tree_of(*again))).empty());
}

}  // namespace virga
