// See the header for what is searched and skipped.
#include "twin/planner.hpp"

#include <algorithm>
#include <vector>

namespace virga::twin {

namespace {

/// In ascending order. A fixed part stands alone, whether or not it divides.
std::vector<std::uint32_t> divisors(std::uint32_t number, std::uint32_t fixed) {
  if (fixed > 0) return {fixed};
  std::vector<std::uint32_t> low;
  std::vector<std::uint32_t> high;
  for (std::uint32_t i = 1; std::uint64_t{i} * i <= number; ++i) {
    if (number % i != 0) continue;
    low.push_back(i);
    if (i != number / i) high.push_back(number / i);
  }
  low.insert(low.end(), high.rbegin(), high.rend());
  return low;
}

struct Depth {
  std::uint32_t pp = 1;
  std::uint32_t interleave = 1;
};

/// What of a layout the time of a layer depends on, other than tp, cp, ep and micro batch.
struct Style {
  Recompute recompute = Recompute::none;
  bool sequence_parallel = false;
};

/// The lists that are walked through.
struct Space {
  std::vector<std::uint32_t> tps;
  std::vector<std::uint32_t> cps;
  std::vector<std::uint32_t> eps;
  std::vector<std::uint32_t> micro_batches;
  std::vector<Style> styles;
  std::vector<Depth> depths;  ///< a stage count's chunks follow each other, one chunk first
  std::vector<bool> spread;   ///< distributed optimizer or not; yes first
};

std::vector<Style> styles_of(const Evaluator& evaluator, const FixedParts& fixed) {
  std::vector<Style> styles;
  for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
    if (fixed.recompute && *fixed.recompute != recompute) continue;
    // Fused attention keeps no scores: there is nothing to select.
    if (!fixed.recompute && recompute == Recompute::selective && evaluator.stack().flash) continue;
    for (const bool sequence_parallel : {true, false}) {
      if (fixed.sequence_parallel && *fixed.sequence_parallel != sequence_parallel) continue;
      styles.push_back({recompute, sequence_parallel});
    }
  }
  return styles;
}

std::vector<Depth> depths_of(const Evaluator& evaluator, const Question& question) {
  const std::uint32_t layers = evaluator.model().layers;
  const FixedParts& fixed = question.fixed;
  std::vector<Depth> depths;
  for (const std::uint32_t pp : divisors(question.gpus, fixed.pp)) {
    if (pp > layers) break;
    const std::uint32_t most = evaluator.stack().interleaves && pp > 1 ? (layers + 2) / pp : 1;
    for (std::uint32_t v = 1; v <= std::max(most, fixed.interleave); ++v) {
      if (fixed.interleave > 0 ? v != fixed.interleave : v > most) continue;
      if (launchable(layers, pp, v)) depths.push_back({pp, v});
    }
  }
  return depths;
}

Space space_of(const Evaluator& evaluator, const Question& question) {
  const FixedParts& fixed = question.fixed;
  const Transformer& model = evaluator.model();
  Space space;
  space.tps = divisors(question.gpus, fixed.tp);
  const std::uint32_t near = std::max({evaluator.machine().domain, evaluator.machine().gpus_per_node, 1U});
  if (fixed.tp == 0 && !fixed.far_tensor) {
    std::erase_if(space.tps, [&](std::uint32_t tp) { return tp > near; });
  }
  space.cps = divisors(question.gpus, fixed.cp == 0 && !evaluator.stack().splits_context ? 1 : fixed.cp);
  std::erase_if(space.tps, [&](std::uint32_t tp) { return !splits_heads(model, tp); });
  space.eps = divisors(std::max(model.experts, 1U), fixed.ep);
  // Megatron spreads experts in bf16 and narrower only.
  if (fixed.precision == Precision::fp16) std::erase_if(space.eps, [](std::uint32_t ep) { return ep > 1; });
  space.micro_batches = divisors(question.global_batch, fixed.micro_batch);
  space.styles = styles_of(evaluator, fixed);
  space.depths = depths_of(evaluator, question);
  for (const bool spread : {true, false}) {
    if (fixed.distributed_optimizer && *fixed.distributed_optimizer != spread) continue;
    space.spread.push_back(spread);
  }
  // Bounding skips most where a good layout comes early: tensor groups that fill an NVLink domain come first.
  std::stable_sort(space.tps.begin(), space.tps.end(), [&](std::uint32_t a, std::uint32_t b) {
    const bool far_a = a > near;
    const bool far_b = b > near;
    return far_a != far_b ? far_b : far_a ? a < b : a > b;
  });
  return space;
}

class Walk {
 public:
  Walk(const Evaluator& evaluator, const Question& question, Method method)
      : evaluator_(evaluator),
        question_(question),
        space_(space_of(evaluator, question)),
        bounding_(method == Method::bounding),
        room_(evaluator.machine().gpu->hbm_bytes),
        too_large_(space_.styles.size()) {
    for (auto& micro_batches : too_large_) micro_batches.reserve(space_.micro_batches.size());
  }

  Found run() {
    Layout l;
    l.global_batch = question_.global_batch;
    l.precision = question_.fixed.precision;
    l.sharded_weights = question_.fixed.sharded_weights;
    for (const std::uint32_t tp : space_.tps) {
      for (const std::uint32_t cp : space_.cps) {
        const std::uint64_t share = std::uint64_t{tp} * cp;
        if (question_.gpus % share != 0) continue;
        l.tp = tp;
        l.cp = cp;
        const auto ranks = static_cast<std::uint32_t>(question_.gpus / share);
        for (const std::uint32_t ep : space_.eps) {
          l.ep = ep;
          micro_batches(l, ranks);
        }
      }
    }
    return found_;
  }

