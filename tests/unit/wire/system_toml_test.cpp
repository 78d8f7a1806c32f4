// A user's own machines: what is read, and mistakes with their places.
#include "wire/system_toml.hpp"

#include <doctest/doctest.h>

namespace virga {

TEST_CASE("system_toml: a GPU of the catalogue") {
  const auto own = parse_system_toml("gpu = \"H100\"\ngpus_per_node = 4\nnic_gbit_per_s = 200\n", "lab.toml");
  REQUIRE(own.has_value());
  CHECK(own->system.gpu->name == "H100-SXM-80GB");
  CHECK(own->system.gpus_per_node == 4);
  CHECK(own->system.domain == 4);
  CHECK(own->system.nic_bytes_s == 25e9);
  CHECK(own->system.network == "ib_hdr");
  CHECK(own->usd_per_node_hour == 0);
}

TEST_CASE("system_toml: a GPU that resembles one, and a price") {
  const auto own = parse_system_toml(
      "name = \"lab\"\nprice_usd_per_node_hour = 20.5\nnetwork = \"roce\"\nnvlink_domain = 72\n"
      "[gpu]\nname = \"H100-600W\"\nlike = \"h100\"\ntflops_16 = 850\nhbm_gib = 70\n",
      "lab.toml");
  REQUIRE(own.has_value());
  CHECK(own->system.name == "lab");
  CHECK(own->system.domain == 72);
  CHECK(own->usd_per_node_hour == 20.5);
  CHECK(own->gpu->name == "H100-600W");
  CHECK(own->gpu->peak_16 == 850e12);
  CHECK(own->gpu->peak_8 == twin::find_gpu("H100")->peak_8);
  CHECK(own->system.gpu == own->gpu.get());
}

TEST_CASE("system_toml: mistakes") {
  const auto error_of = [](std::string_view text) {
    const auto own = parse_system_toml(text, "lab.toml");
    REQUIRE_FALSE(own.has_value());
    return own.error().message;
  };
  CHECK(error_of("gpu = \"H100\"\nnic_gbyte_per_s = 25\n").find("lab.toml:2:1: unknown key \"nic_gbyte_per_s\"") == 0);
  CHECK(error_of("gpu = \"H101\"\n").find("\"H101\" is not in the catalogue") != std::string::npos);
  CHECK(error_of("name = \"x\"\n").find("gpu: is missing") != std::string::npos);
  CHECK(error_of("[gpu]\nhbm_gib = 70\n").find("gpu.like: is missing") != std::string::npos);
  CHECK(error_of("gpu = \"H100\"\nnetwork = \"wifi\"\n").find("\"wifi\" is no kind of network") != std::string::npos);
  CHECK(error_of("gpu = \"H100\"\ngpus_per_node = 0\n").find("lab.toml:2:") == 0);
  CHECK(error_of("gpu = ").find("lab.toml:1:") == 0);
}

}  // namespace virga
