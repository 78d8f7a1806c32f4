// Matrix products: the shape decides.
#include "twin/kernels.hpp"

#include <doctest/doctest.h>

namespace virga::twin {
namespace {

double tflops(const Rates& rates, std::uint64_t m, std::uint64_t n, std::uint64_t k) {
  return 2e-12 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) /
         gemm_seconds(rates, {m, n, k});
}

Rates alone(const char* gpu, Precision precision) {
  Stack stack;  // nothing else runs: the rates of a benchmark of kernels
  return rates_of(*find_gpu(gpu), precision, stack);
}

}  // namespace

TEST_CASE("kernels: square products on an A100 are near Azure's published ones") {
  const Rates a100 = alone("A100", Precision::fp16);
  CHECK(tflops(a100, 2048, 2048, 2048) == doctest::Approx(221.8).epsilon(0.15));
  CHECK(tflops(a100, 4096, 4096, 4096) == doctest::Approx(228.0).epsilon(0.15));
  CHECK(tflops(a100, 8192, 8192, 8192) == doctest::Approx(253.7).epsilon(0.05));
  CHECK(tflops(a100, 16'384, 16'384, 16'384) == doctest::Approx(256.5).epsilon(0.05));
  CHECK(tflops(alone("H100", Precision::fp8), 16'384, 16'384, 16'384) == doctest::Approx(1377).epsilon(0.05));
}

TEST_CASE("kernels: a tile more than the SMs take is a wave more") {
  const Rates a100 = alone("A100", Precision::fp16);
  const double full = gemm_seconds(a100, {.m = 256 * 12, .n = 128 * 9, .k = 8192});  // 108 tiles
  CHECK(gemm_seconds(a100, {.m = 256 * 12, .n = 128 * 10, .k = 8192}) > 1.1 * full);
  CHECK(tflops(a100, 2048, 2048, 64) < tflops(a100, 2048, 2048, 4096) / 2);
  CHECK(gemm_seconds(a100, {.m = 2048, .n = 2048, .k = 108}) > gemm_seconds(a100, {.m = 2048, .n = 2048, .k = 112}));
  CHECK(gemm_seconds(a100, {}) == 0);
}

TEST_CASE("kernels: fused attention keeps the scores out of memory") {
  const Rates a100 = alone("A100", Precision::bf16);
  Stack unfused;
  unfused.flash = false;
  const Attention attention{.batch = 1, .heads = 12, .seq = 8192, .queries = 0, .head_dim = 128};
  CHECK(attention_seconds(a100, attention, unfused).forward > attention_seconds(a100, attention, Stack{}).forward);
  Attention whole = attention;
  whole.causal = false;
  CHECK(attention_seconds(a100, whole, Stack{}).forward > 1.9 * attention_seconds(a100, attention, Stack{}).forward);
}

}  // namespace virga::twin
