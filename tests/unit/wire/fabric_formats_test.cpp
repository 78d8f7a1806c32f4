// Fabrics as texts: each format there and back, and how each mistake is told.
#include "wire/fabric_formats.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "fabric/fat_tree.hpp"
#include "fabric/measures.hpp"
#include "wire/fabric_csv.hpp"
#include "wire/fabric_forwarding.hpp"
#include "wire/fabric_ibnetdiscover.hpp"
#include "wire/fabric_slurm.hpp"
#include "wire/fabric_slurm_yaml.hpp"
#include "wire/fabric_svg.hpp"
#include "wire/fabric_topograph.hpp"
#include "wire/text_file.hpp"
#include "wire/text_lines.hpp"
#include "wire/yaml_text.hpp"

namespace virga {
namespace {

/// $VIRGA_SHARED_DATA, else shared/data beside the folder that the project lies in.
std::filesystem::path shared_data() {
  if (const char* folder = std::getenv("VIRGA_SHARED_DATA")) return folder;
  auto root = std::filesystem::current_path();
  while (root.has_relative_path() && !std::filesystem::exists(root / "docs" / "design.md")) root = root.parent_path();
  return root.parent_path() / "shared" / "data";
}

FabricGraph built(const FatTreeShape& shape) {
  auto graph = build_fat_tree(shape);
  REQUIRE(graph.has_value());
  return std::move(*graph);
}

FabricGraph read(std::string_view text) {
  auto graph = read_fabric(text, "net", std::nullopt, {});
  REQUIRE_MESSAGE(graph.has_value(), graph.error().message);
  return std::move(*graph);
}

std::string error_of(std::string_view text) {
  const auto graph = read_fabric(text, "net", std::nullopt, {});
  if (graph) return "";
  CHECK(graph.error().code == Code::invalid);
  return graph.error().message;
}

/// Two hosts on one switch, each line of which a test may change.
std::string subnet(std::string_view port_2 = "[2]\t\"H-22\"[1](23) \t\t# \"n2 mlx5_0\" lid 3 4xHDR") {
  return "# Topology file\n"
         "vendid=0x2c9\n"
         "switchguid=0x11(11)\n"
         "Switch\t4 \"S-11\"\t\t# \"sw\" base port 0 lid 1 lmc 0\n"
         "[1]\t\"H-20\"[1](21) \t\t# \"n10 mlx5_0\" lid 2 4xHDR\n" +
         std::string(port_2) +
         "\n\ncaguid=0x20\n"
         "Ca\t1 \"H-20\"\t\t# \"n10 mlx5_0\"\n"
         "[1](21) \t\"S-11\"[1]\t\t# lid 2 lmc 0 \"sw\" lid 1 4xHDR\n\n"
         "caguid=0x22\n"
         "Ca\t1 \"H-22\"\t\t# \"n2 mlx5_0\"\n"
         "[1](23) \t\"S-11\"[2]\t\t# lid 3 lmc 0 \"sw\" lid 1 4xHDR\n";
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

constexpr std::string_view k_conf =
    "# two leaves\n"
    "switchname=l1 NODES=n[1-2] LinkSpeed=100\n"
    "SwitchName=l2 \\\n"
    "  Nodes=n[3-4]  # the rest\n"
    "SwitchName=top Switches=l[1-2]\n";

}  // namespace

TEST_CASE("ibnetdiscover: names, LIDs, rates and the order of hosts") {
  const FabricGraph graph = read(subnet());
  REQUIRE(graph.hosts().size() == 2);
  CHECK(graph.hosts()[0].name == "n2");  // numbers count as numbers
  CHECK(hca_text(graph, 1) == "n10 mlx5_0");
  CHECK(graph.hcas()[0].guid == 0x22);
  CHECK(graph.hcas()[0].lid == 3);
  CHECK(graph.hcas()[0].link == Link{4, LinkSpeed::hdr});
  CHECK(graph.switches()[0].lid == 1);
  CHECK(graph.switches()[0].guid == 0x11);
  CHECK(graph.peer(0, 1).index == 1);
  CHECK(graph.peer(0, 3).kind == FabricPeer::Kind::none);
}

TEST_CASE("ibnetdiscover: what is built is what is read again, for all shapes") {
  for (const FatTreeShape& shape : {FatTreeShape{.hosts = 64}, FatTreeShape{.hosts = 20, .rails = 2, .switch_ports = 8},
                                    FatTreeShape{.hosts = 30, .wiring = Wiring::rack, .link = {2, LinkSpeed::edr}},
                                    FatTreeShape{.hosts = 100, .leaf_oversubscription_permille = 2500}}) {
    const FabricGraph graph = built(shape);
    const std::string text = write_ibnetdiscover(graph);
    const FabricGraph again = read(text);
    CHECK(differences(graph, again) == std::vector<std::string>{});
    CHECK(write_ibnetdiscover(again).size() == text.size());
  }
}

TEST_CASE("ibnetdiscover: an HCA with two cables is two, what switches have inside is left out") {
  std::string text = subnet(
      "[2]\t\"H-20\"[2](22) # \"n10 mlx5_0\" lid 4 4xHDR\n[4]\t\"H-9\"[1](9) # \"Mellanox "
      "Technologies Aggregation Node\" lid 9 4xHDR");
  text = replaced(text, "Ca\t1 \"H-20\"", "Ca\t2 \"H-20\"");
  text = text.substr(0, text.find("caguid=0x22"));
  text +=
      "caguid=0x9\nCa\t1 \"H-9\"\t# \"Mellanox Technologies Aggregation Node\"\n[1](9)\t\"S-11\"[4]\t# lid 9 lmc 0 "
      "\"sw\" lid 1 4xHDR\n";
  text = replaced(text, "[1](21) \t\"S-11\"[1]\t\t# lid 2 lmc 0 \"sw\" lid 1 4xHDR\n",
                  "[1](21) \t\"S-11\"[1]\t\t# lid 2 lmc 0 \"sw\" lid 1 4xHDR\n[2](22) \t\"S-11\"[2]\t\t# lid 4 lmc 0 "
                  "\"sw\" lid 1 4xHDR\n");
  const FabricGraph graph = read(text);
  CHECK(graph.hosts().size() == 1);
  REQUIRE(graph.hcas().size() == 2);
  CHECK(graph.hcas()[1].port == 2);
  CHECK(hca_text(graph, 1) == "n10 mlx5_0 port 2");
  CHECK(differences(graph, read(write_ibnetdiscover(graph))).empty());
}

TEST_CASE("ibnetdiscover: mistakes and their places") {
  CHECK(error_of("") == "net: no switch and no HCA in it; the output of ibnetdiscover would be right");
  CHECK(error_of(subnet("")).starts_with("net:14: port 1 of \"H-22\" leads to \"S-11\"[2], but that leads nowhere"));
  CHECK(error_of(subnet("[2]\t\"H-99\"[1](23) # \"x\" lid 3 4xHDR"))
            .starts_with("net:14: port 1 of \"H-22\" leads to \"S-11\"[2], but that leads to \"H-99\"[1], line 6; the "
                         "two ends of a cable must name each other\nnet:6: a cable to nowhere: port 2 of \"S-11\" "
                         "leads to \"H-99\", which is not in the file; add its record or leave the line out"));
  CHECK(error_of(subnet("[5]\t\"H-22\"[1](23) # \"x\"")).starts_with("net:6: \"S-11\" has no port 5; it has 1 to 4"));
  CHECK(error_of(subnet("[2] H-22")).starts_with("net:6: \"[2] H-22\" cannot be read; a port is written as:"));
  CHECK(error_of(subnet() + "\nSwitch\t4 \"S-11\" # \"sw\"\n") ==
        "net:16: \"S-11\" is there twice, first in line 4; keep one");
  CHECK(error_of(subnet() + "\nSwitch\t4 \"S-12\" # \"idle\"\n") ==
        "net:16: switch \"idle\" has no cabled port; cable it or leave it out");
  CHECK(error_of(subnet() + "\nSwitch\t0 \"S-12\" # \"none\"\n") ==
        "net:16: \"S-12\" has no ports; write how many it has, 64 for example");
  CHECK(error_of(replaced(subnet(), "# \"n2 mlx5_0\"\n[1](23)", "# \"n10 mlx5_0\"\n[1](23)")) ==
        "net:13: host \"n10\" has two HCAs named \"mlx5_0\"; two hosts of one name need names of their own");
  CHECK(error_of("hello\n") == "net:1: \"hello\" cannot be read; a record starts with Switch, Ca or Rt, a port with [");
}

TEST_CASE("forwarding tables: by the GUIDs of ports, and by LIDs") {
  const FabricGraph graph = read(subnet());
  const auto tables = read_forwarding(
      "Unicast lids [0x0-0x3] of switch Lid 1 guid 0x0000000000000011 (sw):\n"
      "  Lid  Out   Destination\n"
      "       Port     Info\n"
      "0x0001 000 : (Switch portguid 0x0000000000000011: 'sw')\n"
      "0x0002 001 : (Channel Adapter portguid 0x0000000000000021: 'n10 mlx5_0')\n"
      "0x0003 002 : \n"
      "3 lids dumped\n",
      "lfts", graph);
  REQUIRE_MESSAGE(tables.has_value(), tables.error().message);
  CHECK(tables->port(0, 1) == 1);
  CHECK(tables->port(0, 0) == 2);
  CHECK(read_forwarding("Unicast lids [0x0-0x3] of switch Lid 1 guid 0x99 (other):\n", "lfts", graph).error().message ==
        "lfts:1: the switch of \"guid 0x99 (other):\" is not in the fabric; read both from one subnet");
  CHECK(read_forwarding("Unicast lids of switch guid 0x11 (sw):\n0x0001 x\n", "lfts", graph).error().message ==
        "lfts:2: \"0x0001 x\" cannot be read; an entry is written as: 0x0001 033 : (…)");
  CHECK(read_forwarding("\n", "lfts", graph).error().message ==
        "lfts: no forwarding table in it; the output of dump_lfts or ibroute would be right");
}

TEST_CASE("topology.conf: read, and written as it was") {
  const FabricGraph graph = read(k_conf);
  CHECK(graph.hosts().size() == 4);
  CHECK(graph.levels() == 2);
  CHECK(bisection(graph, all_hosts(graph)).mbps == 800'000);
  const std::string text = write_topology_conf(tree_of(graph));
  CHECK(text.substr(text.find('\n') + 1) ==
        "SwitchName=l1 Nodes=n[1-2]\nSwitchName=l2 Nodes=n[3-4]\nSwitchName=top Switches=l[1-2]\n");
  CHECK(differences(graph, read(text)).empty());
}

TEST_CASE("topology.conf: spines that share leaves, and blocks") {
  const FabricGraph spines = read(
      "SwitchName=l1 Nodes=n1\nSwitchName=l2 Nodes=n2\nSwitchName=s1 Switches=l[1-2]\nSwitchName=s2 Switches=l[1-2]\n");
  CHECK(spines.cables().size() == 4);
  CHECK(bisection(spines, all_hosts(spines)).hosts_mbps == 400'000);
  const FabricGraph blocks = read("BlockName=b1 Nodes=n[1-18]\nBlockName=b2 Nodes=n[19-36]\nBlockSizes=18\n");
  CHECK(blocks.hosts().size() == 36);
  CHECK(blocks.switches().back().name == "blocks");
}

TEST_CASE("topology.conf: mistakes and their places") {
  CHECK(error_of("SwitchName=a Nodes=n1\nSwitchName=a Nodes=n2\n") ==
        "net:2: switch \"a\" is there twice, first in line 1; keep one");
  CHECK(error_of("SwitchName=a Nodes=n[1-3]\nSwitchName=b Nodes=n3\n") ==
        "net:2: host \"n3\" is there twice, first in line 1; keep one");
  CHECK(error_of("SwitchName=a Nodes=n1\nSwitchName=b Switches=a,c\n") ==
        "net:2: a cable to nowhere: \"c\" below switch \"b\" is no switch of this file; add a line for it or leave it "
        "out");
  CHECK(error_of("SwitchName=a\n") ==
        "net:1: switch \"a\" has no ports in use; name its nodes or the switches below it");
  CHECK(
      error_of("SwitchName=a Node=n1\n") ==
      "net:1: \"Node=n1\" is no setting of topology.conf; it has SwitchName, Switches, Nodes, LinkSpeed, BlockName and "
      "BlockSizes");
  CHECK(error_of("SwitchName=a Nodes=n[3-1]\n").starts_with("net:1: bad node list 'n[3-1]'"));
  CHECK(error_of("SwitchName=a Switches=b\nSwitchName=b Switches=a\n") ==
        "net: switch \"a\" is above itself: a circle of switches");
  CHECK(error_of("SwitchName=a Nodes=n1\nSwitchName=b Nodes=n2\nSwitchName=c Switches=a,a\n") == "");
}

TEST_CASE("topology.yaml: read, and written as it was") {
  const FabricGraph graph = read(k_conf);
  const std::string text = write_topology_yaml(tree_of(graph));
  CHECK(differences(graph, read(text)).empty());
  CHECK(write_topology_yaml(tree_of(read(text))) == text);
  const FabricGraph second = read(
      "---\n"
      "- topology: flat\n"
      "  flat: true\n"
      "- topology: blocks\n"
      "  cluster_default: true\n"
      "  block:\n"
      "    block_sizes:\n"
      "    - 4\n"
      "    blocks:\n"
      "    - block: b1\n"
      "      nodes: \"n[1-4]\"  # four\n");
  CHECK(second.hosts().size() == 4);
}

TEST_CASE("topology.yaml: mistakes and their places") {
  CHECK(error_of("- topology: t\n  tree:\n    switches:\n    - switch: a\n      hosts: n1\n") ==
        "net:5: \"hosts\" is not known here; a switch has switch, children and nodes\n"
        "net:4: switch \"a\" has no ports in use; name its nodes or the switches below it");
  CHECK(error_of("- topology: t\n  tree:\n    switches:\n    - switch: a\n      children: b\n") ==
        "net:4: a cable to nowhere: \"b\" below switch \"a\" is no switch of this file; add a line for it or leave it "
        "out");
  CHECK(error_of("- topology: t\n  flat: true\n").starts_with("net: no topology of kind tree or block in it"));
  CHECK(error_of("- topology: t\n  tree:\n    - switch: a\n").starts_with("net:3: no list \"switches\" here"));
}

TEST_CASE("YAML: words, lists and mistakes") {
  const auto root = parse_yaml("a: [x, \"y, z\", n[1-3]]\nb:\n- 1\n-\n  c: 'd # e'\n- - f\n  - g\nh:\n", "y");
  REQUIRE_MESSAGE(root.has_value(), root.error().message);
  const YamlNode* a = root->find("a");
  REQUIRE(a->items.size() == 3);
  CHECK(a->items[1].text == "y, z");
  CHECK(a->items[2].text == "n[1-3]");
  const YamlNode* b = root->find("b");
  REQUIRE(b->items.size() == 3);
  CHECK(b->items[1].find("c")->text == "d # e");
  CHECK(b->items[1].find("c")->line == 5);
  CHECK(b->items[2].items[1].text == "g");
  CHECK(root->find("h")->kind == YamlNode::Kind::empty);
  const auto wrong = [](std::string_view text) { return parse_yaml(text, "y").error().message; };
  CHECK(wrong("a: 1\n  b: 2\n") == "y:2: this line is indented more than those it belongs to");
  CHECK(wrong("  a: 1\nb: 2\n") == "y:2: this line is indented less than the first");
  CHECK(wrong("a: 1\na: 2\n") == "y:2: \"a\" is there twice; keep one");
  CHECK(wrong("\ta: 1\n") == "y:1: a tab at the beginning; YAML is indented with blanks");
  CHECK(wrong("a: &x 1\n") == "y:1: \"&x 1\": only plain words, quoted ones and [lists of them] can be read here");
  CHECK(wrong("a: 1\nb\n") == "y:2: \"b\" has no colon; a member is written as name: value");
}

TEST_CASE("CSV: switches are named by their place") {
  const FabricGraph graph = read("host,dsw,psw,asw\na,G,P1,S1\nb,G,P1,S2\nc,G,P2,S1\n");
  CHECK(graph.levels() == 3);
  CHECK(graph.switches()[0].name == "G.P1.S1");
  CHECK(graph.switches().size() == 6);
  const FabricGraph flat = read("host,leaf\na,1\nb,2\n");
  CHECK(flat.switches().back().name == "core");
  CHECK(error_of("host,leaf\na,1\na,2\n") == "net:3: host \"a\" is there twice, first in line 2; keep one");
}

TEST_CASE("CSV: the hosts of a real cluster, gzip'ed") {
  const auto path = shared_data() / "traces" / "lingjun-2023-topology.csv.gz";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: " << path.string() << " is not there");
    return;
  }
  const auto text = read_text_file(path.string());
  REQUIRE(text.has_value());
  const FabricGraph graph = read(*text);
  CHECK(graph.hosts().size() == 847);
  CHECK(graph.levels() == 3);
  const SwitchTree tree = tree_of(graph);
  CHECK(tree.switches.size() == graph.switches().size());
  CHECK(differences(graph_of(tree).value(), read(write_topology_conf(tree))).empty());
}

TEST_CASE("topograph: a model of the tree") {
  CHECK(write_topograph(tree_of(read("SwitchName=l1 Nodes=n[1-2],m\nSwitchName=top Switches=l1\n"))) ==
        "switches:\n  top:\n    switches: [l1]\nblocks:\n- switch: l1\n  nodes: [\"n[1-2]\", \"m\"]\n");
  CHECK(error_of("switches:\n  top: {}\n").find("are written, not read") != std::string::npos);
}

TEST_CASE("formats are known by their text") {
  CHECK(format_of("# x\n\nSwitchName=a") == FabricFormat::topology_conf);
  CHECK(format_of("---\n- topology: a") == FabricFormat::topology_yaml);
  CHECK(format_of("host,leaf\n") == FabricFormat::csv);
  CHECK(format_of("vendid=0x2c9\n") == FabricFormat::ibnetdiscover);
}

TEST_CASE("natural order: numbers in names count as numbers") {
  CHECK(natural_less("n2", "n10"));
  CHECK(!natural_less("n10", "n2"));
  CHECK(natural_less("n1", "n1 x"));
  CHECK(natural_less("n01", "n1") != natural_less("n1", "n01"));
  CHECK(!natural_less("n1", "n1"));
}

TEST_CASE("picture: every switch is in it, names are escaped") {
  const FabricGraph graph = read("SwitchName=<l1> Nodes=n[1-2]\nSwitchName=top Switches=<l1>\n");
  const auto tables = route_d_mod_k(graph);
  const auto all = load_all_to_all(graph, *tables, hcas_of(graph, all_hosts(graph)));
  const std::string svg = draw_fabric(graph, all->loads);
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("&lt;l1&gt;") != std::string::npos);
  CHECK(svg.find("<l1>") == std::string::npos);
  CHECK(svg.find("n1 … n2") != std::string::npos);
}

}  // namespace virga
