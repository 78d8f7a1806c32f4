// See the header for the model.
#include "twin/kernels.hpp"

#include <algorithm>

namespace virga::twin {

namespace {

/// cuBLAS's and CUTLASS's usual tiles, and their rate to that of the largest: small tiles load more per product.
struct Tile {
  std::uint32_t m, n;
  double share;
};
constexpr Tile k_tiles[] = {{256, 128, 1.0}, {128, 256, 1.0}, {128, 128, 0.94},
                            {128, 64, 0.8},  {64, 128, 0.8},  {64, 64, 0.6}};

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

}  // namespace

Rates rates_of(const Gpu& gpu, Precision precision, const Stack& stack, const Calibration& calibration) {
  Rates rates;
  rates.tile_flops_s = gpu.peak(precision) * calibration.tile_share * stack.gemm_share / gpu.sms;
  rates.plateau_flops_s = gpu.plateau(precision) * stack.gemm_share;
  rates.hbm_bytes_s = gpu.hbm_bytes_s * calibration.hbm_share;
  const bool in_8 = stack.attention_8 && precision == Precision::mxfp8;
  rates.peak_16 = gpu.peak_16;
  rates.attention_peak = in_8 ? gpu.peak_8 : gpu.peak_16;
  constexpr double k_clock_hz = 1.85e9;  // of H100 and Blackwell under load, near enough
  rates.scores_s = gpu.sms * k_clock_hz / (1 / gpu.exp_per_clock + calibration.score_operations / 128);
  rates.gap_s = calibration.kernel_gap_s;
  rates.misaligned = calibration.misaligned;
  rates.k_prologue = calibration.k_prologue;
  rates.sms = gpu.sms;
  rates.element_bytes = precision == Precision::nvfp4 ? 0.5625 : precision >= Precision::fp8 ? 1.0 : 2.0;
  return rates;
}

double gemm_seconds(const Rates& rates, const Gemm& g) {
  if (g.m == 0 || g.n == 0 || g.k == 0 || g.count == 0) return 0;
  const double m = static_cast<double>(g.m), n = static_cast<double>(g.n), k = static_cast<double>(g.k);
  const double count = static_cast<double>(g.count);
  double tiled = 0;
  for (const Tile& tile : k_tiles) {
    const std::uint64_t tiles = ceil_div(g.m, tile.m) * ceil_div(g.n, tile.n) * g.count;
    const double waves = static_cast<double>(ceil_div(tiles, rates.sms));
    const double seconds = waves * (2.0 * tile.m * tile.n) * (k + rates.k_prologue) / (rates.tile_flops_s * tile.share);
    if (tiled == 0 || seconds < tiled) tiled = seconds;
  }
  const double limited = 2.0 * m * n * k * count / rates.plateau_flops_s;
  const double memory = count * ((m * k + k * n) * rates.element_bytes + 2.0 * m * n) / rates.hbm_bytes_s;
  const bool aligned = g.k % 8 == 0 && g.n % 8 == 0;
  const double compute = std::max(tiled, limited) / (aligned ? 1.0 : rates.misaligned);
  return std::max(compute, memory) + rates.gap_s;
}

ForwardBackward attention_seconds(const Rates& rates, const Attention& a, const Stack& stack) {
  const std::uint64_t queries = a.queries > 0 ? a.queries : a.seq;
  const std::uint64_t value_dim = a.value_dim > 0 ? a.value_dim : a.head_dim;
  const double scores =
      static_cast<double>(a.batch * a.heads) * static_cast<double>(queries) * static_cast<double>(a.seq);
  if (stack.flash) {
    const double flops = 2.0 * scores * static_cast<double>(a.head_dim + value_dim) * (a.causal ? 0.5 : 1.0);
    const double products = flops / ((a.only_16 ? rates.peak_16 : rates.attention_peak) * stack.flash_share);
    const double softmax = scores * (a.causal ? 0.5 : 1.0) / rates.scores_s;
    return {products + softmax + rates.gap_s, 2.5 * products + softmax + rates.gap_s};
  }
  const std::uint64_t count = a.batch * a.heads;
  const double products = gemm_seconds(rates, {queries, a.seq, a.head_dim, count}) +
                          gemm_seconds(rates, {queries, value_dim, a.seq, count});
  const double softmax = scores * stack.score_bytes / rates.hbm_bytes_s;
  // Backward: two products for each; softmax and dropout read one more tensor than forward, and write one less.
  return {products + softmax, 2.0 * products + 1.2 * softmax};
}

}  // namespace virga::twin
