#include "brain/training/training_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "brain/place/collective_time.hpp"
#include "brain/training/training_note.hpp"
#include "twin/iteration.hpp"

namespace virga {

namespace {

using twin::Layout;
using twin::Recompute;

constexpr std::string_view k_software = "megatron-bridge-2026.2";
constexpr std::uint32_t k_batch_assumed = 1024;
constexpr std::uint32_t k_gpus_max = 65'536;  ///< up to which a number of GPUs that would do is looked for
constexpr std::size_t k_answers_max = 1'024;
constexpr double k_gib = 1073741824.0;

struct Found {
  Layout layout;
  double memory = 0;
  double tokens_per_second = 0;
  bool is_tight = false;  ///< fits within k_memory_margin only

  bool is_better_than(const Found& other) const {
    return is_tight != other.is_tight ? other.is_tight : tokens_per_second > other.tokens_per_second;
  }
};

/// All layouts of one model on one kind of machine that a note allows.
class Search {
 public:
  Search(const twin::Transformer& model, const twin::System& system, const TrainingNote& note)
      : model_(model),
        system_(system),
        note_(note),
        evaluator_(model, system, *twin::find_stack(note.software.empty() ? k_software : note.software)),
        memory_max_(system.gpu->hbm_bytes * (1 + k_memory_margin)) {}

  /// Looks at all that run on so many GPUs. With `first_only` it stops at one that fits.
  void run(std::uint32_t gpus, bool first_only = false) {
    best_.reset();
    least_.reset();
    is_done_ = false;
    first_only_ = first_only;
    for (std::uint32_t tp = 1; tp <= gpus && !is_done_; ++tp) {
      const bool is_power = (tp & (tp - 1)) == 0;
      if (note_.tp > 0 ? tp != note_.tp : !is_power || tp > std::max(system_.domain, 1U)) continue;
      if (gpus % tp == 0) each_pipeline(gpus / tp, tp);
    }
  }

  const std::optional<Found>& best() const { return best_; }
  /// The one that needs the least memory, whether it fits or not.
  const std::optional<Found>& least() const { return least_; }
  const twin::Evaluator& evaluator() const { return evaluator_; }

 private:
  void each_pipeline(std::uint32_t gpus, std::uint32_t tp) {
    const std::uint32_t cp = std::max(note_.cp, 1U);
    for (std::uint32_t pp = 1; pp <= std::min(gpus, model_.layers) && !is_done_; ++pp) {
      if ((note_.pp > 0 && pp != note_.pp) || gpus % (pp * cp) != 0) continue;
      Layout layout;
      layout.tp = tp;
      layout.pp = pp;
      layout.cp = cp;
      layout.dp = gpus / (pp * cp);
      layout.interleave = std::max(note_.interleave, 1U);
      layout.precision = note_.precision.value_or(twin::Precision::bf16);
      layout.sequence_parallel = tp > 1 && model_.seq % (cp * tp) == 0;
      each_expert_parallel(layout);
    }
  }

  void each_expert_parallel(Layout layout) {
    const std::uint32_t most = note_.ep > 0 ? note_.ep : std::max(model_.experts, 1U);
    for (layout.ep = std::max(note_.ep, 1U); layout.ep <= most && !is_done_; layout.ep *= 2) {
      for (const std::uint32_t micro_batch : {1U, 2U, 4U}) {
        if (note_.micro_batch > 0 && micro_batch > 1) break;
        layout.micro_batch = note_.micro_batch > 0 ? note_.micro_batch : micro_batch;
        const std::uint64_t unit = std::uint64_t{layout.dp} * layout.micro_batch;
        layout.global_batch = note_.global_batch > 0
                                  ? note_.global_batch
                                  : static_cast<std::uint32_t>((k_batch_assumed + unit - 1) / unit * unit);
        if (twin::divides(layout, model_, system_)) least_that_fits(layout);
      }
    }
  }

  /// What is recomputed, and what is spread over the data ranks: as little as fits, since both cost time.
  void least_that_fits(Layout layout) {
    for (const bool sharded : {false, true}) {
      // Pipelines and fully sharded weights are not used together: every micro batch would gather them anew. Experts
      // that are spread over the data ranks already are not spread over them a second time.
      if (note_.sharded_weights ? sharded != *note_.sharded_weights : sharded && (layout.pp > 1 || layout.ep > 1))
        continue;
      layout.sharded_weights = sharded;
      layout.distributed_optimizer = note_.distributed_optimizer.value_or(true);
      for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full}) {
        if (note_.recompute && recompute != *note_.recompute) continue;
        layout.recompute = recompute;
        if (fits(layout)) return;
      }
    }
  }

