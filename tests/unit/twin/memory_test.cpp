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
  // A quarter each, and of one layer at work the whole weights twice and the gradients.
  const double layer = layer_parameters_per_gpu(model, layout).total();
  CHECK(state() == doctest::Approx(whole / 4 + (2 * 2 + 4) * layer).epsilon(1e-6));
}

TEST_CASE("memory: all experts count, not only the active ones") {
  const Transformer& mixtral = *find_model("mixtral-8x7b");
  const Layout one{.dp = 8, .global_batch = 8};
  const Layout spread{.dp = 8, .ep = 8, .global_batch = 8};
  const double all = memory_use(mixtral, one, k_stacks.back()).weights;
  CHECK(all / 2 == doctest::Approx(static_cast<double>(parameters(mixtral).total)).epsilon(1e-4));
  CHECK(memory_use(mixtral, spread, k_stacks.back()).weights < all / 4);
}

TEST_CASE("memory: the optimizer of experts is shared by the ranks that hold the same ones") {
  // 16 data ranks, 8 expert ranks: an eighth of the experts on each GPU, and two GPUs with the same eighth.
  const Transformer& mixtral = *find_model("mixtral-8x7b");
  const LayerParameters layer = layer_parameters(mixtral);
  const double experts = static_cast<double>(layer.one_expert) * mixtral.experts * mixtral.layers;
  const double others = static_cast<double>(parameters(mixtral).total) - experts;
  const Layout layout{.dp = 16, .ep = 8, .global_batch = 16, .distributed_optimizer = true};
  CHECK(expert_data_ranks(layout) == 2);
  const Stack& stack = k_stacks.back();
  const double per_parameter = memory_use(mixtral, layout, stack).optimizer / stack.optimizer_bytes;
  CHECK(per_parameter == doctest::Approx(experts / 8 / 2 + others / 16).epsilon(1e-4));
  // As many expert ranks as GPUs: nobody shares.
  CHECK(expert_data_ranks({.tp = 2, .dp = 4, .ep = 8}) == 1);
  // Fewer expert than tensor ranks: experts are cut like other weights.
  CHECK(expert_data_ranks({.tp = 8, .dp = 4, .ep = 2}) == 4);
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
