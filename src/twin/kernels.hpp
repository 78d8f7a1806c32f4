// The time of the two kernels that training consists of: matrix products and attention.
//
//   const Rates rates = rates_of(gpu, Precision::bf16, stack);
//   double s = gemm_seconds(rates, {.m = 2048, .n = 12288, .k = 1536});
//   double a = attention_seconds(rates, {.batch = 1, .heads = 12, .seq = 2048, .head_dim = 128}, stack).forward;
//
// A product of m x k by k x n is cut into tiles, which the SMs work on in waves: its time is that of full waves at the
// tile's rate, but at least what the power limit allows (the plateau) and what HBM needs for the three matrices. The
// prologue of each tile (filling and draining the copies of k) makes a short k slow. Which tile is used is the
// library's choice; it is taken to be the fastest. Tile and wave quantisation: NVIDIA, Matrix Multiplication Background
// User's Guide.
#pragma once

#include <cstdint>

#include "twin/constants.hpp"
#include "twin/hardware.hpp"

namespace virga::twin {

/// What the kernels need to know, made once per GPU, precision and stack.
struct Rates {
  double tile_flops_s = 0;     ///< of one SM
  double plateau_flops_s = 0;  ///< of the GPU
  double hbm_bytes_s = 0;
  double peak_16 = 0;
  double attention_peak = 0;  ///< FLOP/s, of fused attention's products
  double scores_s = 1;        ///< of fused attention's softmax
  double gap_s = 0;
  double misaligned = 1;
  double k_prologue = 0;
  double element_bytes = 2;  ///< of inputs
  std::uint32_t sms = 1;
};
Rates rates_of(const Gpu& gpu, Precision precision, const Stack& stack, const Calibration& calibration = k_calibration);

struct Gemm {
  std::uint64_t m = 0;
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  std::uint64_t count = 1;  ///< independent products in one kernel
};
/// 0 for an empty product.
double gemm_seconds(const Rates& rates, const Gemm& gemm);

struct Attention {
  std::uint64_t batch = 0;
  std::uint64_t heads = 0;
  std::uint64_t seq = 0;      ///< of keys
  std::uint64_t queries = 0;  ///< of this GPU; 0: all of seq
  std::uint64_t head_dim = 0;
  std::uint64_t value_dim = 0;  ///< 0: head_dim
  bool causal = true;
  bool only_16 = false;  ///< never in 8 bits: fused kernels have sliding windows in 16 bits only (Transformer Engine)
};
struct ForwardBackward {
  double forward = 0;
  double backward = 0;
};
/// Scores, softmax and values. Fused (flash): half of the square where it is causal, five products backward for two
/// forward. Unfused: batched products, and the scores through HBM for mask, softmax and dropout.
ForwardBackward attention_seconds(const Rates& rates, const Attention& attention, const Stack& stack);

}  // namespace virga::twin
