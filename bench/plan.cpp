// How many layouts a second the planner evaluates, and how long its searches take. One core; build type Release.
//
//   cmake --build --preset release --target plan_bench && build/release/bench/plan_bench
//
// Allocations are counted through operator new: those of a search are the lists of divisors and nothing that grows with
// the number of layouts.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <new>

#include "twin/planner.hpp"

namespace {
std::uint64_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace virga::twin {
namespace {

struct Example {
  const char* model;
  const char* system;
  const char* stack;
  Question question;
};

double milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// `evaluator` keeps times of layers from search to search: the first is a cold one.
void run(const Example& example, const Evaluator& evaluator, Method method, const char* state) {
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t before = allocations;
  const Found found = search(evaluator, example.question, method);
  const std::uint64_t made = allocations - before;
  const double ms = milliseconds(std::chrono::steady_clock::now() - start);
  const Layout& l = found.layout;
  fmt::print(
      "{:14} {:5} GPUs {:10} {:4} {:8.1f} ms {:7} layouts ({} fit) {:6.2f} M/s {:4} allocations  {:.3f} s: tp {} pp {} "
      "x {} dp {} cp {} ep {} mb {} {}{}{}\n",
      example.model, example.question.gpus, name_of(method), state, ms, found.layouts, found.fitting,
      static_cast<double>(found.layouts) / ms / 1000, made, found.seconds, l.tp, l.pp, l.interleave, l.dp, l.cp, l.ep,
      l.micro_batch, name_of(l.recompute), l.sequence_parallel ? " sp" : "", l.distributed_optimizer ? " do" : "");
}

/// Time and memory of every layout of a grid, whether or not it fits, over and over.
void run_predictions() {
  constexpr int k_rounds = 200;
  const Evaluator evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"),
                            *find_stack("megatron-2022"));
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t before = allocations;
  std::uint64_t layouts = 0;
  double sum = 0;
  for (int round = 0; round < k_rounds; ++round) {
    for (const std::uint32_t tp : {1U, 2U, 4U, 8U}) {
      for (const std::uint32_t pp : {1U, 5U, 7U, 35U}) {
        for (const std::uint32_t micro_batch : {1U, 2U, 4U}) {
          for (int style = 0; style < 12; ++style) {
            Layout l{.tp = tp, .pp = pp, .dp = 2240 / tp / pp, .micro_batch = micro_batch, .global_batch = 6720};
            l.recompute = static_cast<Recompute>(style % 3);
            l.sequence_parallel = style % 2 == 0;
            l.distributed_optimizer = style >= 6;
            if (!divides(l, evaluator.model(), evaluator.machine())) continue;
            sum += evaluator.predict(l).seconds;
            ++layouts;
          }
        }
      }
    }
  }
  const double ms = milliseconds(std::chrono::steady_clock::now() - start);
  fmt::print("predictions of time and memory: {} in {:.1f} ms, {:.2f} M/s, {} allocations (mean {:.1f} s)\n", layouts,
             ms, static_cast<double>(layouts) / ms / 1000, allocations - before, sum / static_cast<double>(layouts));
}

}  // namespace
}  // namespace virga::twin

int main() {
  virga::twin::run_predictions();
  using virga::twin::Evaluator;
  using virga::twin::Method;
  const virga::twin::Example examples[] = {
      {"mt-nlg-530b", "Standard_ND96amsr_A100_v4", "megatron-2022", {.gpus = 2240, .global_batch = 1920}},
      {"mt-nlg-530b", "Standard_ND96amsr_A100_v4", "nemo-2025", {.gpus = 2240, .global_batch = 1920}},
      {"llama-3.1-405b", "Standard_ND96isr_H100_v5", "nemo-2025", {.gpus = 16384, .global_batch = 2048}},
      {"deepseek-v3", "Standard_ND96isr_H100_v5", "megatron-bridge-2026.5", {.gpus = 2048, .global_batch = 15360}},
  };
  for (const virga::twin::Example& example : examples) {
    for (const Method method : {Method::bounding, Method::exhaustive}) {
      const Evaluator evaluator(*virga::twin::find_model(example.model), *virga::twin::find_system(example.system),
                                *virga::twin::find_stack(example.stack));
      virga::twin::run(example, evaluator, method, "cold");
      virga::twin::run(example, evaluator, method, "warm");
    }
  }
}
