// What every cloud must do, whoever lends the machines (ports/cloud.hpp). Included by an adapter's own doctest file:
//
//   TEST_CASE("host cloud: contract") {
//     TestHome home;
//     check_cloud_contract({.open = [&](EventSink& sink) { return make_host_cloud(…, sink); }, …});
//   }
//
// The test case runs anew for every SUBCASE, so what it makes before the call is fresh. Nothing here depends on how
// fast the machine is: waiting ends with success, or with the failure of the test after a minute.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ports/cloud.hpp"
#include "ports/contract/recorder.hpp"
#include "ports/event_sink.hpp"

namespace virga {

struct CloudUnderTest {
  /// A controller's view of one and the same lender; closing and opening again is a controller's restart.
  std::function<std::unique_ptr<Cloud>(EventSink&)> open;
  Pool pool;
  /// A bootstrap that notes that it ran and then stays.
  std::function<std::string(const WantedVm&)> user_data;
  /// How often it ran on this VM.
  std::function<int(VmId)> runs;
  /// Pulls the plug of a living VM.
  std::function<void(VmId)> kill;
  /// From now on the boot of this node fails; "": no boot does.
  std::function<void(const std::string& node)> break_boot;
  /// How the lender calls the machine of a node, in what it says of a failed boot. Empty: as the node.
  std::function<std::string(const std::string& node)> machine_of = {};
  /// Names what the lender still holds for this instance; "" if nothing.
  std::function<std::string()> leftovers;
  /// Empty, or how a simulated lender's time passes.
  contract::Advance advance = {};
};

namespace cloud_contract {

using contract::eventually;
using RecordingSink = contract::Recorder;

inline ReserveGang gang(const CloudUnderTest& t, std::uint64_t id, std::uint32_t first, std::uint32_t count) {
  ReserveGang command{GangId{id}, t.pool, {}};
  for (std::uint32_t n = first; n < first + count; ++n) {
    command.vms.push_back({VmId{n}, t.pool.node_prefix + std::to_string(n)});
  }
  return command;
}

/// What the journal has of a gang after its grant.
inline std::vector<KnownVm> known(const ReserveGang& command, const GangGranted& granted) {
  std::vector<KnownVm> known;
  for (std::size_t i = 0; i < command.vms.size(); ++i) {
    known.push_back({command.vms[i].vm, command.vms[i].name, command.pool.name, granted.addresses[i]});
  }
  return known;
}

inline std::set<VmId> listed(Cloud& cloud, const std::vector<KnownVm>& known = {}) {
  std::set<VmId> vms;
  auto list = cloud.list(known);
  REQUIRE(list);
  for (const ListedVm& vm : *list) vms.insert(vm.vm);
  return vms;
}

inline void check_granted(const CloudUnderTest& t, Cloud& cloud, const ReserveGang& command,
                          const GangGranted& granted) {
  CHECK(granted.gang == command.gang);
  REQUIRE(granted.addresses.size() == command.vms.size());
  CHECK(std::set<std::string>(granted.addresses.begin(), granted.addresses.end()).size() == command.vms.size());
  auto list = cloud.list({});
  REQUIRE(list);
  for (std::size_t i = 0; i < command.vms.size(); ++i) {
    CHECK(eventually(t.advance, [&] { return t.runs(command.vms[i].vm) == 1; }));
    bool found = false;
    for (const ListedVm& vm : *list) {
      if (vm.vm != command.vms[i].vm) continue;
      found = true;
      CHECK(vm.pool == command.pool.name);
      CHECK(vm.address == granted.addresses[i]);
    }
    CHECK(found);
  }
}

/// The offer that names the pool, of a market in its order.
inline MarketOffer offer_for(const CloudUnderTest& t, const Market& market) {
  Market sorted = market;
  sort_market(sorted.offers);
  std::vector<MarketOffer> ours;
  for (std::size_t i = 0; i < market.offers.size(); ++i) {
    const MarketOffer& offer = market.offers[i];
    CHECK(offer.sku == sorted.offers[i].sku);
    CHECK(offer.region == sorted.offers[i].region);
    if (std::count(offer.pools.begin(), offer.pools.end(), t.pool.name) > 0) ours.push_back(offer);
  }
  REQUIRE(ours.size() == 1);
  return ours.front();
}

inline bool names_machine(const CloudUnderTest& t, const GangRefused& refused, const std::string& node) {
  return refused.message.find(t.machine_of ? t.machine_of(node) : node) != std::string::npos;
}

inline void release_all(Cloud& cloud, RecordingSink& sink, const std::vector<std::uint32_t>& vms) {
  std::size_t before = sink.all<VmReleased>().size();
  for (std::uint32_t vm : vms) cloud.release(VmId{vm});
  sink.first<VmReleased>(before + vms.size());
}

inline void check_nothing_left(const CloudUnderTest& t) {
  bool gone = eventually(t.advance, [&] { return t.leftovers().empty(); });
  CHECK_MESSAGE(gone, "left: ", t.leftovers());
}

inline void check_market(const CloudUnderTest& t, Cloud& cloud) {
  const Market market = cloud.market({{t.pool}});
  CHECK_MESSAGE(market.failure.empty(), market.failure);
  const MarketOffer offer = offer_for(t, market);
  CHECK(offer.sku == t.pool.sku.name);
  CHECK(offer.price_class == t.pool.purchase);
  CHECK(offer.cloud == t.pool.cloud);
  CHECK(offer.price_per_hour.has_value());
  CHECK(offer.quota != Quota::unknown);
  CHECK(offer.restriction.empty());
  CHECK(offer_for(t, cloud.market({{t.pool}})).quota_left == offer.quota_left);
  CHECK(listed(cloud).empty());
  check_nothing_left(t);
}

/// Of what is unknown, and of what is released already.
inline void check_idle_releases(const CloudUnderTest& t, Cloud& cloud, RecordingSink& sink) {
  release_all(cloud, sink, {77});
  auto command = gang(t, 1, 1, 1);
  cloud.reserve(command, t.user_data);
  sink.first<GangGranted>(1);
  release_all(cloud, sink, {1});
  release_all(cloud, sink, {1});
  CHECK(sink.all<VmReleased>().size() == 3);
}

}  // namespace cloud_contract

inline void check_cloud_contract(const CloudUnderTest& t) {
  namespace cc = cloud_contract;
  cc::RecordingSink sink(t.advance);
  auto cloud = t.open(sink);

  SUBCASE("a gang is granted, runs its user data once, and leaves nothing when it is released") {
    auto command = cc::gang(t, 1, 1, 4);
    cloud->reserve(command, t.user_data);
    cc::check_granted(t, *cloud, command, sink.first<GangGranted>(1)[0]);
    cc::release_all(*cloud, sink, {1, 2, 3, 4});
    CHECK(cc::listed(*cloud).empty());
    CHECK(sink.all<VmFailed>().empty());
    for (std::uint32_t vm = 1; vm <= 4; ++vm) CHECK(t.runs(VmId{vm}) == 1);
    cc::check_nothing_left(t);
  }

  SUBCASE("the market names each pool once, and lends nothing") { cc::check_market(t, *cloud); }

  SUBCASE("the same gang again has no effect but the answer") {
    auto command = cc::gang(t, 1, 1, 2);
    cloud->reserve(command, t.user_data);
    auto first = sink.first<GangGranted>(1)[0];
    cc::check_granted(t, *cloud, command, first);
    cloud->reserve(command, t.user_data);
    auto second = sink.first<GangGranted>(2)[1];
    CHECK(second.addresses == first.addresses);
    cc::check_granted(t, *cloud, command, second);
    cc::release_all(*cloud, sink, {1, 2});
  }

  SUBCASE("two gangs at once keep apart") {
    auto one = cc::gang(t, 1, 1, 2);
    auto two = cc::gang(t, 2, 3, 2);
    cloud->reserve(one, t.user_data);
    cloud->reserve(two, t.user_data);
    auto granted = sink.first<GangGranted>(2);
    std::set<std::string> addresses;
    for (const auto& g : granted) addresses.insert(g.addresses.begin(), g.addresses.end());
    CHECK(addresses.size() == 4);
    cc::release_all(*cloud, sink, {1, 2});
    CHECK(cc::listed(*cloud) == std::set<VmId>{VmId{3}, VmId{4}});
    cc::release_all(*cloud, sink, {3, 4});
    cc::check_nothing_left(t);
  }

  SUBCASE("a gang of which one node does not boot is refused whole") {
    auto command = cc::gang(t, 1, 1, 4);
    t.break_boot(command.vms[2].name);
    cloud->reserve(command, t.user_data);
    auto refused = sink.first<GangRefused>(1)[0];
    CHECK(refused.gang == command.gang);
    CHECK(refused.refusal == Refusal::fault);
    CHECK_MESSAGE(cc::names_machine(t, refused, command.vms[2].name), refused.message);
    CHECK(sink.all<GangGranted>().empty());
    CHECK(cc::listed(*cloud).empty());
    cc::check_nothing_left(t);
    t.break_boot("");
    cc::release_all(*cloud, sink, {1, 2, 3, 4});  // of what was never granted
    CHECK(sink.all<VmFailed>().empty());
  }

  SUBCASE("a death is told once, and a dead VM can be released") {
    auto command = cc::gang(t, 1, 1, 3);
    cloud->reserve(command, t.user_data);
    cc::check_granted(t, *cloud, command, sink.first<GangGranted>(1)[0]);
    t.kill(VmId{2});
    CHECK(sink.first<VmFailed>(1)[0].vm == VmId{2});
    cc::release_all(*cloud, sink, {1, 2, 3});
    CHECK(sink.all<VmFailed>().size() == 1);
    cc::check_nothing_left(t);
  }

  SUBCASE("an unknown or already released VM is answered as released") { cc::check_idle_releases(t, *cloud, sink); }

  SUBCASE("VMs survive their controller; the next one lists, adopts and releases them") {
    auto command = cc::gang(t, 1, 1, 3);
    cloud->reserve(command, t.user_data);
    auto granted = sink.first<GangGranted>(1)[0];
    cc::check_granted(t, *cloud, command, granted);
    cloud.reset();
    cc::RecordingSink next_sink(t.advance);
    auto next = t.open(next_sink);
    CHECK(cc::listed(*next, cc::known(command, granted)) == std::set<VmId>{VmId{1}, VmId{2}, VmId{3}});
    for (const WantedVm& vm : command.vms) next->adopt(vm.vm);
    next->reserve(command, t.user_data);
    CHECK(next_sink.first<GangGranted>(1)[0].addresses == granted.addresses);
    t.kill(VmId{3});
    CHECK(next_sink.first<VmFailed>(1)[0].vm == VmId{3});
    cc::release_all(*next, next_sink, {1, 2, 3});
    for (const WantedVm& vm : command.vms) CHECK(t.runs(vm.vm) == 1);
    CHECK(cc::listed(*next).empty());
    cc::check_nothing_left(t);
  }

  SUBCASE("a VM that died while no controller was there is told when it is adopted") {
    auto command = cc::gang(t, 1, 1, 2);
    cloud->reserve(command, t.user_data);
    const auto granted = sink.first<GangGranted>(1)[0];
    cc::check_granted(t, *cloud, command, granted);
    cloud.reset();
    t.kill(VmId{1});
    cc::RecordingSink next_sink(t.advance);
    auto next = t.open(next_sink);
    CHECK(cc::listed(*next, cc::known(command, granted)).count(VmId{2}) == 1);
    for (const WantedVm& vm : command.vms) next->adopt(vm.vm);
    CHECK(next_sink.first<VmFailed>(1)[0].vm == VmId{1});
    cc::release_all(*next, next_sink, {1, 2});
    cc::check_nothing_left(t);
  }
}

}  // namespace virga
