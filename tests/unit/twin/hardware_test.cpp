// The machines: all of Azure's GPU sizes, and GPUs by each of their names.
#include "twin/hardware.hpp"

#include <doctest/doctest.h>

namespace virga::twin {

TEST_CASE("hardware: Azure's sizes") {
  const System* nd = find_system("standard_nd96amsr_a100_v4");
  REQUIRE(nd != nullptr);
  CHECK(nd->gpu->name == "A100-SXM4-80GB");
  CHECK(nd->gpus_per_node == 8);
  CHECK(nd->net().nic_bytes_s == 25e9);
  CHECK(nd->net().nvlink_bytes_s == 300e9);
  CHECK_FALSE(nd->net().nvls);
  CHECK(find_system("Standard_ND128isr_NDR_GB200_v6")->domain == 72);
  CHECK(find_system("Standard_NC96ads_A100_v4")->domain == 2);
  CHECK(find_system("Standard_NC24ads_A100_v4")->nic_bytes_s == 0);
  CHECK(find_system("Standard_D2") == nullptr);
}

TEST_CASE("hardware: GPUs by their names in tables and papers") {
  CHECK(find_gpu("h100") == find_gpu("H100-SXM-80GB"));
  CHECK(find_gpu("GB200-NVL72") == find_gpu("GB200"));
  CHECK(find_gpu("T4") == nullptr);
  CHECK(find_gpu("A100")->peak(Precision::fp8) == 0);
  CHECK(find_gpu("H100")->peak(Precision::mxfp8) == doctest::Approx(1978.9e12));
  for (const Gpu& gpu : known_gpus()) {
    CAPTURE(gpu.name);
    CHECK(gpu.plateau(Precision::bf16) < gpu.peak(Precision::bf16));
    CHECK(gpu.hbm_bytes > 0);
  }
}

TEST_CASE("hardware: a table that cannot be read says where") {
  const auto gpus = parse_gpus("name,aliases,sms,tflops_16\nX,,many,1\n");
  REQUIRE(!gpus);
  CHECK(gpus.error().message == "GPU table, line 2: cannot be read");
  const auto systems = parse_systems("name,gpu,gpus\nx,no-such-gpu,8\n", known_gpus());
  REQUIRE(!systems);
  CHECK(systems.error().message == "systems table, line 2: cannot be read");
}

}  // namespace virga::twin
