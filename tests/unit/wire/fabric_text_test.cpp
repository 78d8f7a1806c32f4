// The table of a network: what it means, and how each mistake in it is told.
#include "wire/fabric_text.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace virga {
namespace {

std::string error_of(std::string_view text) {
  const auto network = parse_fabric_text(text, "net.csv");
  return network ? "" : network.error().message;
}

/// $VIRGA_SHARED_DATA, else shared/data beside the folder that the project lies in.
std::filesystem::path shared_data() {
  if (const char* folder = std::getenv("VIRGA_SHARED_DATA")) return folder;
  auto root = std::filesystem::current_path();
  while (root.has_relative_path() && !std::filesystem::exists(root / "docs" / "design.md")) root = root.parent_path();
  return root.parent_path() / "shared" / "data";
}

std::string unpacked(const std::filesystem::path& path) {
  std::string text;
  std::FILE* pipe = popen(("gzip -dc '" + path.string() + "'").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char block[4096];
  while (const std::size_t size = std::fread(block, 1, sizeof block, pipe)) text.append(block, size);
  pclose(pipe);
  return text;
}

}  // namespace

TEST_CASE("fabric text: hosts, leaves, spines and pods") {
  const auto network = parse_fabric_text(
      "# a comment\n"
      "asw,host,psw,dsw\r\n"
      "S1,a,P1,G1\n"
      "S1,b,P2,G1\n"
      "\n"
      "S2,c,P1,G1\n"
      " S1 , d , P1 , G1\n"
      "S9,e,P1,G2",
      "net.csv");
  REQUIRE(network.has_value());
  const Fabric& fabric = network->fabric;
  CHECK(network->hosts == std::vector<std::string>{"a", "b", "c", "d", "e"});
  CHECK(network->leaf_names == std::vector<std::string>{"G1/P1/S1", "G1/P1/S2", "G1/P2/S1", "G2/P1/S9"});
  CHECK(fabric.reach(0, 3) == Reach::leaf);
  CHECK(fabric.reach(0, 2) == Reach::spine);
  CHECK(fabric.reach(0, 1) == Reach::pod);
  CHECK(fabric.reach(0, 4) == Reach::core);
}

TEST_CASE("fabric text: NVLink domains and scale sets") {
  const auto network = parse_fabric_text("node,leaf,nvlink,scale_set\na,1,x,s\nb,1,x,s\nc,1,,t\nd,1,,t\n", "net.csv");
  REQUIRE(network.has_value());
  const Fabric& fabric = network->fabric;
  CHECK(fabric.spines() == 1);
  CHECK(fabric.reach(0, 1) == Reach::nvlink);
  CHECK(fabric.reach(2, 3) == Reach::leaf);
  CHECK(fabric.scale_sets() == 2);
  CHECK(fabric.scale_set(1) == 0);
  CHECK(fabric.scale_set(2) == 1);
}

TEST_CASE("fabric text: each mistake is told with its line") {
  CHECK(error_of("").find("no host; write a header") != std::string::npos);
  CHECK(error_of("host,leaf\n") == "net.csv:2: no host; write a header such as host,pod,spine,leaf and the hosts");
  CHECK(error_of("host,rack\na,1\n") ==
        "net.csv:1: unknown column \"rack\"; known are host, leaf (asw), spine (psw), pod (dsw), nvlink, scale_set");
  CHECK(error_of("host,asw,leaf\n") == "net.csv:1: column \"leaf\" says the same as one before it; keep one");
  CHECK(error_of("host,spine\n") == "net.csv:1: no column \"leaf\"; the first line names the columns");
  CHECK(error_of("host,leaf,pod\n").find("\"pod\" without \"spine\"") != std::string::npos);
  CHECK(error_of("host,leaf\na,1\nb\n") == "net.csv:3: 1 fields; the first line names 2 columns");
  CHECK(error_of("host,leaf\n,1\n") == "net.csv:2: the host has no name; write one");
  CHECK(error_of("host,leaf\na,1\na,2\n") == "net.csv:3: host \"a\" is there twice, first in line 2; keep one");
  CHECK(error_of("host,leaf\na,\n") ==
        "net.csv:2: host \"a\" hangs on no leaf, so there is no way from it to the others; name its leaf");
  CHECK(error_of("host,leaf,spine\na,1,P\nb,2,\n") ==
        "net.csv:3: leaf \"2\" hangs on no spine, so there is no way from it to the others; name its spine");
  CHECK(error_of("host,leaf,nvlink\na,1,x\nb,2,x\n") ==
        "net.csv:3: NVLink domain \"x\" has hosts below leaf \"1\" (line 2) and \"2\"; it lies below one leaf");
  CHECK(error_of("host,leaf,scale_set\na,1,x\nb,1,y\nc,1,x\n") ==
        "net.csv:4: scale set \"x\", which starts in line 2, ended before this line; put its hosts together");
  CHECK(error_of("host,leaf\na,1\na,1\nb,\n") ==
        "net.csv:3: host \"a\" is there twice, first in line 2; keep one\n"
        "net.csv:4: host \"b\" hangs on no leaf, so there is no way from it to the others; name its leaf");
  CHECK(error_of("host,leaf\na\x01,1\n").find("net.csv:2: the host's name is too long, or holds control") == 0);
}

TEST_CASE("fabric text: a real training cluster") {
  const auto path = shared_data() / "traces" / "lingjun-2023-topology.csv.gz";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no traces/lingjun-2023-topology.csv.gz in " << shared_data().string()
                                                                  << "; set VIRGA_SHARED_DATA");
    return;
  }
  const auto network = parse_fabric_text(unpacked(path), "lingjun.csv");
  REQUIRE(network.has_value());
  CHECK(network->fabric.slots() == 847);
  CHECK(network->fabric.leaves() == 119);
  CHECK(network->fabric.spines() == 3);
  CHECK(network->fabric.pods() == 1);
  CHECK(network->hosts.front() == "h0000");
}

}  // namespace virga
