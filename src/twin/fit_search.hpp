// Which layouts of a model fit so many GPUs, and the fastest of them.
//
//   FitSearch search(*find_model("llama-3-70b"), *find_system("Standard_ND96isr_H100_v5"), {.tp = 8});
//   search.run(128);
//   if (search.best()) search.best()->step;              // the fastest layout that fits
//   else search.least()->memory_bytes;                   // what even the one with the least memory needs
//
// What the wish leaves open is searched: tensor, pipeline and expert parallel, micro batch, recomputation (the least
// that fits); the optimizer's state is spread over the data ranks, and weights where nothing else fits. Layouts that
// need more than the GPU has count as fitting up to k_memory_margin above, but only if nothing needs less: the twin's
// memory is right within a few percent (docs/accuracy.md).
//
// Bytes of the fullest GPU, nanoseconds; computed in double and rounded once. O(layouts): a millisecond.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "twin/iteration.hpp"

namespace virga::twin {

inline constexpr double k_memory_margin = 0.05;

/// What is settled; 0 or empty is open.
struct FitWish {
  std::uint32_t tp = 0;
  std::uint32_t pp = 0;
  std::uint32_t cp = 0;  ///< open: 1
  std::uint32_t ep = 0;
  std::uint32_t interleave = 0;  ///< open: 1
  std::uint32_t micro_batch = 0;
  std::uint32_t global_batch = 0;  ///< open: 1024, or the next multiple of what the layout needs
  std::optional<Recompute> recompute = {};
  std::optional<Precision> precision = {};  ///< open: bf16
  std::optional<bool> distributed_optimizer = {};
  std::optional<bool> sharded_weights = {};
  const Stack* stack = nullptr;  ///< open: Megatron-Bridge of the beginning of 2026
};

struct FitFound {
  Layout layout;
  std::uint64_t memory_bytes = 0;
  std::uint64_t tokens_per_second = 0;  ///< 0 of one that does not fit
  Duration step;                        ///< the same
  bool is_tight = false;                ///< needs more than the GPU has, within k_memory_margin
};

class FitSearch {
 public:
  /// Model and system must outlive this.
  FitSearch(const Transformer& model, const System& system, const FitWish& wish);

  /// Looks at all layouts for so many GPUs. With `first_only` it stops at one that fits.
  void run(std::uint32_t gpus, bool first_only = false);

  const std::optional<FitFound>& best() const { return best_; }
  /// The one that needs the least memory, whether it fits or not; empty: none divides.
  const std::optional<FitFound>& least() const { return least_; }
  /// What a program can allocate on a GPU.
  std::uint64_t gpu_bytes() const;

 private:
  void each_pipeline(std::uint32_t gpus, std::uint32_t tp);
  void each_expert_parallel(Layout layout);
  void least_that_fits(Layout layout);
  bool fits(const Layout& layout);

  const Transformer* model_;
  const System* system_;
  FitWish wish_;
  Evaluator evaluator_;
  std::optional<FitFound> best_;
  std::optional<FitFound> least_;
  bool first_only_ = false;
  bool is_done_ = false;
};

}  // namespace virga::twin
