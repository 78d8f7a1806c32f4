// The table of healthy sizes: one row for each size that is sold, and no row that cannot be.
#include "wire/health_table.hpp"

#include <doctest/doctest.h>

#include "wire/sku_table.hpp"

namespace virga {

TEST_CASE("health table: every size of the price list has a row with its GPUs") {
  CHECK(known_health_limits().size() == known_skus().size());
  for (const Sku& sku : known_skus()) {
    CAPTURE(sku.name);
    const HealthLimits* limits = find_health_limits(sku.name);
    REQUIRE(limits != nullptr);
    CHECK(limits->gpus == sku.resources.gpus);
    CHECK((limits->vendor == GpuVendor::amd) == sku.gpu_model.starts_with("MI"));
  }
  const HealthLimits& h100 = *find_health_limits("Standard_ND96isr_H100_v5");
  CHECK(h100.nvlinks == 18);
  CHECK(h100.ib_ports == 8);
  CHECK(h100.ib_gbit_per_s == 400);
  CHECK(h100.all_reduce_gb_per_s == 460);
  CHECK(h100.all_reduce_gib == 16);
  CHECK(find_health_limits("Standard_NC80adis_H100_v5")->nvlinks == 12);
  CHECK(find_health_limits("Standard_NC24ads_A100_v4")->nvlinks == 0);
  CHECK(find_health_limits("tiny") == nullptr);
}

TEST_CASE("health table: a row that cannot be is a fault of the build") {
  const std::string head =
      "name,gpu_vendor,gpus,nvlinks_per_gpu,ib_ports,ib_gbit_per_s,all_reduce_gb_per_s,all_reduce_gib\n";
  CHECK(parse_health_table(head + "a,nvidia,8,18,8,400,460,16\n")->front().gpus == 8);
  CHECK(parse_health_table(head + "a,amd,1,,,,,\n")->front().vendor == GpuVendor::amd);
  for (const char* bad : {"a,intel,8,18,8,400,460,16", "a,nvidia,,18,8,400,460,16", "a,nvidia,8,18,8,,460,16",
                          "a,nvidia,8,18,8,400,460,", "a,nvidia,8,x,8,400,460,16", ",nvidia,8,18,8,400,460,16"}) {
    CAPTURE(bad);
    CHECK(parse_health_table(head + bad + "\n").error().code == Code::corrupt);
  }
}

}  // namespace virga
