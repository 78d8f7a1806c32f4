// Fair shares: what max-min fairness means, on networks drawn at random; jobs that share a fat tree.
#include "twin/flow.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/prng.hpp"
#include "fabric/fat_tree.hpp"
#include "twin/routed.hpp"
#include "twin/shared_fabric.hpp"

namespace virga {
namespace {

struct RandomNetwork {
  std::vector<double> capacities;
  FlowPaths flows;
};

RandomNetwork random_network(std::uint64_t seed) {
  Prng prng(seed);
  RandomNetwork network;
  const auto links = std::uint32_t(1 + prng.below(30));
  for (std::uint32_t i = 0; i < links; ++i) network.capacities.push_back(double(prng.below(100)) / 4);
  const auto flows = prng.below(80);
  for (std::uint64_t i = 0; i < flows; ++i) {
    std::vector<std::uint32_t> path;
    for (std::uint32_t link = 0; link < links; ++link) {
      if (prng.below(6) == 0) path.push_back(link);
    }
    network.flows.add(path);
  }
  return network;
}

std::vector<double> loads(const RandomNetwork& network, const std::vector<double>& rates) {
  std::vector<double> loads(network.capacities.size(), 0);
  for (std::size_t flow = 0; flow < rates.size(); ++flow) {
    for (const std::uint32_t link : network.flows.path(flow)) loads[link] += rates[flow];
  }
  return loads;
}

std::vector<double> sorted(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  return rates;
}

std::vector<std::uint32_t> range(std::uint32_t first, std::uint32_t count) {
  std::vector<std::uint32_t> nodes(count);
  std::iota(nodes.begin(), nodes.end(), first);
  return nodes;
}

constexpr double k_rounding = 1e-9;

/// A fat tree with its routes.
struct Routed {
  explicit Routed(const FatTreeShape& shape) : graph(*build_fat_tree(shape)), tables(*route_d_mod_k(graph)) {}
  std::vector<double> nic_rates(const std::vector<RoutedJob>& jobs) const {
    return *routed_nic_rates(graph, tables, jobs);
  }
  std::vector<CollectiveEstimate> estimates(const std::vector<RoutedJob>& jobs, const Net& net) const {
    return *routed_estimates(graph, tables, jobs, Collective::all_reduce, 1 << 30, net);
  }

  FabricGraph graph;
  ForwardingTables tables;
};

}  // namespace

TEST_CASE("flow: known shares") {
  FlowPaths flows;
  flows.add({0, 1});
  flows.add({1});
  CHECK(max_min_rates(std::vector<double>{10, 4}, flows) == std::vector<double>{2, 2});
  CHECK(max_min_rates(std::vector<double>{1, 4}, flows) == std::vector<double>{1, 3});
  CHECK(max_min_rates(std::vector<double>{0, 4}, flows) == std::vector<double>{0, 4});
  FlowPaths free;
  free.add({});
  CHECK(std::isinf(max_min_rates(std::vector<double>{1}, free)[0]));
  CHECK(max_min_rates({}, FlowPaths()).empty());
}

TEST_CASE("flow: no link is over its capacity, and each flow has a link that gives it no more") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    INFO("seed ", seed);
    const auto network = random_network(seed);
    const auto rates = max_min_rates(network.capacities, network.flows);
    const auto load = loads(network, rates);
    for (std::size_t link = 0; link < load.size(); ++link) REQUIRE(load[link] <= network.capacities[link] + k_rounding);
    std::vector<double> most(load.size(), 0);
    for (std::size_t flow = 0; flow < rates.size(); ++flow) {
      for (const std::uint32_t link : network.flows.path(flow)) most[link] = std::max(most[link], rates[flow]);
    }
    for (std::size_t flow = 0; flow < rates.size(); ++flow) {
      const auto path = network.flows.path(flow);
      const bool limited = std::any_of(path.begin(), path.end(), [&](std::uint32_t link) {
        return load[link] >= network.capacities[link] - k_rounding && rates[flow] >= most[link] - k_rounding;
      });
      REQUIRE(limited == !path.empty());
    }
  }
}

TEST_CASE("flow: more bandwidth never makes the slowest slower") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    INFO("seed ", seed);
    auto network = random_network(seed);
    const auto before = sorted(max_min_rates(network.capacities, network.flows));
    network.capacities[seed % network.capacities.size()] += 5;
    const auto after = sorted(max_min_rates(network.capacities, network.flows));
    // In the order of their rates, the first that changed has more.
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (std::abs(after[i] - before[i]) <= k_rounding || after[i] == before[i]) continue;
      REQUIRE(after[i] > before[i]);
      break;
    }
  }
}

