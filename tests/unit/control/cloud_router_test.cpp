// Each pool's machines come from, and go back to, the cloud that the pool names.
#include "control/cloud_router.hpp"

#include <doctest/doctest.h>

#include "ports/contract/recorder.hpp"

namespace {

using virga::Cloud;
using virga::CloudRouter;
using virga::Code;
using virga::EventSink;
using virga::GangId;
using virga::GangRefused;
using virga::KnownVm;
using virga::ListedVm;
using virga::Refusal;
using virga::ReserveGang;
using virga::Result;
using virga::VmId;
using virga::VmReleased;
using virga::WantedVm;

/// Notes what it is asked.
class FakeCloud : public Cloud {
 public:
  struct Notes {
    std::string name;
    std::vector<std::uint64_t> reserved, released, adopted;
    std::vector<ListedVm> there;
    bool answers = true;
  };
  FakeCloud(Notes& notes, EventSink& sink) : notes_(notes), sink_(sink) {}

  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>&) override {
    notes_.reserved.push_back(command.gang.value);
  }
  void release(VmId vm) override {
    notes_.released.push_back(vm.value);
    sink_.post(VmReleased{vm});
  }
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>&) override {
    if (!notes_.answers) return virga::fail(Code::unavailable, "it does not answer", true);
    return notes_.there;
  }
  void adopt(VmId vm) override { notes_.adopted.push_back(vm.value); }
  virga::Market market(const virga::MarketQuery& query) override {
    virga::Market market = virga::market_of_pools(query.pools, notes_.name);
    if (!notes_.answers) market.failure = notes_.name + " does not answer";
    return market;
  }

 private:
  Notes& notes_;
  EventSink& sink_;
};

using Numbers = std::vector<std::uint64_t>;

struct World {
  virga::contract::Recorder sink;
  FakeCloud::Notes host{"host", {}, {}, {}, {}}, azure{"azure", {}, {}, {}, {}};
  CloudRouter clouds{sink};
  World() {
    clouds.add("host", std::make_unique<FakeCloud>(host, clouds));
    clouds.add("azure", std::make_unique<FakeCloud>(azure, clouds));
  }
  void reserve(const std::string& cloud, std::uint64_t gang, std::uint64_t vm) {
    ReserveGang command{GangId{gang}, {}, {{VmId{vm}, "n"}}};
    command.pool.cloud = cloud;
    clouds.reserve(command, {});
  }
};

}  // namespace

TEST_CASE("cloud router: each VM goes back to where it came from") {
  World world;
  world.reserve("azure", 1, 11);
  world.reserve("host", 2, 12);
  CHECK(world.azure.reserved == Numbers{1});
  CHECK(world.host.reserved == Numbers{2});
  world.clouds.release(VmId{12});
  world.clouds.release(VmId{11});
  CHECK(world.azure.released == Numbers{11});
  CHECK(world.host.released == Numbers{12});
  CHECK(world.sink.all<VmReleased>().size() == 2);
  world.clouds.release(VmId{11});  // nobody's by now
  CHECK(world.host.released == Numbers{12, 11});
}

TEST_CASE("cloud router: after a restart the lists say whose a VM is") {
  World world;
  world.azure.there = {{VmId{7}, "nd", "10.64.0.4"}};
  world.host.there = {{VmId{8}, "cpu", "10.70.0.1"}};
  const auto listed = world.clouds.list({});
  REQUIRE(listed);
  CHECK(listed->size() == 2);
  world.clouds.adopt(VmId{7});
  world.clouds.release(VmId{7});
  world.clouds.adopt(VmId{8});
  CHECK(world.azure.adopted == Numbers{7});
  CHECK(world.azure.released == Numbers{7});
  CHECK(world.host.adopted == Numbers{8});
  CHECK(world.host.released.empty());
}

TEST_CASE("cloud router: what no cloud lists is released by the cloud that the journal says it is of") {
  World world;
  REQUIRE(world.clouds.list({{VmId{7}, "nd1", "nd", "10.64.0.4", "azure"}, {VmId{8}, "x1", "x", "10.70.0.1", "host"}}));
  world.clouds.release(VmId{7});
  world.clouds.release(VmId{8});
  CHECK(world.azure.released == Numbers{7});
  CHECK(world.host.released == Numbers{8});
  const auto lost = world.clouds.list({{VmId{9}, "y1", "y", "10.80.0.1", "moon"}});
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == Code::invalid);
  CHECK(lost.error().message.find("node y1 is a VM of the cloud \"moon\"") == 0);
}

TEST_CASE("cloud router: one cloud that does not answer is no empty cloud; one that is not there refuses") {
  World world;
  world.azure.answers = false;
  CHECK(world.clouds.list({}).error().message == "it does not answer");
  world.reserve("moon", 3, 13);
  const auto refused = world.sink.first<GangRefused>(1)[0];
  CHECK(refused.gang == GangId{3});
  CHECK(refused.refusal == Refusal::setup);
  CHECK(refused.message.find("\"moon\"") != std::string::npos);
}

TEST_CASE("cloud router: the market is that of all clouds, in one order, with each reason why something is unknown") {
  World world;
  virga::MarketQuery query{std::vector<virga::Pool>(3)};
  const std::pair<const char*, const char*> pools[] = {{"b", "azure"}, {"a", "host"}, {"c", "host"}};
  for (std::size_t i = 0; i < 3; ++i) {
    query.pools[i].name = pools[i].first;
    query.pools[i].cloud = pools[i].second;
    query.pools[i].sku.name = std::string("size-") + pools[i].first;
  }
  const virga::Market market = world.clouds.market(query);
  REQUIRE(market.offers.size() == 3);
  CHECK(market.failure.empty());
  for (std::size_t i = 0; i < 3; ++i) CHECK(market.offers[i].sku == std::string("size-") + "abc"[i]);
  CHECK(market.offers[1].cloud == "azure");
  world.azure.answers = world.host.answers = false;
  CHECK(world.clouds.market(query).failure == "host does not answer; azure does not answer");
}
