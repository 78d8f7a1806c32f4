// How a model is spread over GPUs: the degrees of parallelism and the batch, in Megatron's words.
//
//   Layout layout{.tp = 8, .pp = 35, .dp = 8, .micro_batch = 1, .global_batch = 1920};
//   layout.gpus() == 2240;  layout.micro_batches() == 240;
//   for (const std::string& line : check(layout, model, system)) complain(line);   // none: it can run
//   if (!divides(layout, model, system)) continue;                                 // the same, for inner loops
//
// Ranks are numbered tensor first, then context, data, pipeline, as Megatron does: a tensor group has neighbouring
// GPUs. Expert parallelism spreads the experts over the data and context (and tensor) ranks of a pipeline stage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "twin/hardware.hpp"
#include "twin/model.hpp"

namespace virga::twin {

enum class Recompute : std::uint8_t {
  none,
  selective,  ///< the attention core; with experts norms, activations and what comes of latent attention, too
  full,       ///< whole layers from their inputs
};

struct Layout {
  std::uint32_t tp = 1;
  std::uint32_t pp = 1;
  std::uint32_t dp = 1;
  std::uint32_t cp = 1;
  std::uint32_t ep = 1;
  std::uint32_t interleave = 1;   ///< model chunks per GPU (virtual pipeline stages)
  std::uint32_t micro_batch = 1;  ///< samples
  std::uint32_t global_batch = 1;
  bool sequence_parallel = false;
  Recompute recompute = Recompute::none;
  Precision precision = Precision::bf16;
  bool distributed_optimizer = false;  ///< ZeRO-1: optimizer state spread over data ranks
  bool sharded_weights = false;        ///< ZeRO-3, FSDP: weights and gradients, too
  std::uint32_t offloaded_layers = 0;  ///< whose activations wait in the host's memory; their way is taken to be hidden

  std::uint32_t gpus() const { return tp * pp * dp * cp; }
  std::uint32_t micro_batches() const { return global_batch / (dp * micro_batch); }
  bool operator==(const Layout&) const = default;
};

/// Whether check() has nothing to say; allocates nothing.
bool divides(const Layout& layout, const Transformer& model, const System& system);

/// One line for each thing that does not divide or cannot be. Memory is another question: twin/memory.hpp.
std::vector<std::string> check(const Layout& layout, const Transformer& model, const System& system);

/// How layers are dealt to pipeline stages: equally; where that does not come out even, but does with embedding and
/// output counted as a layer each, so; else the last stage has fewer.
struct StageLayers {
  std::uint32_t first = 0;
  std::uint32_t middle = 0;  ///< of the fullest other stage
  std::uint32_t last = 0;
};
StageLayers stage_layers(std::uint32_t layers, std::uint32_t pp);

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Recompute> {
  static constexpr std::string_view names[] = {"none", "selective", "full"};
};
}  // namespace virga
