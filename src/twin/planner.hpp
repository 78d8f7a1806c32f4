// The fastest layout of a model on a number of GPUs.
//
//   Evaluator evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"), k_stacks.back());
//   Found best = search(evaluator, {.gpus = 2240, .global_batch = 1920});            // by bounding
//   if (best.any) evaluator.predict(best.layout);
//   Found same = search(evaluator, {.gpus = 2240, .global_batch = 1920}, Method::exhaustive);
//   Found mine = search(evaluator, {.gpus = 2240, .global_batch = 1920, .fixed = {.tp = 8, .pp = 35}});
//
// Searched are tensor, context, expert, pipeline and data parallel degrees whose product is the number of GPUs, chunks
// per stage (interleave), micro batch, recomputation, sequence parallelism and the distributed optimizer, as far as
// Megatron can run them (`launchable`) and the stack knows them. Tensor groups stay in a node or an NVLink domain
// unless told otherwise: no measurement that the twin is calibrated on has them anywhere else. Layouts whose times are
// equal by construction are searched once: sequence parallelism without tensor parallelism, selective recomputation of
// fused attention.
//
// Both methods go through the same layouts in the same order and keep the first of the fastest, so that they give the
// same answer. Exhaustion works out the memory of every layout, and the time of
// every one that fits. Bounding (branch and bound) skips
//   - the rest of a stage count, if even its smallest layout (no interleaving, spread optimizer) does not fit;
//   - multiples of a micro batch with which nothing fits: as many samples are under way, or more;
//   - all stage counts of a (tensor, context, expert, micro batch, recomputation, sequence parallel) whose mean stage
//     alone needs more time than the best layout so far (Evaluator::seconds_at_least);
//   - the time of a layout whose mean stage needs more with the filling and draining of its pipeline.
// Neither allocates once its lists of divisors are made. Seconds and bytes.
#pragma once

#include <cstdint>
#include <optional>

#include "base/enum_names.hpp"
#include "twin/slow_ranks.hpp"

namespace virga::twin {

/// Parts of the layout that are not searched. 0 or nothing: free.
struct FixedParts {
  std::uint32_t tp = 0;
  std::uint32_t pp = 0;
  std::uint32_t cp = 0;
  std::uint32_t ep = 0;
  std::uint32_t interleave = 0;
  std::uint32_t micro_batch = 0;
  std::optional<Recompute> recompute = {};
  std::optional<bool> sequence_parallel = {};
  std::optional<bool> distributed_optimizer = {};
  Precision precision = Precision::bf16;
  bool far_tensor = false;       ///< search tensor groups beyond a node and its NVLink domain, too
  bool sharded_weights = false;  ///< never searched: another program than Megatron's pipelines
};

struct Question {
  std::uint32_t gpus = 0;
  std::uint32_t global_batch = 0;  ///< sequences
  FixedParts fixed = {};
  SlowRanks slow = {};
  /// Bounding skips, too, what takes `nearby_most` or longer by the bound of this evaluator: of a machine so alike that
  /// nothing better is lost. It has the times of layers already, which are most of the work of a search.
  const Evaluator* nearby = nullptr;
  double nearby_most = 0;
};

enum class Method : std::uint8_t { bounding, exhaustive };

struct Found {
  bool any = false;  ///< a layout that fits; `layout` and `seconds` are its
  Layout layout;
  double seconds = 0;
  std::uint64_t layouts = 0;  ///< that can be run, memory aside, and were looked at
  std::uint64_t fitting = 0;  ///< of them
  bool any_smallest = false;  ///< some layout can be run, memory aside; `smallest` needs least
  Layout smallest;
  double smallest_bytes = 0;
};

/// `gpus` and `global_batch` are above 0.
Found search(const Evaluator& evaluator, const Question& question, Method method = Method::bounding);

/// Whether Megatron can split attention over so many tensor ranks: it deals out key and value heads, and copies none.
bool splits_heads(const Transformer& model, std::uint32_t tp);

/// Whether Megatron can deal the layers so: equally, equally with embedding and output as a layer each, or with a
/// shorter last stage, which cannot be interleaved.
bool launchable(std::uint32_t layers, std::uint32_t pp, std::uint32_t interleave);

/// The nearest number of GPUs, at most `gpus`, on which some layout can be run, memory aside; 0: none.
std::uint32_t usable_gpus(const Evaluator& evaluator, Question question);

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Method> {
  static constexpr std::string_view names[] = {"bounding", "exhaustive"};
};
}  // namespace virga
