// How many layouts the twin evaluates per second on one core, and that it allocates nothing while it does.
//
//   cmake --build --preset release --target twin_speed && build/release/bin/twin_speed
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "twin/iteration.hpp"

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using virga::twin::Evaluator;
using virga::twin::Layout;
using virga::twin::Recompute;

std::vector<Layout> layouts(const Evaluator& evaluator) {
  std::vector<Layout> all;
  for (const std::uint32_t tp : {1, 2, 4, 8}) {
    for (const std::uint32_t pp : {1, 3, 5, 7, 15, 21, 35, 105}) {
      for (const std::uint32_t dp : {1, 2, 4, 8, 16}) {
        for (std::uint32_t i = 0; i < 3 * 4 * 2 * 3 * 2; ++i) {
          Layout l;
          l.tp = tp;
          l.pp = pp;
          l.dp = dp;
          l.interleave = 2 * (i % 3) + 1;
          l.micro_batch = 1U << (i / 3 % 4);
          l.sequence_parallel = i / 12 % 2 == 1;
          l.recompute = static_cast<Recompute>(i / 24 % 3);
          l.distributed_optimizer = i / 72 == 1;
          l.global_batch = 1920;
          if (divides(l, evaluator.model(), evaluator.machine())) all.push_back(l);
        }
      }
    }
  }
  return all;
}

template <class Evaluate>
void time_it(const char* what, const std::vector<Layout>& all, Evaluate evaluate) {
  constexpr int k_rounds = 50;
  double sum = 0;
  for (const Layout& l : all) sum += evaluate(l);  // the times of layers are known from now on
  const std::size_t before = allocations;
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < k_rounds; ++round) {
    for (const Layout& l : all) sum += evaluate(l);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const double count = static_cast<double>(all.size()) * k_rounds;
  std::printf("%-18s %6.0f ns, %5.1f million layouts/s, %zu allocations (%g)\n", what, took.count() / count * 1e9,
              count / took.count() / 1e6, allocations - before, sum);
}

}  // namespace

int main() {
  const Evaluator evaluator(*virga::twin::find_model("mt-nlg-530b"),
                            *virga::twin::find_system("Standard_ND96amsr_A100_v4"),
                            *virga::twin::find_stack("megatron-2021"));
  const std::vector<Layout> all = layouts(evaluator);
  std::printf("%zu layouts of 530B on A100\n", all.size());
  time_it("divides", all,
          [&](const Layout& l) { return divides(l, evaluator.model(), evaluator.machine()) ? 1.0 : 0.0; });
  time_it("time", all, [&](const Layout& l) { return evaluator.seconds(l); });
  time_it("time and memory", all, [&](const Layout& l) { return evaluator.predict(l).seconds; });
  return 0;
}
