// The planner's answer in four forms: text with a bar chart, JSON, an HTML page, and a batch script.
//
//   const PlanReport report(question, plan);
//   fmt::print("{}", plan_text(report));
//
// All are pure functions of the answer: equal questions give equal bytes.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cli/verbs/plan_options.hpp"

namespace virga {

/// What the forms share. It refers to the question and the plan, which has a chosen point.
struct PlanReport {
  PlanReport(const PlanQuestion& question, const twin::Plan& plan);

  const PlanQuestion& question;
  const twin::PlanRequest& request;
  const twin::Plan& plan;
  const twin::PlanPoint& point;
  const twin::Offer& offer;
  const twin::System& system;
  const twin::Layout& layout;
  const twin::Prediction& prediction;
  double tokens_per_s = 0;
  double flops_per_gpu = 0;  ///< of the model: without recomputation
  double utilisation = 0;    ///< of the dense peak
  double checkpoint_s = 0;
};

struct NamedSeconds {
  twin::Term term;
  double seconds;
};
/// In the order of twin::Terms.
std::array<NamedSeconds, 9> terms_of(const twin::Terms& terms);

std::string plan_text(const PlanReport& report);
std::string plan_json(const PlanReport& report, std::string_view launcher);
std::string plan_page(const PlanReport& report);
/// Whether there is a script for it: no launcher here trains models of images, and each VM must have as many tasks as
/// the others.
bool can_be_launched(const PlanReport& report);
/// `launcher` is megatron-lm or megatron-bridge. Empty where it cannot be launched.
std::string plan_script(const PlanReport& report, std::string_view launcher);

/// Where nothing fits: what is nearest, and what would make it fit.
std::string unfit_text(const PlanQuestion& question, const twin::Plan& plan);
std::string unfit_json(const PlanQuestion& question, const twin::Plan& plan);

/// "tensor 8, pipeline 35, data 8, micro batch 1, full recomputation"
std::string layout_text(const twin::Layout& layout);
/// "12,345,678"
std::string grouped_digits(double value);
/// "26.7 days", "5.2 h", "32.6 s"
std::string span_text(double seconds);
/// "NIC bandwidth"
std::string_view lever_text(twin::Lever lever);
/// What would make it fit, and the layout on a line of its own.
std::string cure_text(const twin::Cure& cure);

}  // namespace virga
