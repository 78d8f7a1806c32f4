// The memory of one GPU: of the fullest pipeline stage.
//
//   MemoryUse use = memory_use(model, layout, stack);
//   bool fits = use.total() <= system.gpu->hbm_bytes;
//
// Bytes. Sources: activations per layer, Korthikanti et al. 2022 (arXiv:2205.05198), with s sequence, b micro batch,
// h hidden, a heads, t tensor parallel:
//
//   s b h (10 + 24/t + 5 a s/(h t))        sequence parallel: s b h/t (34 + 5 a s/h)
//   selective recomputation or fused attention: without the term of a s/h;  full: 2 s b h and one layer live
//
// generalised to gated MLPs, grouped-query attention and experts by counting the same tensors. The first stage holds
// the activations of min(p, m) micro batches, interleaved x (1 + (p-1)/(p v)). Weights take 2 bytes, gradients the
// stack's, Adam 12 (32-bit weights and two moments), which a distributed optimizer spreads over the data ranks. Routed
// experts are on dp cp tp / max(ep, tp) GPUs each, and only those share their optimizer: with ep = dp cp tp, none do.
// The 175B model with t 8, p 8, v 3, b 1, sequence parallel and selective recomputation has 12.35 GiB of activations,
// which is what the authors give.
#pragma once

#include "twin/constants.hpp"
#include "twin/layout.hpp"

namespace virga::twin {

struct MemoryUse {
  double weights = 0;
  double gradients = 0;
  double optimizer = 0;
  double activations = 0;  ///< of layers
  double output = 0;       ///< logits and their gradients; on the last stage
  double reserve = 0;      ///< context, buffers, fragmentation
  double total() const { return weights + gradients + optimizer + activations + output + reserve; }
};

/// Of the stage that needs most. The layout divides.
MemoryUse memory_use(const Transformer& model, const Layout& layout, const Stack& stack);

/// Activation bytes of one layer for one micro batch, on one GPU.
double layer_activation_bytes(const Transformer& model, const Layout& layout, bool scores_kept);

/// Parameters on one GPU. Those of routed experts are apart: fewer ranks hold the same ones.
struct GpuParameters {
  double shared_by_data = 0;  ///< all others: every data and context rank has them
  double experts = 0;
  double total() const { return shared_by_data + experts; }
};

/// Of one layer, the mean of dense and expert layers.
GpuParameters layer_parameters_per_gpu(const Transformer& model, const Layout& layout);

/// How many ranks hold the same routed experts (Megatron's expert data parallel). The experts' tensor parallel degree
/// is tp / ep where there are fewer expert than tensor ranks, else 1.
std::uint32_t expert_data_ranks(const Layout& layout);

/// Of the first, a middle and the last stage.
struct StageParameters {
  GpuParameters first;
  GpuParameters middle;
  GpuParameters last;
};
StageParameters stage_parameters(const Transformer& model, const Layout& layout);

}  // namespace virga::twin