TEST_CASE("flow: twice the bandwidth is twice the rate, and the same question has the same answer") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    auto network = random_network(seed);
    const auto rates = max_min_rates(network.capacities, network.flows);
    CHECK(max_min_rates(network.capacities, network.flows) == rates);
    for (double& capacity : network.capacities) capacity *= 2;
    auto doubled = rates;
    for (double& rate : doubled) rate *= 2;
    CHECK(max_min_rates(network.capacities, network.flows) == doubled);
  }
}

TEST_CASE("routed: a shift meets no contention where destinations pick the way") {
  const Routed fabric({.hosts = 512});
  for (const std::uint32_t stride : {1u, 3u, 33u, 255u}) {
    RoutedJob job;
    for (std::uint32_t i = 0; i < 512; ++i) job.hosts.push_back(std::uint32_t(std::uint64_t(i) * stride % 512));
    CHECK(fabric.nic_rates({job})[0] == doctest::Approx(50e9));
  }
}

TEST_CASE("routed: jobs across an oversubscribed leaf share its uplinks, one alone has more") {
  // Leaves of 4 hosts with one uplink each.
  const Routed fabric({.hosts = 16, .rails = 2, .hosts_per_unit = 4, .leaf_oversubscription_permille = 4000});
  const std::vector<RoutedJob> jobs = {{.hosts = {0, 4}}, {.hosts = {1, 5}}};
  CHECK(fabric.nic_rates(jobs)[0] == doctest::Approx(25e9));
  CHECK(fabric.nic_rates({jobs[0]})[0] == doctest::Approx(50e9));
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  const auto together = fabric.estimates(jobs, net);
  const auto alone = fabric.estimates({jobs[0]}, net);
  CHECK(together[0].seconds > 1.7 * alone[0].seconds);
  const RoutedJob inside{.hosts = {0}};
  CHECK(std::isinf(fabric.nic_rates({inside})[0]));
  CHECK(std::isfinite(fabric.estimates({inside}, net)[0].seconds));
  const RoutedJob tree_job{.hosts = {0, 4}, .algorithm = Algorithm::tree};
  CHECK(std::isinf(fabric.estimates({tree_job}, net)[0].seconds));
}

TEST_CASE("routed: without contention the time is the closed form's") {
  const Routed fabric({.hosts = 64});
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  const auto closed = collective_estimate(Collective::all_reduce, {.ranks = 512, .ranks_per_domain = 8}, 1 << 30, net,
                                          {.algorithm = Algorithm::ring});
  CHECK(fabric.estimates({{.hosts = range(0, 64)}}, net)[0].seconds == doctest::Approx(closed.seconds));
}

TEST_CASE("routed: tables without a way are an error, not a rate") {
  const Routed fabric({.hosts = 64});
  const RoutedJob job{.hosts = {0, 63}};
  const auto rates = routed_nic_rates(fabric.graph, *ForwardingTables::sized_for(fabric.graph), {&job, 1});
  REQUIRE_FALSE(rates);
  CHECK(rates.error().message.find("no way from node-01 mlx5_0 to node-64 mlx5_0") == 0);
}

TEST_CASE("shared fabric: in the tree's order nothing queues; scattered, each job more leaves less of a NIC") {
  const Routed full({.hosts = 256});
  const Routed narrow({.hosts = 256, .leaf_oversubscription_permille = 4000});
  double before = 2;
  for (const std::uint32_t others : {0u, 1u, 3u}) {
    CHECK(*twin::nic_share({&full.graph, &full.tables, others}, 64) == 1);
    const double share = *twin::nic_share({&narrow.graph, &narrow.tables, others, true}, 64);
    CHECK(share <= before);
    CHECK(share <= *twin::nic_share({&full.graph, &full.tables, others, true}, 64));
    CHECK(share <= *twin::nic_share({&narrow.graph, &narrow.tables, others}, 64));
    CHECK(share > 0);
    CHECK(share == *twin::nic_share({&narrow.graph, &narrow.tables, others, true}, 64));
    before = share;
  }
  CHECK(before <= 0.25);
  CHECK(*twin::nic_share({&narrow.graph, &narrow.tables, 7}, 1) == 1);
  CHECK(twin::nic_share({&full.graph, &full.tables, 3}, 65).error().message ==
        "256 hosts are too few for 4 jobs of 65 nodes");
}

TEST_CASE("routed: an all-reduce of 16,384 GPUs, flow by flow") {
  const Routed fabric({.hosts = 2048, .leaf_oversubscription_permille = 2000});
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  for (const Algorithm algorithm : {Algorithm::ring, Algorithm::hierarchical}) {
    const auto estimate = fabric.estimates({{.hosts = range(0, 2048), .algorithm = algorithm}}, net)[0];
    CHECK(std::isfinite(estimate.seconds));
  }
}

}  // namespace virga
