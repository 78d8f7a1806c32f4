// More nodes than the ports of one bridge: the fabric has several, and all reach each other as on one.
#include <fmt/format.h>

#include "clouds/host/fabric.hpp"
#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

namespace cc = cloud_contract;

namespace {

/// What the other side says where nobody listens; so there is a way, and one back.
bool reaches(const Instance& instance, std::uint64_t from, const std::string& address) {
  const std::string said =
      inside(instance, VmId{from}, fmt::format("timeout 20 bash -c \"echo > /dev/tcp/{}/9\"", address));
  return said.find("Connection refused") != std::string::npos;
}

/// Of the fabric, by the numbers of its bridges.
std::string ports_of(const Instance& instance, int bridge) {
  const pid_t fabric = host::lock_holder(host::fabric_lock_path(instance.home()));
  const std::string command = fmt::format("nsenter -t {} -n ip -br link show master br{} | wc -l", fabric, bridge);
  std::FILE* pipe = popen(command.c_str(), "r");
  char line[64] = "";
  (void)!std::fgets(line, sizeof line, pipe);
  pclose(pipe);
  return std::string(line, std::strcspn(line, "\n"));
}

}  // namespace

TEST_CASE("root tier: nodes on several bridges are on one fabric, also after a restart") {
  if (!enter(Tier::root)) return;
  Instance instance;
  HostCloudOptions options = instance.options();
  options.machine_on_fabric = true;
  options.nodes_per_bridge = 2;
  const CloudUnderTest t = instance.under_test(Tier::root);
  cc::RecordingSink sink;
  std::unique_ptr<Cloud> cloud = make_host_cloud(options, sink);
  cloud->reserve(cc::gang(t, 1, 1, 5), t.user_data);
  std::vector<std::string> addresses = sink.first<GangGranted>(1)[0].addresses;
  CHECK(instance.file(VmId{5}).bridge == 2);
  for (const std::pair<std::uint64_t, std::size_t> way : {std::pair(1, 2), {1, 3}, {3, 5}, {5, 1}, {4, 2}}) {
    CHECK_MESSAGE(reaches(instance, way.first, addresses[way.second - 1]), way.first, " to ", way.second);
  }
  CHECK(reaches(instance, 5, host::machine_address(instance.home())));
  CHECK(ports_of(instance, 0) == "5");  // two nodes, the machine, two bridges
  CHECK(ports_of(instance, 1) == "3");
  CHECK(ports_of(instance, 2) == "2");

  // Who comes back in the middle of it makes what is missing: a bridge without its way to the others.
  const pid_t fabric = host::lock_holder(host::fabric_lock_path(instance.home()));
  REQUIRE(std::system(fmt::format("nsenter -t {} -n ip link del up2", fabric).c_str()) == 0);
  cloud.reset();
  cc::RecordingSink second;
  cloud = make_host_cloud(options, second);
  REQUIRE(cloud->list({}));
  cloud->reserve(cc::gang(t, 2, 6, 2), t.user_data);
  const std::vector<std::string> later = second.first<GangGranted>(1)[0].addresses;
  CHECK(instance.file(VmId{7}).bridge == 3);
  CHECK(reaches(instance, 7, addresses[0]));
  CHECK(reaches(instance, 5, later[1]));
  CHECK(reaches(instance, 1, later[0]));
  for (std::uint64_t vm = 1; vm <= 7; ++vm) cloud->release(VmId{vm});
  CHECK(cc::eventually({}, [&] { return second.all<VmReleased>().size() == 7; }));
  CHECK(cc::eventually({}, [&] { return instance.leftovers().empty(); }));
}

}  // namespace virga::host_test
