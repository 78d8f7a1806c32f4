// Two instances on one machine, or an instance and the machine's own network, never share a /16.
#include "clouds/host/subnet.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "clouds/host/sys.hpp"
#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

namespace {

/// An interface of this machine with an address in that /16, while it lives.
class ForeignAddress {
 public:
  explicit ForeignAddress(int subnet) {
    REQUIRE(run("ip link add vsubnet0 type veth peer name vsubnet1"));
    REQUIRE(run(fmt::format("ip addr add 10.{}.249.249/24 dev vsubnet0", subnet)));
  }
  ~ForeignAddress() { run("ip link del vsubnet0"); }
  ForeignAddress(const ForeignAddress&) = delete;

 private:
  static bool run(const std::string& command) { return std::system(command.c_str()) == 0; }
};

}  // namespace

TEST_CASE("root tier: an instance keeps off a /16 that the machine is on, unless its nodes are in it already") {
  if (!enter(Tier::root)) return;
  Instance instance;
  const std::string kept = instance.home().path + "/subnet";
  const int first = host::subnet_of(instance.home());
  CHECK(first >= 64);
  CHECK(first < 192);
  CHECK(host::read_file(kept) == std::to_string(first) + "\n");
  {
    const ForeignAddress foreign(first);
    const int second = host::subnet_of(instance.home());
    CHECK(second != first);
    CHECK(host::subnet_of(instance.home()) == second);
  }
  const int second = host::subnet_of(instance.home());
  CHECK(second != first);  // what was chosen stays
  {
    const CloudUnderTest t = instance.under_test(Tier::root);
    cloud_contract::RecordingSink sink;
    HostCloudOptions options = instance.options();
    options.machine_on_fabric = true;
    std::unique_ptr<Cloud> cloud = make_host_cloud(options, sink);
    cloud->reserve(cloud_contract::gang(t, 1, 1, 1), t.user_data);
    const std::string address = sink.first<GangGranted>(1)[0].addresses[0];
    CHECK(address.rfind(fmt::format("10.{}.", second), 0) == 0);
    const ForeignAddress foreign(second);
    CHECK(host::subnet_of(instance.home()) == second);
    cloud->release(VmId{1});
    CHECK(cloud_contract::eventually({}, [&] { return sink.all<VmReleased>().size() == 1; }));
  }
  CHECK(cloud_contract::eventually({}, [&] { return instance.leftovers().empty(); }));
}

TEST_CASE("root tier: a file that says no number is written anew") {
  if (!enter(Tier::root)) return;
  Instance instance;
  const std::string kept = instance.home().path + "/subnet";
  for (const std::string text : {"", "200\n", "many\n"}) {
    REQUIRE(replace_file(kept, text, 0644));
    const int chosen = host::subnet_of(instance.home());
    CHECK(host::read_file(kept) == std::to_string(chosen) + "\n");
    CHECK(chosen < 192);
  }
}

}  // namespace virga::host_test
