// The answer for a terminal of 100 columns.
#include <fmt/format.h>

#include <algorithm>

#include "cli/verbs/plan_report.hpp"

namespace virga {
namespace {

constexpr double k_gib = 1073741824.0;
constexpr int k_bar_columns = 44;

/// Eighths of a column, as blocks.
std::string bar(double share) {
  static constexpr std::string_view k_eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * k_bar_columns * 8 + 0.5);
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  text += k_eighths[eighths % 8];
  const int columns = (eighths + 7) / 8;
  text.append(static_cast<std::size_t>(k_bar_columns - columns), ' ');
  return text;
}

std::string_view what_it_is(twin::Term term) {
  switch (term) {
    case twin::Term::compute:
      return "kernels";
    case twin::Term::host:
      return "launching kernels";
    case twin::Term::tensor:
      return "tensor and context parallel traffic";
    case twin::Term::expert:
      return "all-to-all of experts";
    case twin::Term::pipeline:
      return "sends between stages";
    case twin::Term::bubble:
      return "filling and draining the pipeline, and waiting for the fullest stage";
    case twin::Term::data:
      return "gradients and weights between data ranks";
    case twin::Term::optimizer:
      return "the optimizer";
    case twin::Term::step:
      return "data, clipping, logging";
  }
  return "";
}

std::string head(const PlanReport& r) {
  const twin::Transformer& model = *r.request.model;
  std::string text =
      fmt::format("{}: {:.1f} B parameters", model.name, static_cast<double>(twin::parameters(model).total) / 1e9);
  if (model.experts > 0) {
    text += fmt::format(" ({:.1f} B active)", static_cast<double>(twin::parameters(model).active) / 1e9);
  }
  text += fmt::format(", {} sequences of {} tokens a step{}\n", grouped_digits(r.layout.global_batch),
                      grouped_digits(model.seq), r.question.batch_assumed ? " (assumed; --global-batch)" : "");
  text += fmt::format("{} GPUs: {} x {}, {}, software {}\n\n", grouped_digits(r.point.gpus),
                      grouped_digits(r.point.nodes), r.system.name, name_of(r.layout.precision), r.request.stack->name);
  return text;
}

std::string step(const PlanReport& r) {
  std::string text = fmt::format("layout      {}\n", layout_text(r.layout));
  text += fmt::format("step        {:.2f} s, {} tokens/s, {:.0f} TFLOP/s a GPU, MFU {:.1f} %\n", r.prediction.seconds,
                      grouped_digits(r.tokens_per_s), r.flops_per_gpu / 1e12, r.utilisation * 100);
  for (const auto& [term, seconds] : terms_of(r.prediction.terms)) {
    const double share = seconds / r.prediction.seconds;
    if (share < 0.0005) continue;
    text += fmt::format("  {:9} {} {:8.3f} s {:5.1f} %\n", name_of(term), bar(share), seconds, share * 100);
  }
  text += fmt::format("bottleneck  {}: {}\n", name_of(r.prediction.binding), what_it_is(r.prediction.binding));
  if (twin::beyond_calibration(r.system, r.layout)) {
    text += "            (no run of this kind is among those that the model was calibrated on)\n";
  }
  const twin::MemoryUse& m = r.prediction.memory;
  text += fmt::format(
      "memory      {:.1f} of {:.1f} GiB a GPU: weights {:.1f}, gradients {:.1f}, optimizer {:.1f}, "
      "activations {:.1f},\n            logits {:.1f}, reserve {:.1f}\n",
      m.total() / k_gib, r.system.gpu->hbm_bytes / k_gib, m.weights / k_gib, m.gradients / k_gib, m.optimizer / k_gib,
      m.activations / k_gib, m.output / k_gib, m.reserve / k_gib);
  return text;
}

std::string ranks_text(std::uint32_t ranks) { return ranks == 1 ? "1 rank" : fmt::format("{} ranks", ranks); }

/// What slows the run down from outside.
std::string slowed(const PlanReport& r) {
  std::string text;
  for (const auto& group : r.request.slow.groups()) {
    text += fmt::format("{}{} {:.3g} times as slow", text.empty() ? "slow ranks  " : ", ", ranks_text(group.ranks),
                        group.factor);
  }
  if (!text.empty()) {
    text += fmt::format(": {:.3f} s of the step, {:.1f} %\n", r.plan.slow_seconds,
                        r.plan.slow_seconds / r.prediction.seconds * 100);
  }
  if (!r.request.fabric) return text;
  const std::uint32_t others = r.request.fabric->other_jobs;
  text += fmt::format("network     {}: {}{}, NICs get {:.1f} % of their rate\n", r.question.fabric_name,
                      others == 0   ? "alone"
                      : others == 1 ? "with another job of this size"
                                    : fmt::format("with {} other jobs of this size", others),
                      r.request.fabric->scattered ? ", scattered" : "", r.point.nic_share * 100);
  return text;
}

std::string run(const PlanReport& r) {
  if (r.request.tokens <= 0) return {};
  const twin::RunEstimate& run = r.point.run;
  std::string text =
      fmt::format("run         {} steps for {:.4g} B tokens: {:.1f} days",
                  grouped_digits(twin::steps_of(r.request.tokens, *r.request.model, r.layout.global_batch)),
                  r.request.tokens / 1e9, run.wall_s / 86400);
  if (r.offer.usd_per_node_hour > 0) {
    text += fmt::format(", {} USD at {:.2f} USD a VM and hour", grouped_digits(run.usd), r.offer.usd_per_node_hour);
    if (const std::string& region = r.question.regions[r.point.offer]; !region.empty()) text += " in " + region;
  }
  text += fmt::format("\n            {:.1f} days of it are training; {:.1f} {} expected; a checkpoint ({}) every {}\n",
                      run.work_s / 86400, run.failures, r.question.spot ? "evictions and failures" : "failures",
                      span_text(r.checkpoint_s), span_text(run.interval_s));
  if (r.question.spot_price_assumed) {
    text += "            spot at 40 % of the list price is assumed: it changes by the hour; --price\n";
  }
  if (r.question.spot_rate_assumed) {
    text +=
        "            2.5 % of VMs evicted an hour are assumed: the middle of Azure's lowest band; --eviction-rate\n";
  }
  if (r.question.deadline_assumed) text += "            the cheapest within 30 days (assumed; --deadline, --budget)\n";
  const auto& points = r.plan.points;
  if (!r.plan.within_deadline) {
    const bool any = std::any_of(points.begin(), points.end(),
                                 [&](const auto& point) { return point.run.wall_s <= r.request.deadline_s; });
    text +=
        any ? "deadline    missed: see the front for what meets it\n" : "deadline    missed by all that was tried\n";
  }
  if (!r.plan.within_budget) {
    const bool any = std::any_of(points.begin(), points.end(),
                                 [&](const auto& point) { return point.run.usd <= r.request.budget_usd; });
    text +=
        any ? "budget      exceeded: see the front for what it pays\n" : "budget      exceeded by all that was tried\n";
  }
  return text;
}

std::string front(const PlanReport& r) {
  std::string text = "\nfront of time against cost (* chosen; - another is faster and cheaper)\n";
  const bool whole_run = r.request.tokens > 0;
  text += fmt::format("    {:>6}  {:34} {:>9} {:>9} {:>14}  {}\n", "gpus", "size", "step",
                      whole_run ? "days" : "tokens/s", whole_run ? "USD" : "USD a step", "layout tp.pp.dp");
  for (std::size_t i = 0; i < r.plan.points.size(); ++i) {
    const twin::PlanPoint& point = r.plan.points[i];
    const bool is_chosen = r.plan.chosen == i;
    if (!point.on_front && !is_chosen && r.request.gpus == 0) continue;
    const twin::Offer& offer = r.request.offers[point.offer];
    const double hour = offer.usd_per_node_hour * point.nodes;
    const double usd = whole_run ? point.run.usd : hour * point.found.seconds / 3600;
    const double rate = double(r.layout.global_batch) * r.request.model->seq / point.found.seconds;
    const std::string speed = whole_run ? fmt::format("{:.1f}", point.run.wall_s / 86400) : grouped_digits(rate);
    const twin::Layout& l = point.found.layout;
    text +=
        fmt::format("  {} {:>6}  {:34} {:>7.2f} s {:>9} {:>14}  {}.{}.{}\n",
                    is_chosen        ? "*"
                    : point.on_front ? " "
                                     : "-",
                    grouped_digits(point.gpus), offer.system->name, point.found.seconds, speed,
                    hour > 0 ? whole_run ? grouped_digits(usd) : fmt::format("{:.2f}", usd) : "?", l.tp, l.pp, l.dp);
  }
  return text;
}

std::string sensitivity(const PlanReport& r) {
  std::string text = "\na tenth more of … makes a sample take\n";
  for (const twin::Sensitivity& s : r.plan.sensitivities) {
    if (!s.any) continue;
    text += fmt::format("  {:22} {:5.1f} % less time", lever_text(s.lever), s.gain * 100);
    if (s.amount > 0) text += fmt::format(" ({})", grouped_digits(s.amount));
    if (!(s.layout == r.layout) && s.lever != twin::Lever::gpus && s.lever != twin::Lever::batch) {
      text += fmt::format(", with {}.{}.{}", s.layout.tp, s.layout.pp, s.layout.dp);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string plan_text(const PlanReport& report) {
  std::string text = head(report) + step(report) + slowed(report) + run(report) + front(report) + sensitivity(report);
  if (!report.question.unpriced.empty()) {
    text +=
        fmt::format("\nleft out, since no price of theirs is listed: {}\n", fmt::join(report.question.unpriced, ", "));
  }
  return text;
}

std::string unfit_text(const PlanQuestion& question, const twin::Plan& plan) {
  const twin::PlanRequest& request = question.request;
  const twin::System& system = *request.offers.front().system;
  const twin::Evaluator evaluator(*request.model, system, *request.stack);
  const twin::Prediction p = evaluator.predict(plan.nearest.smallest);
  const twin::MemoryUse& m = p.memory;
  std::string text = fmt::format(
      "{} does not fit on {} GPUs of {}: the smallest layout needs {:.1f} of {:.1f} GiB a GPU\n"
      "layout      {}\n"
      "memory      weights {:.1f}, gradients {:.1f}, optimizer {:.1f}, activations {:.1f}, logits {:.1f}, reserve "
      "{:.1f} "
      "GiB\n"
      "step        {:.2f} s, if it did\n",
      request.model->name, grouped_digits(plan.nearest.smallest.gpus()), system.name, m.total() / k_gib,
      system.gpu->hbm_bytes / k_gib, layout_text(plan.nearest.smallest), m.weights / k_gib, m.gradients / k_gib,
      m.optimizer / k_gib, m.activations / k_gib, m.output / k_gib, m.reserve / k_gib, p.seconds);
  for (const twin::Cure& cure : plan.cures) text += fmt::format("it would    with {}\n", cure_text(cure));
  return text;
}

}  // namespace virga