 private:
  void micro_batches(Layout& l, std::uint32_t ranks) {
    for (auto& micro_batches : too_large_) micro_batches.clear();
    for (const std::uint32_t micro_batch : space_.micro_batches) {
      l.micro_batch = micro_batch;
      for (std::size_t i = 0; i < space_.styles.size(); ++i) {
        const Style& style = space_.styles[i];
        if (!offered(l, style)) continue;
        const auto divides_it = [&](std::uint32_t smaller) { return micro_batch % smaller == 0; };
        if (std::any_of(too_large_[i].begin(), too_large_[i].end(), divides_it)) continue;
        l.recompute = style.recompute;
        l.sequence_parallel = style.sequence_parallel;
        const std::uint64_t fitting = found_.fitting;
        const bool all = stages(l, ranks);
        if (bounding_ && all && found_.fitting == fitting) too_large_[i].push_back(micro_batch);
      }
    }
  }

  bool offered(const Layout& l, const Style& style) const {
    if (question_.fixed.sequence_parallel) return true;
    if (l.tp == 1) return !style.sequence_parallel;
    // Megatron wants both together where there are experts.
    return style.sequence_parallel || evaluator_.model().experts == 0;
  }

  /// All ways to split `ranks` into stages and data ranks. False: none was looked at further, as all are too slow.
  bool stages(Layout& l, std::uint32_t ranks) {
    bool bounded = !bounding_;
    std::uint32_t too_large = 0;  // the stage count whose smallest layout does not fit
    for (const Depth& depth : space_.depths) {
      if (ranks % depth.pp != 0 || depth.pp == too_large) continue;
      l.pp = depth.pp;
      l.dp = ranks / depth.pp;
      l.interleave = depth.interleave;
      // Interleaving hands micro batches on in groups of as many as there are stages.
      const std::uint64_t samples = std::uint64_t{l.dp} * l.micro_batch;
      if (l.global_batch % samples != 0 || (l.interleave > 1 && l.global_batch / samples % l.pp != 0)) continue;
      for (const bool spread : space_.spread) {
        if (spread && l.dp * l.cp == 1 && !question_.fixed.distributed_optimizer) continue;
        l.distributed_optimizer = spread;
        if (!divides(l, evaluator_.model(), evaluator_.machine())) break;
        ++found_.layouts;
        if (!fits(l)) {
          if (bounding_ && l.interleave == 1 && spread == space_.spread.front()) too_large = l.pp;
          if (bounding_) break;
          continue;
        }
        if (!bounded && is_too_slow(l)) return false;
        bounded = true;
        consider(l);
      }
    }
    return true;
  }

  /// Whatever the number of stages.
  bool is_too_slow(const Layout& l) const {
    const Evaluator* nearby = question_.nearby;
    if (nearby != nullptr && nearby->seconds_at_least(l) >= question_.nearby_most) return true;
    return found_.any && evaluator_.seconds_at_least(l) >= found_.seconds;
  }

  bool fits(const Layout& l) {
    const double bytes = memory_use(evaluator_.model(), l, evaluator_.stack()).total();
    if (!found_.any_smallest || bytes < found_.smallest_bytes) {
      found_.any_smallest = true;
      found_.smallest = l;
      found_.smallest_bytes = bytes;
    }
    if (bytes > room_) return false;
    ++found_.fitting;
    return true;
  }

  /// What filling and draining the pipeline takes comes on top of the mean stage's work: the slowest stage, which sets
  /// the pace, is no faster than the mean one.
  double seconds_at_least(const Layout& l) const {
    const double step = evaluator_.stack().step_s;
    const double fill = (l.pp - 1.0) / (static_cast<double>(l.interleave) * l.micro_batches());
    return step + (evaluator_.seconds_at_least(l) - step) * (1 + fill);
  }

  void consider(const Layout& l) {
    if (bounding_ && found_.any && seconds_at_least(l) >= found_.seconds) return;
    const double seconds = seconds_with(evaluator_, l, question_.slow);
    if (found_.any && seconds >= found_.seconds) return;
    found_.any = true;
    found_.layout = l;
    found_.seconds = seconds;
  }

  const Evaluator& evaluator_;
  const Question& question_;
  Space space_;
  bool bounding_;
  double room_;
  std::vector<std::vector<std::uint32_t>> too_large_;  ///< by style: micro batches of which nothing fits
  Found found_;
};

}  // namespace

bool splits_heads(const Transformer& model, std::uint32_t tp) {
  return model.latent.used() || model.kv_heads % tp == 0;
}

bool launchable(std::uint32_t layers, std::uint32_t pp, std::uint32_t interleave) {
  if (pp == 0 || interleave == 0 || pp > layers) return false;
  if (pp == 1) return interleave == 1;
  const std::uint64_t chunks = std::uint64_t{pp} * interleave;
  if (layers % chunks == 0 || (layers + 2) % chunks == 0) return layers % pp == 0 || (layers + 2) % pp == 0;
  return interleave == 1 && std::uint64_t{layers / pp + 1} * (pp - 1) < layers;
}

Found search(const Evaluator& evaluator, const Question& question, Method method) {
  return Walk(evaluator, question, method).run();
}

std::uint32_t usable_gpus(const Evaluator& evaluator, Question question) {
  constexpr std::uint32_t k_tries = 64;
  const std::uint32_t step = std::min(evaluator.machine().gpus_per_node, question.gpus);
  if (step == 0) return 0;
  question.gpus = question.gpus / step * step;
  for (std::uint32_t i = 0; i < k_tries && question.gpus > 0; ++i, question.gpus -= step) {
    if (search(evaluator, question).any_smallest) return question.gpus;
  }
  return 0;
}

}  // namespace virga::twin
