// Memory against the figures of Korthikanti et al. 2022.
#include "twin/memory.hpp"

#include <doctest/doctest.h>

namespace virga::twin {
namespace {

constexpr double k_gib = 1073741824.0;
const Stack& megatron_2022() { return *find_stack("megatron-2022"); }

}  // namespace

TEST_CASE("memory: activations of the 175B model") {
  Layout layout{.tp = 8,
                .pp = 8,
                .interleave = 3,
                .global_batch = 64,
                .sequence_parallel = true,
                .recompute = Recompute::selective,
                .precision = Precision::fp16};
  const Transformer& model = *find_model("korthikanti-175b");
  CHECK(memory_use(model, layout, megatron_2022()).activations / k_gib == doctest::Approx(12.3516).epsilon(1e-4));
  layout.recompute = Recompute::none;
  layout.sequence_parallel = false;
  CHECK(memory_use(model, layout, megatron_2022()).activations / k_gib == doctest::Approx(66.84375).epsilon(1e-4));
}

TEST_CASE("memory: weights, gradients and Adam are 18 bytes a parameter, less when spread over data ranks") {
  Layout layout{.tp = 8, .micro_batch = 4, .global_batch = 4};
  const Transformer& model = *find_model("korthikanti-22b");
  const auto state = [&] {
    const MemoryUse use = memory_use(model, layout, megatron_2022());
    return use.weights + use.gradients + use.optimizer;
  };
  CHECK(state() / k_gib == doctest::Approx(45.5625).epsilon(0.05));
  const double whole = state();
  layout.dp = 4;
  layout.global_batch = 16;
  CHECK(state() == doctest::Approx(whole));
  layout.distributed_optimizer = true;
  CHECK(state() / whole == doctest::Approx((6 + 12 / 4.0) / 18).epsilon(1e-6));
  layout.sharded_weights = true;
  CHECK(state() / whole == doctest::Approx(1 / 4.0).epsilon(1e-6));
}

TEST_CASE("memory: all experts count, not only the active ones") {
  const Transformer& mixtral = *find_model("mixtral-8x7b");
  const Layout one{.dp = 8, .global_batch = 8};
  const Layout spread{.dp = 8, .ep = 8, .global_batch = 8};
  const double all = memory_use(mixtral, one, k_stacks.back()).weights;
  CHECK(all / 2 == doctest::Approx(static_cast<double>(parameters(mixtral).total)).epsilon(1e-4));
  CHECK(memory_use(mixtral, spread, k_stacks.back()).weights < all / 4);
}

TEST_CASE("memory: recomputing more never needs more") {
  for (const char* name : {"gpt-3-175b", "llama-3-70b", "mixtral-8x7b", "deepseek-v3"}) {
    CAPTURE(name);
    Layout layout{.tp = 4, .pp = 4, .dp = 2, .global_batch = 32};
    const auto total = [&](Recompute recompute) {
      layout.recompute = recompute;
      return memory_use(*find_model(name), layout, megatron_2022()).total();
    };
    CHECK(total(Recompute::full) < total(Recompute::selective));
    CHECK(total(Recompute::selective) < total(Recompute::none));
  }
}

}  // namespace virga::twin
