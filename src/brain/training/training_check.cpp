#include "brain/training/training_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/place/collective_time.hpp"
#include "brain/training/training_note.hpp"
#include "brain/training/training_words.hpp"
#include "twin/fit_search.hpp"

namespace virga {

namespace {

using twin::Layout;
using twin::Recompute;

constexpr std::uint32_t k_gpus_max = 65'536;  ///< up to which a number of GPUs that would do is looked for
constexpr std::size_t k_answers_max = 1'024;

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
  const twin::FitWish open{
      .global_batch = note.wish.global_batch, .precision = note.wish.precision, .stack = note.wish.stack};
  twin::FitSearch free(model, machine.system, open);
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
  const std::uint64_t parts =
      std::uint64_t{std::max(note.wish.tp, 1U)} * std::max(note.wish.pp, 1U) * std::max(note.wish.cp, 1U);
  if (machine.gpus() % parts != 0) {
    return fmt::format("tp x pp x cp = {} does not divide the {} that it asks for; ask for a multiple of {}", parts,
                       counted_gpus(machine.gpus()), parts);
  }
  Layout layout;
  layout.tp = std::max(note.wish.tp, 1U);
  layout.pp = std::max(note.wish.pp, 1U);
  layout.cp = std::max(note.wish.cp, 1U);
  layout.ep = std::max(note.wish.ep, 1U);
  layout.dp = static_cast<std::uint32_t>(machine.gpus() / parts);
  layout.interleave = std::max(note.wish.interleave, 1U);
  layout.micro_batch = std::max(note.wish.micro_batch, 1U);
  layout.global_batch = note.wish.global_batch > 0 ? note.wish.global_batch : layout.dp * layout.micro_batch;
  layout.precision = note.wish.precision.value_or(twin::Precision::bf16);
  const std::vector<std::string> lines = twin::check(layout, model, machine.system);
  if (!lines.empty()) return lines.front();
  return fmt::format("no layout of {} on {} divides as its comment asks", model.name, counted_gpus(machine.gpus()));
}

/// Infinite where it is more than a Duration holds.
Duration times(Duration step, std::uint64_t count) {
  const auto most = static_cast<std::uint64_t>(Duration::infinite().ns);
  if (step.ns <= 0 || step.is_infinite() || count > most / static_cast<std::uint64_t>(step.ns)) {
    return Duration::infinite();
  }
  return step * static_cast<std::int64_t>(count);
}

TrainingPlan plan_of(const twin::Transformer& model, const Machine& machine, const TrainingNote& note,
                     const twin::FitSearch& search) {
  const twin::FitFound& found = *search.best();
  TrainingPlan plan;
  plan.model = model.name;
  plan.gpu = machine.system.gpu->name;
  plan.layout = found.layout;
  plan.step = found.step;
  plan.tokens_per_step = std::uint64_t{found.layout.global_batch} * model.seq;
  plan.tokens_per_second = found.tokens_per_second;
  plan.memory_bytes = found.memory_bytes;
  plan.gpu_bytes = search.gpu_bytes();
  if (note.tokens > 0) plan.run = times(plan.step, (note.tokens - 1) / plan.tokens_per_step + 1);
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
  twin::FitSearch search(model, *system, note->wish);
  search.run(machine.gpus());
  if (!search.least()) {
    check.misfit = fmt::format("{}: {}", known->name, broken_rule(model, machine, *note));
  } else if (!search.best()) {
    const twin::FitFound& least = *search.least();
    check.misfit = fmt::format("{} does not fit {} ({}): {} each with {} and {}, they have {}; {}", known->name,
                               counted_gpus(machine.gpus()), system->gpu->name, bytes_text(least.memory_bytes),
                               degrees_of(least.layout), other_words_of(least.layout), bytes_text(search.gpu_bytes()),
                               way_out(model, machine, *note));
  } else {
    check.plan = plan_of(model, machine, *note, search);
    if (search.best()->is_tight) {
      check.warnings.push_back(fmt::format("{} may not fit: {} of each GPU's {} are predicted with {}", known->name,
                                           bytes_text(check.plan->memory_bytes), bytes_text(check.plan->gpu_bytes),
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
