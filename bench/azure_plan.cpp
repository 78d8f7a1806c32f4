// What it costs to plan a demand of 10,000 VMs: from the job's submission to the request for its gang, and from that to
// the shares of its scale sets.
//
//   cmake --build build/release --target azure_plan && build/release/bin/azure_plan     one line with the CPU time
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "brain/brain.hpp"
#include "clouds/azure/set_plan.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_nodes = 10'000;
constexpr std::uint32_t k_set = 100;
constexpr int k_runs = 31;

double cpu_milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

Config machine() {
  Config config;
  Pool pool;
  pool.name = pool.node_prefix = "nd";
  pool.cloud = "azure";
  pool.max_nodes = k_nodes;
  pool.set_nodes_max = k_set;
  pool.ib_spans_sets = true;
  pool.sku = {.name = "ND", .resources = {96, 8, 1ULL << 40}, .gpu_model = "H100", .price_per_hour = Money::usd(98)};
  config.pools.push_back(pool);
  Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  config.partitions.push_back(partition);
  return config;
}

JobSubmitted demand() {
  JobSpec spec;
  spec.partition = "main";
  spec.work_dir = "/";
  spec.nodes = spec.tasks = k_nodes;
  spec.per_node = {96, 8, 0};
  spec.exclusive = true;
  spec.time_limit = Duration::minutes(60);
  return {{1000, 1000, "user", false}, spec, ""};
}

double plan_once() {
  Brain brain;
  brain.apply({1}, {Time::from_seconds(1), ConfigChanged{machine()}});
  Event submitted{Time::from_seconds(2), demand()};
  const double from = cpu_milliseconds();
  brain.apply({2}, submitted);
  std::size_t sets = 0;
  for (const Command& command : brain.take_commands()) {
    if (const auto* gang = std::get_if<ReserveGang>(&command)) sets = azure::plan_gang(*gang, AzureSettings{})->size();
  }
  const double took = cpu_milliseconds() - from;
  if (sets != k_nodes / k_set) std::abort();
  return took;
}

}  // namespace
}  // namespace virga

int main() {
  std::vector<double> costs;
  for (int i = 0; i < virga::k_runs; ++i) costs.push_back(virga::plan_once());
  std::sort(costs.begin(), costs.end());
  std::printf("%.2f ms (%.2f-%.2f)\n", costs[costs.size() / 2], costs.front(), costs.back());
  return 0;
}
