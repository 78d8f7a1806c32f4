// The host cloud keeps the contract of ports/cloud.hpp in every tier.
#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

TEST_CASE("root tier: contract") {
  if (!enter(Tier::root)) return;
  Instance instance;
  check_cloud_contract(instance.under_test(Tier::root));
}

TEST_CASE("user tier: contract") {
  if (!enter(Tier::user)) return;
  Instance instance;
  check_cloud_contract(instance.under_test(Tier::user));
}

TEST_CASE("plain tier: contract") {
  if (!enter(Tier::plain)) return;
  Instance instance;
  check_cloud_contract(instance.under_test(Tier::plain));
}

}  // namespace virga::host_test
