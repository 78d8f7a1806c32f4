#include "cli/verbs/plan_report.hpp"

#include <fmt/format.h>

#include <cmath>

namespace virga {

PlanReport::PlanReport(const PlanQuestion& asked, const twin::Plan& answer)
    : question(asked),
      request(asked.request),
      plan(answer),
      point(answer.points[answer.chosen.value()]),
      offer(request.offers[point.offer]),
      system(*offer.system),
      layout(point.found.layout),
      prediction(answer.prediction) {
  const twin::Transformer& model = *request.model;
  const double samples = layout.global_batch;
  tokens_per_s = samples * model.seq / prediction.seconds;
  flops_per_gpu =
      static_cast<double>(twin::flops_per_token(model, twin::AttentionCount::full)) * tokens_per_s / layout.gpus();
  utilisation = flops_per_gpu / system.gpu->peak(layout.precision);
  checkpoint_s = twin::checkpoint_seconds(request, point.nodes);
}

std::array<NamedSeconds, 9> terms_of(const twin::Terms& t) {
  using twin::Term;
  return {{{Term::compute, t.compute},
           {Term::host, t.host},
           {Term::tensor, t.tensor},
           {Term::expert, t.expert},
           {Term::pipeline, t.pipeline},
           {Term::bubble, t.bubble},
           {Term::data, t.data},
           {Term::optimizer, t.optimizer},
           {Term::step, t.step}}};
}

std::string layout_text(const twin::Layout& l) {
  std::string text = fmt::format("tensor {}, pipeline {}, data {}", l.tp, l.pp, l.dp);
  if (l.interleave > 1) text += fmt::format(", interleave {}", l.interleave);
  if (l.cp > 1) text += fmt::format(", context {}", l.cp);
  if (l.ep > 1) text += fmt::format(", expert {}", l.ep);
  text += fmt::format(", micro batch {}", l.micro_batch);
  if (l.recompute != twin::Recompute::none) text += fmt::format(", {} recomputation", name_of(l.recompute));
  if (l.sequence_parallel) text += ", sequence parallel";
  if (l.distributed_optimizer) text += ", distributed optimizer";
  if (l.sharded_weights) text += ", sharded weights";
  return text;
}

std::string grouped_digits(double value) {
  std::string digits = fmt::format("{:.0f}", std::abs(value));
  for (std::size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return value < 0 ? "-" + digits : digits;
}

std::string span_text(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 3 * 86400) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

std::string_view lever_text(twin::Lever lever) {
  switch (lever) {
    case twin::Lever::flops:
      return "GPU FLOP/s";
    case twin::Lever::memory_bandwidth:
      return "GPU memory bandwidth";
    case twin::Lever::nvlink:
      return "NVLink bandwidth";
    case twin::Lever::network:
      return "NIC bandwidth";
    case twin::Lever::memory:
      return "GPU memory";
    case twin::Lever::gpus:
      return "GPUs";
    case twin::Lever::batch:
      return "global batch";
  }
  return "";
}

std::string cure_text(const twin::Cure& cure) {
  switch (cure.remedy) {
    case twin::Remedy::more_gpus:
      return fmt::format("{} GPUs:\n{:12}{}", grouped_digits(cure.gpus), "", layout_text(cure.layout));
    case twin::Remedy::other_system:
      return fmt::format("{}:\n{:12}{}", twin::known_systems()[cure.offer].name, "", layout_text(cure.layout));
    case twin::Remedy::free_part:
      return fmt::format("without --{}:\n{:12}{}", cure.part, "", layout_text(cure.layout));
  }
  return {};
}

}  // namespace virga