  bool fits(const Layout& layout) {
    Found found{.layout = layout};
    found.memory = twin::memory_use(model_, layout, evaluator_.stack()).total();
    if (!least_ || found.memory < least_->memory) least_ = found;
    if (found.memory > memory_max_) return false;
    found.is_tight = found.memory > system_.gpu->hbm_bytes;
    is_done_ = first_only_;
    found.tokens_per_second = static_cast<double>(layout.global_batch) * model_.seq / evaluator_.seconds(layout);
    if (!best_ || found.is_better_than(*best_)) best_ = found;
    return !found.is_tight;
  }

  const twin::Transformer& model_;
  const twin::System& system_;
  const TrainingNote& note_;
  twin::Evaluator evaluator_;
  double memory_max_;
  std::optional<Found> best_;
  std::optional<Found> least_;
  bool first_only_ = false;
  bool is_done_ = false;
};

std::string counted_gpus(std::uint32_t gpus) { return fmt::format("{} GPU{}", gpus, gpus == 1 ? "" : "s"); }

std::string degrees_of(const Layout& l) {
  std::string words = fmt::format("tp={} pp={}", l.tp, l.pp);
  if (l.cp > 1) words += fmt::format(" cp={}", l.cp);
  if (l.ep > 1) words += fmt::format(" ep={}", l.ep);
  return words + (l.sharded_weights ? " sharding=full" : "");
}

std::string other_words_of(const Layout& l) {
  return l.recompute == Recompute::none ? "no recomputation" : fmt::format("{} recomputation", name_of(l.recompute));
}

/// A job's question: how many GPUs of what.
struct Machine {
  const twin::System& system;
  std::uint32_t nodes = 1;
  std::uint32_t gpus_per_node = 1;

  std::uint32_t gpus() const { return nodes * gpus_per_node; }
};

/// The layout of the note changed, or more nodes: what would make the model fit.
std::string way_out(const twin::Transformer& model, const Machine& machine, const TrainingNote& note) {
  TrainingNote open = note;
  open.tp = open.pp = open.cp = open.ep = open.interleave = 0;
  open.recompute.reset();
  open.distributed_optimizer.reset();
  open.sharded_weights.reset();
  open.micro_batch = 0;
  Search free(model, machine.system, open);
  free.run(machine.gpus(), true);
  if (free.best()) return fmt::format("{} would fit", degrees_of(free.best()->layout));
  for (std::uint32_t nodes = machine.nodes + 1; nodes * machine.gpus_per_node <= k_gpus_max;) {
    const std::uint32_t gpus = nodes * machine.gpus_per_node;
    free.run(gpus, true);
    if (free.best()) {
      return fmt::format("{} would do ({} nodes, {})", counted_gpus(gpus), nodes, degrees_of(free.best()->layout));
    }
    // Each number at first, then those that divide well.
    nodes = nodes < 8 ? nodes + 1 : nodes / 8 * 8 + 8 * std::max(nodes / 64, 1U);
  }
  return fmt::format("no number of {} up to {} would do", machine.system.gpu->name, k_gpus_max);
}

/// Why nothing that the note allows can run at all: the first rule that its own numbers break.
std::string broken_rule(const twin::Transformer& model, const Machine& machine, const TrainingNote& note) {
  const std::uint64_t parts = std::uint64_t{std::max(note.tp, 1U)} * std::max(note.pp, 1U) * std::max(note.cp, 1U);
  if (machine.gpus() % parts != 0) {
    return fmt::format("tp x pp x cp = {} does not divide the {} that it asks for; ask for a multiple of {}", parts,
                       counted_gpus(machine.gpus()), parts);
  }
  Layout layout;
  layout.tp = std::max(note.tp, 1U);
  layout.pp = std::max(note.pp, 1U);
  layout.cp = std::max(note.cp, 1U);
  layout.ep = std::max(note.ep, 1U);
  layout.dp = static_cast<std::uint32_t>(machine.gpus() / parts);
  layout.interleave = std::max(note.interleave, 1U);
  layout.micro_batch = std::max(note.micro_batch, 1U);
  layout.global_batch = note.global_batch > 0 ? note.global_batch : layout.dp * layout.micro_batch;
  layout.precision = note.precision.value_or(twin::Precision::bf16);
  const std::vector<std::string> lines = twin::check(layout, model, machine.system);
  if (!lines.empty()) return lines.front();
  return fmt::format("no layout of {} on {} divides as its comment asks", model.name, counted_gpus(machine.gpus()));
}

