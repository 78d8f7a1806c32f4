// Measures NodeIndex: how many placements a second one core makes, how that grows with the pool, how much memory the
// index takes, and how compact the gangs of a busy pool are. One line of JSON a measurement.
//
//   S="src/fabric/fabric.cpp src/brain/place/leaf_cover.cpp src/brain/place/node_index.cpp
//      src/brain/place/node_index_pick.cpp src/brain/place/node_index_absent.cpp"
//   g++ -std=c++20 -O2 -DNDEBUG -Isrc bench/place_bench.cpp $S -o build/place_bench
//   build/place_bench            # everything, about a minute
//
// A placement is pick + occupy + vacate, timed together in user CPU seconds; each pool is loaded with other jobs first.
// With requests of one size the slots of the job that just ended are often the best ones again, so memory is warm; the
// "quality" lines mix sizes and lengths at random, and their jobs_per_s (the bench's own queue included) is the colder
// figure.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <queue>
#include <vector>

#include "base/prng.hpp"
#include "brain/place/node_index.hpp"

namespace {

std::size_t g_allocated = 0;
std::size_t g_allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  g_allocated += size;
  ++g_allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace virga {
namespace {

constexpr Resources k_node{.cpus = 96, .gpus = 8, .memory_bytes = std::uint64_t{1900} << 30};

struct Random : Prng {
  using Prng::Prng;
  std::uint32_t below(std::uint64_t limit) { return static_cast<std::uint32_t>(Prng::below(limit)); }
};

Resources gpus(std::uint32_t count) { return {count * 12, count, (std::uint64_t{1900} << 30) / 8 * count}; }

double user_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

Fabric fabric_of(std::uint32_t nodes, std::uint32_t nodes_per_leaf, std::uint32_t leaves_per_spine) {
  auto fabric = Fabric::build(
      FabricShape{.nodes = nodes, .nodes_per_leaf = nodes_per_leaf, .leaves_per_spine = leaves_per_spine});
  if (!fabric) {
    std::printf("%s\n", fabric.error().message.c_str());
    std::exit(1);
  }
  return std::move(*fabric);
}

struct Running {
  std::vector<std::uint32_t> slots;
  Resources demand;
  bool exclusive = false;
};

/// Loads the pool to about `percent` of its GPUs: parts of nodes, nodes and small gangs.
void load(NodeIndex& index, Random& random, std::uint32_t percent) {
  const std::uint64_t wanted = std::uint64_t{index.slots()} * 8 * percent / 100;
  std::vector<std::uint32_t> slots;
  for (std::uint64_t used = 0; used < wanted;) {
    PlaceRequest request{1, k_node};
    if (random.below(2) == 0) request.per_node = gpus(1 + random.below(8));
    if (random.below(8) == 0) request = {1 + random.below(12), k_node};
    if (!index.pick(request, slots)) return;
    index.occupy(slots, request.per_node, false);
    used += std::uint64_t{request.nodes} * request.per_node.gpus;
  }
}

/// Keeps `depth` jobs of the request alive; the oldest ends when the next starts.
void measure(const char* what, std::uint32_t nodes, std::uint32_t nodes_per_leaf, std::uint32_t leaves_per_spine,
             const PlaceRequest& request, std::uint32_t load_percent) {
  const Fabric fabric = fabric_of(nodes, nodes_per_leaf, leaves_per_spine);
  const std::size_t before_index = g_allocated;
  NodeIndex index(fabric, k_node);
  const std::size_t bytes = g_allocated - before_index;
  for (std::uint32_t slot = 0; slot < nodes; ++slot) index.set_usable(slot);
  Random random{1};
  load(index, random, load_percent);

  const std::uint32_t depth = std::max(1U, std::min(64U, index.whole() / request.nodes / 2));
  std::vector<Running> ring(depth);
  std::vector<std::uint32_t> slots;
  for (Running& job : ring) job.slots.reserve(request.nodes);
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  const auto round = [&] {
    for (Running& job : ring) {
      index.vacate(job.slots, request.per_node, request.exclusive);
      job.slots.clear();
      if (!index.pick(request, slots)) {
        ++failed;
        continue;
      }
      index.occupy(slots, request.per_node, request.exclusive);
      job.slots.assign(slots.begin(), slots.end());
      ++done;
    }
  };
  round();
  done = failed = 0;
  const std::size_t allocations = g_allocations;
  const double start = user_seconds();
  do {
    for (int i = 0; i < 64; ++i) round();
  } while (user_seconds() - start < 0.5);
  const double seconds = user_seconds() - start;
  std::printf(
      "{\"what\":\"%s\",\"pool\":%u,\"leaf\":%u,\"load_percent\":%u,\"gang\":%u,\"per_s\":%.0f,\"ns\":%.0f,"
      "\"failed\":%llu,\"allocations\":%llu,\"index_bytes\":%zu}\n",
      what, nodes, nodes_per_leaf, load_percent, request.nodes, static_cast<double>(done) / seconds,
      seconds * 1e9 / static_cast<double>(done), static_cast<unsigned long long>(failed),
      static_cast<unsigned long long>(g_allocations - allocations), bytes);
}

/// The costliest request: every node has GPUs left but no CPUs for them, so that each is looked at and none fits.
void worst(std::uint32_t nodes) {
  const Fabric fabric = fabric_of(nodes, 32, 0);
  NodeIndex index(fabric, k_node);
  std::vector<std::uint32_t> slots;
  for (std::uint32_t slot = 0; slot < nodes; ++slot) {
    index.set_usable(slot);
    slots.push_back(slot);
  }
  index.occupy(slots, {.cpus = 95, .gpus = 4, .memory_bytes = 0}, false);
  std::uint64_t done = 0;
  std::uint64_t found = 0;
  const double start = user_seconds();
  do {
    found += index.pick({1, gpus(1)}, slots) ? 1 : 0;
    ++done;
  } while (done % 64 != 0 || user_seconds() - start < 0.3);
  const double seconds = user_seconds() - start;
  std::printf("{\"what\":\"refused, all nodes looked at\",\"pool\":%u,\"per_s\":%.0f,\"found\":%llu}\n", nodes,
              static_cast<double>(done) / seconds, static_cast<unsigned long long>(found));
}

/// Sizes as on a training machine: mostly parts of a node and single nodes, most of the area in large gangs.
PlaceRequest random_job(Random& random) {
  const std::uint32_t dice = random.below(1000);
  if (dice < 300) return {1, gpus(1U << random.below(3))};
  if (dice < 550) return {1, k_node, true};
  if (dice < 800) return {2U << random.below(3), k_node, true};   // 2 … 8
  if (dice < 880) return {2 + random.below(30), k_node, true};    // odd sizes below a leaf
  if (dice < 960) return {16U << random.below(2), k_node, true};  // 16, 32
  if (dice < 990) return {33 + random.below(96), k_node, true};   // odd sizes above a leaf
  return {64U << random.below(2), k_node, true};                  // 64, 128
}

struct Ending {
  std::uint64_t at = 0;
  std::size_t job = 0;
  bool operator<(const Ending& other) const { return std::pair(at, job) > std::pair(other.at, other.job); }
};

/// A pool kept at `percent` of its GPUs for `jobs` jobs, run times from 1 to 64 ticks, heavy on the short side.
void quality(std::uint32_t nodes, std::uint32_t nodes_per_leaf, std::uint32_t percent, std::uint64_t seed) {
  const Fabric fabric = fabric_of(nodes, nodes_per_leaf, 0);
  NodeIndex index(fabric, k_node);
  for (std::uint32_t slot = 0; slot < nodes; ++slot) index.set_usable(slot);
  Random random{seed};
  std::vector<Running> running;
  std::vector<std::size_t> unused;
  std::priority_queue<Ending> endings;
  const std::uint64_t wanted = std::uint64_t{nodes} * 8 * percent / 100;
  std::uint64_t now = 0;
  std::uint64_t used = 0;
  std::uint64_t placed = 0;
  std::uint64_t gangs = 0;
  std::uint64_t above = 0;
  std::uint64_t excess = 0;
  std::uint64_t excess_small = 0;
  std::vector<std::uint32_t> slots;
  const double start = user_seconds();
  while (placed < 200'000) {
    const PlaceRequest request = random_job(random);
    while (used + std::uint64_t{request.nodes} * request.per_node.gpus > wanted || !index.pick(request, slots)) {
      const Ending ending = endings.top();
      endings.pop();
      now = ending.at;
      Running& job = running[ending.job];
      index.vacate(job.slots, job.demand, job.exclusive);
      used -= std::uint64_t{job.demand.gpus} * job.slots.size();
      unused.push_back(ending.job);
    }
    index.occupy(slots, request.per_node, request.exclusive);
    used += std::uint64_t{request.nodes} * request.per_node.gpus;
    if (unused.empty()) {
      unused.push_back(running.size());
      running.emplace_back();
    }
    running[unused.back()] = {slots, request.per_node, request.exclusive};
    const std::uint64_t length = 1 + random.below(1000) * (random.below(8) == 0 ? 64U : 1U);
    endings.push({now + length, unused.back()});
    unused.pop_back();
    if (++placed <= 20'000) continue;  // until the pool has filled
    std::uint32_t leaves = 1;
    for (std::size_t i = 1; i < slots.size(); ++i) leaves += fabric.leaf(slots[i]) != fabric.leaf(slots[i - 1]) ? 1 : 0;
    const std::uint32_t least = (request.nodes + nodes_per_leaf - 1) / nodes_per_leaf;
    gangs += request.nodes > 1 ? 1 : 0;
    above += leaves > least ? 1 : 0;
    excess += leaves - least;
    excess_small += leaves > least && request.nodes <= nodes_per_leaf ? 1 : 0;
  }
  const double jobs_per_s = static_cast<double>(placed) / (user_seconds() - start);
  const double measured = static_cast<double>(placed - 20'000);
  std::printf(
      "{\"what\":\"quality\",\"pool\":%u,\"leaf\":%u,\"load_percent\":%u,\"seed\":%llu,"
      "\"jobs_above_least_percent\":%.2f,\"gangs_above_least_percent\":%.2f,\"excess_leaves\":%llu,"
      "\"of_them_gangs_below_a_leaf\":%llu,\"jobs_per_s\":%.0f}\n",
      nodes, nodes_per_leaf, percent, static_cast<unsigned long long>(seed),
      100.0 * static_cast<double>(above) / measured, 100.0 * static_cast<double>(above) / static_cast<double>(gangs),
      static_cast<unsigned long long>(excess), static_cast<unsigned long long>(excess_small), jobs_per_s);
}

/// Every line of the output.
void run() {
  for (const std::uint32_t leaf : {16U, 32U, 36U, 64U}) {
    for (const std::uint32_t nodes : {1152U, 12'800U}) {
      measure("one GPU", nodes, leaf, 0, {1, gpus(1)}, 60);
      measure("one node", nodes, leaf, 0, {1, k_node}, 60);
      measure("one-leaf gang", nodes, leaf, 0, {16, k_node}, 60);
      measure("one-leaf gang, exclusive", nodes, leaf, 0, {16, k_node, true}, 60);
      measure("four leaves", nodes, leaf, 0, {leaf * 4, k_node, true}, 40);
      measure("gang of half nodes", nodes, leaf, 0, {8, gpus(4)}, 60);
    }
  }
  for (const std::uint32_t nodes : {1000U, 10'000U, 100'000U}) {
    for (const std::uint32_t leaves_per_spine : {0U, 16U}) {
      const char* what = leaves_per_spine == 0 ? "growth, one spine" : "growth, spines of 16 leaves";
      measure(what, nodes, 32, leaves_per_spine, {1, gpus(1)}, 60);
      measure(what, nodes, 32, leaves_per_spine, {1, k_node}, 60);
      measure(what, nodes, 32, leaves_per_spine, {16, k_node}, 60);
      measure(what, nodes, 32, leaves_per_spine, {128, k_node, true}, 40);
    }
  }
  for (const std::uint32_t nodes : {1152U, 12'800U}) worst(nodes);
  for (const std::uint32_t percent : {80U, 90U, 100U}) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) quality(1152, 32, percent, seed);
  }
}

}  // namespace
}  // namespace virga

int main() { virga::run(); }
