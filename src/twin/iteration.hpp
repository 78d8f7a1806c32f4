// The time of one training iteration, term by term.
//
//   Evaluator evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"),
//   *find_stack("megatron-2021")); Layout layout{.tp = 8, .pp = 35, .dp = 8, .micro_batch = 1, .global_batch = 1920,
//   .recompute = Recompute::full}; if (divides(layout, evaluator.model(), evaluator.machine())) {
//     Prediction p = evaluator.predict(layout);
//     p.seconds;  p.fits;  name_of(p.binding) == "compute";  p.terms.bubble;
//   }
//
// predict() allocates nothing. Times of a layer by (tensor, context, expert parallel, micro batch) are kept between
// calls, so that an Evaluator belongs to one thread. The model and the system must outlive it.
//
// The pipeline (1F1B, Narayanan et al. 2021, arXiv:2104.04473): each stage works on m micro batches; the slowest stage
// sets the pace, the others add once what fills and drains the pipeline, 1/v of it with v chunks per GPU:
//
//   seconds = m max_i t_i + (sum_i t_i - max_i t_i) / v + data parallel + optimizer + step
//
// With slow ranks, all wait for the slowest (slowdown >= 1 multiplies what the GPU computes).
#pragma once

#include <cstdint>
#include <vector>

#include "base/enum_names.hpp"
#include "twin/kernels.hpp"
#include "twin/layout.hpp"
#include "twin/memory.hpp"

namespace virga::twin {

enum class Term : std::uint8_t { compute, host, tensor, expert, pipeline, bubble, data, optimizer, step };

/// Seconds of an iteration; they add up to its time.
struct Terms {
  double compute = 0;   ///< kernels of the mean stage
  double host = 0;      ///< where launching kernels takes longer than running them
  double tensor = 0;    ///< tensor and context parallel traffic that nothing hides
  double expert = 0;    ///< all-to-all of experts
  double pipeline = 0;  ///< sends between stages
  double bubble = 0;    ///< filling, draining, and waiting for the fullest stage
  double data = 0;      ///< gradients and weights between data ranks
  double optimizer = 0;
  double step = 0;

  double total() const { return compute + host + tensor + expert + pipeline + bubble + data + optimizer + step; }
};

struct Prediction {
  double seconds = 0;
  Terms terms;
  Term binding = Term::compute;  ///< the largest term besides compute, if it is above a tenth; else compute
  MemoryUse memory;
  bool fits = false;
};

/// How much slower than the others the slowest rank computes; 1: none is.
double slowest(const std::vector<double>& rank_slowdowns);

class Evaluator {
 public:
  /// Times that are kept, of layers and of data ranks each: what a search over all layouts asks for of a model with
  /// experts, in 4 MB (a plan of DeepSeek-V3: six tenths of the instructions of 4,096).
  static constexpr std::uint32_t k_kept_for_search = 1U << 15;
  /// For a few layouts of one model: nothing to fill with zeros first.
  static constexpr std::uint32_t k_kept_for_few = 1U << 8;

  /// `kept` is a power of two, at least 2.
  Evaluator(const Transformer& model, const System& system, const Stack& stack,
            const Calibration& calibration = k_calibration, std::uint32_t kept = k_kept_for_search);

  /// Of a layout that divides().
  Prediction predict(const Layout& layout, double slowdown = 1) const;
  /// Only the time, without memory: for inner loops that have asked for memory before.
  double seconds(const Layout& layout, double slowdown = 1) const;
  /// What no layout with the same tensor, context and expert parallel, micro batch, recomputation and GPUs is faster
  /// than, however those are split into stages and data ranks: the work of the mean stage, without any bubble.
  double seconds_at_least(const Layout& layout) const;

  const Transformer& model() const { return *model_; }
  const System& machine() const { return *system_; }
  const Stack& stack() const { return stack_; }

 private:
  /// One pass through something, in seconds.
  struct Pass {
    double compute = 0;
    double host = 0;  ///< of the time in which the GPU waits for the CPU
    double tensor = 0;
    double expert = 0;
    double total() const { return compute + host + tensor + expert; }
    void add(const Pass& other, double times);
  };
  /// Of one micro batch, both directions together, as the recomputation of the layout wants it.
  struct Times {
    Pass layer;            ///< forward, recomputation, backward
    Pass output;           ///< logits and loss, and layers that predict further tokens
    double send_near = 0;  ///< between two stages that NVLink joins, one direction
    double send_far = 0;   ///< by NICs
  };
  /// Traffic between the data ranks of a layout, before any of it is hidden; parameters of the fullest
  /// stage.
  struct DataTimes {
    double traffic = 0;
    double embedding = 0;  ///< of a tied embedding, between first and last stage
    double parameters = 0;
    double optimizer_share = 0;  ///< of them, whose optimizer this GPU has
  };

  const Times& times(const Layout& layout) const;
  Times make_times(const Layout& layout) const;
  double tensor_seconds(const Layout& layout, bool backward) const;
  Pass layer_forward(const Layout& layout, bool backward) const;
  Pass output_pass(const Layout& layout) const;
  double host_experts_seconds(const Layout& layout) const;
  bool graphed(const Layout& layout) const;
  double all_to_all_seconds(const Layout& layout, double tokens) const;
  double mlp_seconds(const Layout& layout, bool backward, double& expert_traffic) const;
  double expert_recompute_seconds(const Layout& layout) const;
  double elementwise_bytes(const Layout& layout) const;
  double routed_bytes(const Layout& layout, double activation, double quantise) const;
  double data_traffic(const Layout& layout, const RankGroup& group, double parameters) const;
  const DataTimes& data_times(const Layout& layout) const;
  DataTimes make_data_times(const Layout& layout) const;
  Terms terms_of(const Layout& layout, double slowdown) const;

  const Transformer* model_;
  const System* system_;
  Stack stack_;
  Calibration calibration_;
  Net net_;
  Rates rates_[5];  ///< by precision
  /// Fibonacci hashing: the high bits of a product with 2^64 / golden ratio.
  std::size_t slot_of(std::uint64_t key) const { return (key * 0x9E3779B97F4A7C15ULL) >> slot_shift_; }

  int slot_shift_;
  /// Hash tables of fixed size: the last layout of a slot stays.
  template <class T>
  struct Slot {
    std::uint64_t key = 0;
    T value;
  };
  mutable std::vector<Slot<Times>> times_;
  mutable std::vector<Slot<DataTimes>> data_times_;
};

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Term> {
  static constexpr std::string_view names[] = {"compute", "host", "tensor",    "expert", "pipeline",
                                               "bubble",  "data", "optimizer", "step"};
};
}  // namespace virga