TrainingPlan plan_of(const twin::Transformer& model, const Machine& machine, const TrainingNote& note,
                     const Search& search) {
  const Found& found = *search.best();
  TrainingPlan plan;
  plan.model = model.name;
  plan.gpu = machine.system.gpu->name;
  plan.layout = found.layout;
  plan.step = duration_from(search.evaluator().seconds(found.layout));
  plan.tokens_per_step = std::uint64_t{found.layout.global_batch} * model.seq;
  plan.tokens_per_second = static_cast<std::uint64_t>(found.tokens_per_second + 0.5);
  plan.memory_bytes = static_cast<std::uint64_t>(found.memory);
  plan.gpu_bytes = static_cast<std::uint64_t>(machine.system.gpu->hbm_bytes);
  if (note.tokens > 0) {
    const std::uint64_t steps = (note.tokens - 1) / plan.tokens_per_step + 1;
    plan.run = duration_from(static_cast<double>(steps) * (static_cast<double>(plan.step.ns) / 1e9));
  }
  return plan;
}

}  // namespace

std::string words_of(const Layout& l) {
  return fmt::format("{} dp={}, micro batch {}, global batch {}, {}", degrees_of(l), l.dp, l.micro_batch,
                     l.global_batch, other_words_of(l));
}

TrainingCheck check_training(const JobSpec& spec, const Pool& pool) {
  TrainingCheck check;
  const std::optional<TrainingNote> note = training_note(spec.comment);
  if (!note) return check;
  const twin::Transformer* known = twin::find_model(note->model);
  if (known == nullptr) {
    check.warnings.push_back(fmt::format(
        "comment: model={} is none that the twin knows (data/models.csv), so memory and run time are not checked",
        note->model.substr(0, 40)));
    return check;
  }
  for (const std::string& key : note->unknown) {
    check.warnings.push_back(fmt::format("comment: {}= is no key of a training, and has no effect", key));
  }
  if (!note->mistake.empty()) {
    check.misfit = "comment: " + note->mistake;
    return check;
  }
  const twin::System* system = system_of(pool.sku);
  if (system == nullptr) {
    check.warnings.push_back(
        fmt::format("the twin does not know {} (data/systems.csv), so memory and run time of {} are not checked there",
                    pool.sku.name, known->name));
    return check;
  }
  const std::uint32_t gpus_per_node = spec.exclusive ? pool.sku.resources.gpus : spec.per_node.gpus;
  if (gpus_per_node == 0) {
    check.misfit =
        fmt::format("it is to train {}, and asks for no GPU; add --gpus-per-node=N or --exclusive", known->name);
    return check;
  }
  twin::Transformer model = *known;
  if (note->seq > 0) model.seq = note->seq;
  const Machine machine{*system, spec.nodes, gpus_per_node};
  Search search(model, *system, *note);
  search.run(machine.gpus());
  if (!search.least()) {
    check.misfit = fmt::format("{}: {}", known->name, broken_rule(model, machine, *note));
  } else if (!search.best()) {
    const Found& least = *search.least();
    check.misfit =
        fmt::format("{} does not fit {} ({}): {:.1f} GiB each with {} and {}, they have {:.1f}; {}", known->name,
                    counted_gpus(machine.gpus()), system->gpu->name, least.memory / k_gib, degrees_of(least.layout),
                    other_words_of(least.layout), system->gpu->hbm_bytes / k_gib, way_out(model, machine, *note));
  } else {
    check.plan = plan_of(model, machine, *note, search);
    if (search.best()->is_tight) {
      check.warnings.push_back(fmt::format("{} may not fit: {:.1f} GiB of each GPU's {:.1f} are predicted with {}",
                                           known->name, search.best()->memory / k_gib, system->gpu->hbm_bytes / k_gib,
                                           words_of(check.plan->layout)));
    }
  }
  return check;
}

const TrainingCheck& TrainingChecks::of(const JobSpec& spec, const Pool& pool) const {
  static const TrainingCheck k_nothing;
  if (!may_name_model(spec.comment)) return k_nothing;
  const std::uint32_t gpus = spec.exclusive ? pool.sku.resources.gpus : spec.per_node.gpus;
  const Key key{spec.comment, pool.sku.name, pool.sku.gpu_model, spec.nodes, gpus};
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  if (known_.size() >= k_answers_max) known_.clear();
  return known_.emplace(key, check_training(spec, pool)).first->second;
}

}  // namespace virga
