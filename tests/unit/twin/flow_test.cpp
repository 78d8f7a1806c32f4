// Fair shares: what max-min fairness means, on networks drawn at random; the fat tree's routes; jobs that share it.
#include "twin/flow.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>

#include "base/prng.hpp"
#include "twin/routed.hpp"

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

TEST_CASE("fat tree: routes go up as far as they must") {
  const FatTree tree({.nodes = 2048, .nic_bytes_s = 50e9});
  const auto hops = [&](std::uint32_t from, std::uint32_t to) { return tree.route({from, 3}, {to, 3}).size(); };
  CHECK(hops(5, 5) == 0);
  CHECK(hops(0, 31) == 2);
  CHECK(hops(0, 32) == 4);
  CHECK(hops(0, 512) == 6);
  CHECK(tree.route({0, 3}, {1, 4}).size() == 4);  // another rail has other leaves
  for (std::uint32_t to = 1; to < 2048; to += 7) {
    for (const std::uint32_t link : tree.route({0, 0}, {to, 7}, Routing::hashed))
      REQUIRE(link < tree.capacities().size());
  }
}

TEST_CASE("routed: a shift meets no contention where destinations pick the route") {
  const FatTree tree({.nodes = 2048, .nic_bytes_s = 50e9});
  for (const std::uint32_t stride : {1u, 3u, 33u, 1025u}) {
    RoutedJob job;
    for (std::uint32_t i = 0; i < 2048; ++i) job.nodes.push_back(std::uint32_t(std::uint64_t(i) * stride % 2048));
    CHECK(routed_nic_rates(tree, {&job, 1})[0] == doctest::Approx(50e9));
    CHECK(routed_nic_rates(tree, {&job, 1}, Routing::hashed)[0] <= 50e9);
  }
}

TEST_CASE("routed: two jobs across an oversubscribed leaf have half each, one alone has more") {
  const FatTree tree({.nodes = 64, .nodes_per_leaf = 4, .spines_per_pod = 1, .nic_bytes_s = 50e9, .leaf_taper = 4});
  const RoutedJob jobs[] = {{.nodes = {0, 4}}, {.nodes = {1, 5}}};
  CHECK(routed_nic_rates(tree, jobs)[0] == doctest::Approx(25e9));
  CHECK(routed_nic_rates(tree, {jobs, 1})[0] == doctest::Approx(50e9));
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  const auto together = routed_estimates(tree, jobs, Collective::all_reduce, 1 << 30, net);
  const auto alone = routed_estimates(tree, {jobs, 1}, Collective::all_reduce, 1 << 30, net);
  CHECK(together[0].seconds > 1.7 * alone[0].seconds);  // alone, NVLink is narrower than the NICs
  const RoutedJob inside{.nodes = {0}};
  CHECK(std::isinf(routed_nic_rates(tree, {&inside, 1})[0]));
  CHECK(std::isfinite(routed_estimates(tree, {&inside, 1}, Collective::all_reduce, 1 << 30, net)[0].seconds));
  const RoutedJob tree_job{.nodes = {0, 4}, .algorithm = Algorithm::tree};
  CHECK(std::isinf(routed_estimates(tree, {&tree_job, 1}, Collective::all_reduce, 1 << 30, net)[0].seconds));
}

TEST_CASE("routed: without contention the time is the closed form's") {
  const FatTree tree({.nodes = 64, .nic_bytes_s = 50e9});
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  const RoutedJob job{.nodes = range(0, 64)};
  const auto closed = collective_estimate(Collective::all_reduce, {.ranks = 512, .ranks_per_domain = 8}, 1 << 30, net,
                                          {.algorithm = Algorithm::ring});
  CHECK(routed_estimates(tree, {&job, 1}, Collective::all_reduce, 1 << 30, net)[0].seconds ==
        doctest::Approx(closed.seconds));
}

TEST_CASE("routed: an all-reduce of 16,384 GPUs is fast enough to ask often") {
  const std::clock_t start = std::clock();
  const FatTree tree({.nodes = 2048, .nic_bytes_s = 50e9, .leaf_taper = 2});
  const RoutedJob jobs[] = {{.nodes = range(0, 2048)}, {.nodes = range(0, 2048), .algorithm = Algorithm::hierarchical}};
  const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
  for (const auto& job : jobs) {
    const auto estimate = routed_estimates(tree, {&job, 1}, Collective::all_reduce, 1 << 30, net, Routing::hashed)[0];
    CHECK(std::isfinite(estimate.seconds));
  }
  const double took_ms = double(std::clock() - start) * 1000 / CLOCKS_PER_SEC;
  MESSAGE("two of them in ", took_ms, " ms");
  CHECK(took_ms < 2 * 200);
  const std::clock_t closed = std::clock();
  const RankGroup group{.ranks = 16384, .ranks_per_domain = 8};
  for (int i = 1; i <= 100; ++i) CHECK(collective_seconds(Collective::all_reduce, group, i * 1e6, net) > 0);
  CHECK(double(std::clock() - closed) * 1000 / CLOCKS_PER_SEC < 100);  // 1 ms each
}

}  // namespace virga
