// virga plan: the performance model answers a question, or is held against measured runs.
#include <fmt/format.h>

#include "cli/verbs/plan_report.hpp"
#include "cli/verbs/plan_values.hpp"
#include "cli/verbs/verb.hpp"
#include "twin/validate.hpp"
#include "wire/json_codec.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

int validate_verb(const PlanOptions& options) {
  Result<std::string> text = read_text_file(options.validate, k_plan_file_bytes_max);
  if (!text) return complain(text.error());
  Result<twin::Validation> validation = twin::validate(*text, options.validate);
  if (!validation) return complain(validation.error());
  fmt::print("{}", options.json ? to_json_text(*validation) + "\n" : twin::validation_text(*validation, options.rows));
  return 0;
}

/// Nothing was found: no layout divides, or none fits.
int tell_none(const PlanOptions& options, const PlanQuestion& question, const twin::Plan& plan) {
  const twin::PlanRequest& request = question.request;
  if (plan.nearest.any_smallest) {
    fmt::print("{}", options.json ? unfit_json(question, plan) + "\n" : unfit_text(question, plan));
    return 1;
  }
  const twin::System& system = *request.offers.front().system;
  if (request.gpus == 0) {
    return complain({Code::invalid, fmt::format("no number of GPUs up to {} has a layout of {} with a global batch of "
                                                "{} that fits and gets on between failures; another --global-batch "
                                                "has more divisors, fewer fixed parts leave more layouts",
                                                request.gpus_most, request.model->name, request.global_batch)});
  }
  const twin::Evaluator evaluator(*request.model, system, *request.stack);
  const std::uint32_t usable = twin::usable_gpus(evaluator, {request.gpus, request.global_batch, request.fixed});
  const std::string help = usable == request.gpus ? "failures come faster than it gets on: a shorter --restart, or no "
                                                    "--spot"
                           : usable > 0           ? fmt::format("{} GPUs can be used", usable)
                                        : "another --global-batch has more divisors, fewer fixed parts leave more";
  return complain({Code::invalid, fmt::format("no layout of {} uses {} GPUs with a global batch of {}; {}",
                                              request.model->name, request.gpus, request.global_batch, help)});
}

int answer(const PlanOptions& options) {
  const Result<PlanQuestion> question = plan_question(options);
  if (!question) return complain(question.error());
  if (options.launcher != "megatron-lm" && options.launcher != "megatron-bridge") {
    return complain(
        {Code::invalid, fmt::format("--launcher {}: must be megatron-lm or megatron-bridge", options.launcher)});
  }
  if (!options.script.empty() && !question->request.model->causal) {
    return complain({Code::invalid, fmt::format("--script: {} is no language model, which is what the launchers train",
                                                question->request.model->name)});
  }
  const twin::Plan plan = twin::make_plan(question->request);
  if (!plan.chosen) return tell_none(options, *question, plan);
  const PlanReport report(*question, plan);
  if (!options.script.empty() && !can_be_launched(report)) {
    return complain({Code::invalid, fmt::format("--script: {} GPUs are no whole number of {}, which have {} each",
                                                report.point.gpus, report.system.name, report.system.gpus_per_node)});
  }
  if (!options.script.empty()) {
    if (auto ok = write_text_file(options.script, plan_script(report, options.launcher)); !ok)
      return complain(ok.error());
  }
  if (!options.html.empty()) {
    if (auto ok = write_text_file(options.html, plan_page(report)); !ok) return complain(ok.error());
  }
  fmt::print("{}", options.json ? plan_json(report, options.launcher) + "\n" : plan_text(report));
  return 0;
}

}  // namespace

int plan_verb(const PlanOptions& options) {
  if (options.model.empty() == options.validate.empty()) {
    return complain(
        {Code::invalid, "plan: name a MODEL to plan for, or a file with --validate. See 'virga plan --help'"});
  }
  return options.validate.empty() ? answer(options) : validate_verb(options);
}

}  // namespace virga
