// Every calibrated number of the twin, in one place: what it means, in which unit, and where it comes from.
// docs/accuracy.md says how well they predict measurements that they were not fitted to; bench/twin_fit does the
// fitting.
//
//   Calibration mine = k_calibration;  mine.hbm_share = 0.9;       // to see what a constant does
//   const Stack* stack = find_stack("nemo-2024");                   // a generation of software; nullptr: unknown
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace virga::twin {

/// What a size without InfiniBand has between its VMs, per GPU: Azure's accelerated networking, about 10 Gb/s a GPU.
inline constexpr double k_no_network_bytes_s = 1.25e9;

/// What the hardware and the libraries below the training code do; the same for all software stacks.
struct Calibration {
  double tile_share = 0.907;    ///< of the peak, a full wave of tiles without power limit (A100, 2048^3: 222 TFLOP/s)
  double k_prologue = 32;       ///< elements of k by which filling and draining a tile's pipeline is longer
  double hbm_share = 0.85;      ///< of the data sheet; triad on ND A100 v4, H100 v5, H200 v5: 0.83 to 0.89
  double kernel_gap_s = 3e-6;   ///< between one kernel and the next on a busy stream
  double misaligned = 0.0625;   ///< rate of products whose k or n is no multiple of 8 elements
  double optimizer_bytes = 44;  ///< HBM traffic per parameter of Adam with clipping: read 20, write 14, norm 10
  double logits_bytes = 24;     ///< HBM traffic per logit: 16-bit product, 32-bit softmax, gradient
  double quantise_bytes = 3;    ///< HBM traffic per element that is cast to 8 or 4 bits: read 2, write 1
  double score_operations = 5;  ///< of an SM's 128 a clock, for each score in fused attention, besides the exponential:
                                ///< largest, difference, scale, sum, conversion
  double gain_per_year = 0.032;  ///< of software of 2023 and later: what the same GPU does more a year later
};
inline constexpr Calibration k_calibration{};

/// A generation of training software. `date` is a year with fraction, as it was in use.
struct Stack {
  std::string_view name;
  double date = 2024;
  bool flash = true;           ///< fused attention; else scores go through memory
  bool zero_1 = false;         ///< spreads the optimizer over the data ranks unless told otherwise
  bool interleaves = true;     ///< has the interleaved schedule
  bool splits_context = true;  ///< has context parallelism (Megatron-Core of 2023)
  bool scatter_gather = true;  ///< pipeline sends are split over the tensor group
  /// Products of weights' gradients hide the all-reduce of the inputs' gradients, or with sequence parallelism their
  /// scatter, which is half of the traffic (Megatron-LM, LinearWithGradAccumulationAndAsyncCommunication).
  bool async_tensor = false;
  double gemm_share = 1;           ///< of a matrix product's rate alone on the GPU: cold caches, clocks, other streams
  double elementwise = 1;          ///< HBM passes of norms, dropout, activations; 1: Megatron's fused kernels of 2021
  double score_bytes = 9;          ///< unfused attention: traffic per score of mask, softmax, dropout, forward
  double flash_share = 0.5;        ///< of the 16-bit peak, that fused attention reaches
  double host_layer_s = 0;         ///< CPU time to launch a layer's forward pass
  double host_expert_s = 0;        ///< more where the layer has experts: routing and grouping, of whatever size
  double host_local_expert_s = 0;  ///< and for each expert of the GPU: its products and casts are kernels of their own
  double host_collective_s = 0;    ///< more for each tensor-parallel collective
  double host_micro_batch_s = 0;   ///< per micro batch and stage: the schedule's own Python
  double step_s = 0;               ///< per iteration: data, clipping, logging, synchronisation
  double expert_load = 1;          ///< of the GPU with the fullest experts, to the mean; benchmarks force the balance
  double expert_bytes = 20;   ///< HBM traffic per element of a token's copy for an expert: permute, send, sort, combine
  double expert_hidden = 0;   ///< share of the experts' traffic behind compute, in an NVLink domain
  double far_hidden = 0;      ///< the same between domains
  double sharded_share = 1;   ///< of NCCL's rate, with which sharded weights travel
  double sharded_window = 1;  ///< micro batches of a stage behind which they travel
  /// With blocks of 8 or 4 bits: kernels of experts take their sizes from the GPU, so that the whole iteration is one
  /// CUDA graph without a launch by the host, activation and casts are fused into them, and traffic is hidden.
  bool graphed_experts = false;
  bool attention_8 = false;      ///< with MXFP8, attention's products are in 8 bits, too
  double graphed_hidden = 0;     ///< share of the experts' traffic behind compute, then
  double tp_hidden = 0;          ///< share of tensor-parallel traffic behind matrix products
  double pp_hidden = 0;          ///< share of pipeline sends behind compute, with an interleaved schedule
  double dp_window = 0;          ///< micro batches of a stage behind which gradients and weights travel
  double gradient_bytes = 4;     ///< per parameter, kept and reduced
  double optimizer_bytes = 12;   ///< per parameter, kept: Adam's 32-bit weights and two moments
  double reserve_bytes = 2.5e9;  ///< per GPU: CUDA context, NCCL's buffers, library workspaces
  double fragmentation = 0.05;   ///< of activations, lost by PyTorch's allocator
  double reduce_bytes = 4;       ///< per parameter, as gradients travel
  double accumulate_bytes = 8;   ///< HBM traffic per parameter with which a micro batch adds up its gradients
};

/// What all stacks of a generation share: one set of numbers each, not one per source.
namespace generation {

/// Megatron-LM of 2021 and 2022: unfused attention, one kernel after the other.
constexpr Stack megatron(std::string_view name, double date) {
  Stack s;
  s.name = name;
  s.date = date;
  s.flash = false;
  s.splits_context = false;
  s.gemm_share = 0.91;
  s.elementwise = 1.0;
  s.score_bytes = 13.2;
  s.host_layer_s = 0.5e-3;
  s.host_collective_s = 50e-6;
  s.accumulate_bytes = 6.7;
  return s;
}

/// Megatron-LM of the spring of 2022: that class of linear layers. Products of weights' gradients add up in place in 32
/// bits, which takes no time of its own beside the product.
constexpr Stack megatron_async(std::string_view name, double date) {
  Stack s = megatron(name, date);
  s.async_tensor = true;
  s.accumulate_bytes = 0;
  return s;
}

/// ZeRO-3 of 2021 on kernels of Megatron: each tensor is gathered by a collective of its own, far below NCCL's rate for
/// large messages, and ahead in part of the work only. Both numbers are of the four ZeRO-3 runs of SC'21, table 2.
constexpr Stack zero_3(std::string_view name, double date) {
  Stack s = megatron(name, date);
  s.sharded_share = 0.09;
  s.sharded_window = 0.6;
  return s;
}

/// Megatron-DeepSpeed of 2022 and 2023: the same kernels from DeepSpeed's pipeline engine, which launches more of them.
/// ZeRO-1 keeps 32-bit gradients of its share beside Adam's state. With fp16 gradients add up in 16 bits; the bf16
/// optimizer keeps 32-bit ones, too (BigScience chronicles-prequel.md, "Rebalancing layers").
constexpr Stack megatron_deepspeed(std::string_view name, double gradient_bytes, double reduce_bytes,
                                   double accumulate_bytes) {
  Stack s = megatron(name, 2022.2);
  s.interleaves = false;
  s.zero_1 = true;
  s.gemm_share = 0.9;
  s.host_layer_s = 1.06e-3;
  s.gradient_bytes = gradient_bytes;
  s.reduce_bytes = reduce_bytes;
  s.optimizer_bytes = 16;
  s.reserve_bytes = 7e9;
  s.fragmentation = 0.2;
  s.accumulate_bytes = accumulate_bytes;
  return s;
}

/// Megatron-Core, NeMo and Megatron-Bridge with Transformer Engine: fused attention, traffic behind products.
/// NeMo and what came of it keeps gradients in 16 bits.
constexpr Stack modern(std::string_view name, double date, double gradient_bytes = 2) {
  Stack s;
  s.name = name;
  s.date = date;
  s.zero_1 = true;
  s.gemm_share = 0.868;
  s.elementwise = 1.0;
  s.flash_share = 0.332;
  s.step_s = 0.06;
  s.tp_hidden = 0.74;
  s.pp_hidden = 0.9;
  s.dp_window = 0.33;
  s.gradient_bytes = gradient_bytes;
  s.reduce_bytes = gradient_bytes;
  s.host_expert_s = 3.7e-3;
  s.host_local_expert_s = 0.115e-3;
  s.expert_bytes = 26;
  return s;
}

/// Megatron-Core of the spring of 2026: DeepEP between nodes, and its traffic behind compute.
constexpr Stack modern_far(std::string_view name, double date) {
  Stack s = modern(name, date);
  s.far_hidden = 0.7;
  return s;
}

/// Megatron-Core of the middle of 2026, with graphs of whole iterations and fused grouped MLPs (CuTe DSL) for MXFP8.
constexpr Stack modern_experts(std::string_view name, double date) {
  Stack s = modern_far(name, date);
  s.graphed_experts = true;
  s.attention_8 = true;
  s.graphed_hidden = 0.7;
  return s;
}

}  // namespace generation

inline constexpr std::array k_stacks = {
    generation::megatron("megatron-2021", 2021.3),
    generation::megatron_async("megatron-2022", 2022.3),
    generation::zero_3("deepspeed-zero3-2021", 2021.3),
    generation::megatron_deepspeed("megatron-deepspeed-2022", 2, 2, 6.7),
    generation::megatron_deepspeed("megatron-deepspeed-bf16-2022", 6, 4, 24),
    generation::modern("nemo-2023.4", 2023.4),
    generation::modern("nemo-2023.8", 2023.8),
    generation::modern("megatron-2024", 2024.4, 4),
    generation::modern("nemo-2024", 2024.6),
    generation::modern("nemo-2025", 2025.3),
    generation::modern("megatron-bridge-2026.2", 2026.2),
    generation::modern_far("megatron-bridge-2026.4", 2026.35),
    generation::modern_experts("megatron-bridge-2026.5", 2026.5),
};

/// What software of the date does more than that of the middle of 2024, on the same GPU. Before 2023 each stack has a
/// share of its own.
constexpr double generation_of(const Stack& stack, const Calibration& calibration) {
  return stack.date < 2023 ? 1.0 : 1.0 + calibration.gain_per_year * (stack.date - 2024.5);
}

constexpr const Stack* find_stack(std::string_view name) {
  for (const Stack& stack : k_stacks) {
    if (stack.name == name) return &stack;
  }
  return nullptr;
}

}  // namespace virga::twin
