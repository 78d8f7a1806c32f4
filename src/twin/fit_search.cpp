#include "twin/fit_search.hpp"

#include <algorithm>

#include "twin/spread_time.hpp"

namespace virga::twin {

namespace {

constexpr std::string_view k_stack_assumed = "megatron-bridge-2026.2";
constexpr std::uint32_t k_batch_assumed = 1024;

bool is_power_of_two(std::uint32_t number) { return (number & (number - 1)) == 0; }

bool is_better(const FitFound& a, const FitFound& b) {
  return a.is_tight != b.is_tight ? b.is_tight : a.tokens_per_second > b.tokens_per_second;
}

}  // namespace

FitSearch::FitSearch(const Transformer& model, const System& system, const FitWish& wish)
    : model_(&model),
      system_(&system),
      wish_(wish),
      evaluator_(model, system, wish.stack != nullptr ? *wish.stack : *find_stack(k_stack_assumed)) {}

std::uint64_t FitSearch::gpu_bytes() const { return static_cast<std::uint64_t>(system_->gpu->hbm_bytes); }

void FitSearch::run(std::uint32_t gpus, bool first_only) {
  best_.reset();
  least_.reset();
  is_done_ = false;
  first_only_ = first_only;
  const std::uint32_t most = wish_.tp > 0 ? wish_.tp : std::max(system_->domain, 1U);
  for (std::uint32_t tp = std::max(wish_.tp, 1U); tp <= std::min(most, gpus) && !is_done_; ++tp) {
    if (wish_.tp == 0 && !is_power_of_two(tp)) continue;
    if (gpus % tp == 0) each_pipeline(gpus / tp, tp);
  }
}

void FitSearch::each_pipeline(std::uint32_t gpus, std::uint32_t tp) {
  const std::uint32_t cp = std::max(wish_.cp, 1U);
  for (std::uint32_t pp = 1; pp <= std::min(gpus, model_->layers) && !is_done_; ++pp) {
    if ((wish_.pp > 0 && pp != wish_.pp) || gpus % (pp * cp) != 0) continue;
    Layout layout;
    layout.tp = tp;
    layout.pp = pp;
    layout.cp = cp;
    layout.dp = gpus / (pp * cp);
    layout.interleave = std::max(wish_.interleave, 1U);
    layout.precision = wish_.precision.value_or(Precision::bf16);
    layout.sequence_parallel = tp > 1 && model_->seq % (cp * tp) == 0;
    layout.distributed_optimizer = wish_.distributed_optimizer.value_or(true);
    each_expert_parallel(layout);
  }
}

void FitSearch::each_expert_parallel(Layout layout) {
  const std::uint32_t most = wish_.ep > 0 ? wish_.ep : std::max(model_->experts, 1U);
  for (layout.ep = std::max(wish_.ep, 1U); layout.ep <= most && !is_done_; ++layout.ep) {
    if (wish_.ep == 0 && model_->experts % layout.ep != 0) continue;
    for (const std::uint32_t micro_batch : {1U, 2U, 4U}) {
      if (wish_.micro_batch > 0 && micro_batch > 1) break;
      layout.micro_batch = wish_.micro_batch > 0 ? wish_.micro_batch : micro_batch;
      const std::uint64_t unit = std::uint64_t{layout.dp} * layout.micro_batch;
      const std::uint64_t assumed = (k_batch_assumed + unit - 1) / unit * unit;
      layout.global_batch = wish_.global_batch > 0 ? wish_.global_batch : static_cast<std::uint32_t>(assumed);
      if (divides(layout, *model_, *system_)) least_that_fits(layout);
    }
  }
}

/// What is recomputed, and what is spread over the data ranks: as little as fits, since both cost time.
void FitSearch::least_that_fits(Layout layout) {
  for (const bool sharded : {false, true}) {
    // Pipelines and fully sharded weights are not used together: every micro batch would gather them anew. Experts
    // that are spread over the data ranks already are not spread over them a second time.
    const bool is_odd = sharded && (layout.pp > 1 || layout.ep > 1);
    if (wish_.sharded_weights ? sharded != *wish_.sharded_weights : is_odd) continue;
    layout.sharded_weights = sharded;
    for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
      if (wish_.recompute && recompute != *wish_.recompute) continue;
      layout.recompute = recompute;
      if (fits(layout)) return;
    }
  }
}

/// Whether nothing with less memory needs to be looked at.
bool FitSearch::fits(const Layout& layout) {
  const double memory = memory_use(*model_, layout, evaluator_.stack()).total();
  FitFound found{.layout = layout, .memory_bytes = static_cast<std::uint64_t>(memory), .step = {}};
  if (!least_ || found.memory_bytes < least_->memory_bytes) least_ = found;
  if (memory > system_->gpu->hbm_bytes * (1 + k_memory_margin)) return false;
  found.is_tight = memory > system_->gpu->hbm_bytes;
  is_done_ = first_only_;
  const double seconds = evaluator_.seconds(layout);
  found.step = duration_from(seconds);
  const double tokens = static_cast<double>(layout.global_batch) * model_->seq;
  found.tokens_per_second = static_cast<std::uint64_t>(tokens / seconds + 0.5);
  if (!best_ || is_better(found, *best_)) best_ = found;
  return !found.is_tight;
}

}  // namespace virga::twin
