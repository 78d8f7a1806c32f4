// Every calibrated number of the twin, in one place: what it means, in which unit, and where it comes from.
// docs/accuracy.md says how well they predict measurements that they were not fitted to; bench/twin_fit does the
// fitting.
//
//   Calibration mine = k_calibration;  mine.hbm_share = 0.9;       // to see what a constant does
//   const Stack& stack = stack_of(2024.5);                          // the software of a date
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace virga::twin {

/// What a size without InfiniBand has between its VMs, per GPU: Azure's accelerated networking, about 10 Gb/s a GPU.
inline constexpr double k_no_network_bytes_s = 1.25e9;

/// What the hardware and the libraries below the training code do; the same for all software stacks.
struct Calibration {
  double tile_share = 0.92;      ///< of the peak, a full wave of tiles without power limit (A100, 2048^3: 222 TFLOP/s)
  double k_prologue = 32;        ///< elements of k by which filling and draining a tile's pipeline is longer
  double hbm_share = 0.87;       ///< of the data sheet; triad on ND A100 v4, H100 v5, H200 v5: 0.83 to 0.89
  double kernel_gap_s = 3e-6;    ///< between one kernel and the next on a busy stream
  double misaligned = 0.05;       ///< rate of products whose k or n is no multiple of 8 elements
  double optimizer_bytes = 44;   ///< HBM traffic per parameter of Adam with clipping: read 20, write 14, norm 10
  double logits_bytes = 24;      ///< HBM traffic per logit: 16-bit product, 32-bit softmax, gradient
  double quantise_bytes = 3;     ///< HBM traffic per element that is cast to 8 or 4 bits: read 2, write 1
  double reserve_bytes = 2.5e9;  ///< CUDA context, NCCL buffers, library workspaces per GPU
  double fragmentation = 0.03;   ///< of activations, lost by PyTorch's allocator
};
inline constexpr Calibration k_calibration{};

/// A generation of training software. `date` is a year with fraction, as it was in use.
struct Stack {
  std::string_view name;
  double date = 2024;
  bool flash = true;              ///< fused attention; else scores go through memory
  bool interleaves = true;        ///< has the interleaved schedule
  bool scatter_gather = true;     ///< pipeline sends are split over the tensor group
  double gemm_share = 1;          ///< of a matrix product's rate alone on the GPU: cold caches, clocks, other streams
  double elementwise = 1;         ///< HBM passes of norms, dropout, activations; 1: Megatron's fused kernels of 2021
  double score_bytes = 9;         ///< unfused attention: traffic per score of mask, softmax, dropout, forward
  double flash_share = 0.5;       ///< of the 16-bit peak, that fused attention reaches
  double host_layer_s = 0;        ///< CPU time to launch a layer's forward pass
  double host_collective_s = 0;   ///< more for each tensor-parallel collective
  double host_micro_batch_s = 0;  ///< per micro batch and stage: the schedule's own Python
  double step_s = 0;              ///< per iteration: data, clipping, logging, synchronisation
  double tp_hidden = 0;           ///< share of tensor-parallel traffic behind matrix products
  double pp_hidden = 0;           ///< share of pipeline sends behind compute
  double dp_hidden = 0;           ///< share of the last backward pass behind which gradients travel
  double gradient_bytes = 4;      ///< per parameter, kept and reduced
  double accumulate_bytes = 8;    ///< HBM traffic per parameter with which a micro batch adds up its gradients
};

inline constexpr std::array<Stack, 9> k_stacks = {{
    {.name = "megatron-2021",
     .date = 2021.3,
     .flash = false,
     .gemm_share = 0.85,
     .host_layer_s = 1e-3,
     .host_collective_s = 50e-6,
     .step_s = 0.05},
    {.name = "megatron-2022",
     .date = 2022.3,
     .flash = false,
     .gemm_share = 0.88,
     .host_layer_s = 1e-3,
     .host_collective_s = 50e-6,
     .step_s = 0.05},
    {.name = "megatron-deepspeed-2022",
     .date = 2022.2,
     .flash = false,
     .interleaves = false,
     .gemm_share = 0.85,
     .host_layer_s = 1e-3,
     .host_collective_s = 100e-6,
     .step_s = 0.05,
     .gradient_bytes = 2},
    {.name = "megatron-deepspeed-bf16-2022",
     .date = 2022.2,
     .flash = false,
     .interleaves = false,
     .gemm_share = 0.85,
     .host_layer_s = 1e-3,
     .host_collective_s = 100e-6,
     .step_s = 0.01,
     .gradient_bytes = 4,
     .accumulate_bytes = 24},
    {.name = "nemo-2023",
     .date = 2023.4,
     .gemm_share = 0.85,
     .step_s = 0.05,
     .tp_hidden = 0.3,
     .pp_hidden = 0.5,
     .dp_hidden = 0.7},
    {.name = "megatron-2024",
     .date = 2024.3,
     .gemm_share = 0.9,
     .step_s = 0.03,
     .tp_hidden = 0.5,
     .pp_hidden = 0.7,
     .dp_hidden = 0.8},
    {.name = "nemo-2024",
     .date = 2024.6,
     .gemm_share = 0.9,
     .step_s = 0.03,
     .tp_hidden = 0.5,
     .pp_hidden = 0.7,
     .dp_hidden = 0.8},
    {.name = "nemo-2025",
     .date = 2025.3,
     .gemm_share = 0.95,
     .step_s = 0.03,
     .tp_hidden = 0.5,
     .pp_hidden = 0.8,
     .dp_hidden = 0.8},
    {.name = "megatron-bridge-2026",
     .date = 2026.3,
     .gemm_share = 0.95,
     .step_s = 0.03,
     .tp_hidden = 0.5,
     .pp_hidden = 0.8,
     .dp_hidden = 0.8},
}};

constexpr const Stack* find_stack(std::string_view name) {
  for (const Stack& stack : k_stacks) {
    if (stack.name == name) return &stack;
  }
  return nullptr;
}

}  // namespace virga::twin
