// Each part of the question is read by a function of its own; the first that is wrong ends the reading.
#include "cli/verbs/plan_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/verbs/plan_parts.hpp"
#include "cli/verbs/plan_values.hpp"
#include "wire/hf_config.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_gpus_most = 1U << 20;
constexpr double k_usual_deadline_s = 30.0 * 86400;

std::string counted_gpus(std::uint32_t gpus) { return gpus == 1 ? "1 GPU" : fmt::format("{} GPUs", gpus); }

Status read_model(const PlanOptions& options, PlanQuestion& question) {
  if (const twin::Transformer* known = twin::find_model(options.model)) {
    question.model.push_back(*known);
  } else if (options.model.find('/') != std::string::npos || options.model.ends_with(".json")) {
    const Result<std::string> text = read_text_file(options.model, k_plan_file_bytes_max);
    if (!text) return unexpected(text.error());
    Result<twin::Transformer> read = parse_hf_config(*text, options.model);
    if (!read) return unexpected(read.error());
    question.model.push_back(std::move(*read));
  } else {
    std::vector<std::string_view> names;
    for (const auto& model : twin::known_models()) names.emplace_back(model.name);
    const std::string_view near = nearest(options.model, names);
    const std::string help =
        near.empty() ? fmt::format("known are {}", fmt::join(names, ", ")) : fmt::format("did you mean {}?", near);
    return fail(Code::invalid, fmt::format("model {}: unknown, and no path of a config.json; {}", options.model, help));
  }
  twin::Transformer& model = question.model.back();
  if (auto ok = read_number("--seq", options.seq, 1U << 24, model.seq); !ok) return ok;
  question.request.model = &model;
  return {};
}

Status read_fixed(const PlanOptions& options, twin::FixedParts& fixed) {
  const std::tuple<const char*, const std::string*, std::uint32_t*> numbers[] = {
      {"--tp", &options.tp, &fixed.tp},
      {"--pp", &options.pp, &fixed.pp},
      {"--cp", &options.cp, &fixed.cp},
      {"--ep", &options.ep, &fixed.ep},
      {"--micro-batch", &options.micro_batch, &fixed.micro_batch},
      {"--interleave", &options.interleave, &fixed.interleave}};
  for (const auto& [name, text, into] : numbers) {
    if (auto ok = read_number(name, *text, k_gpus_most, *into); !ok) return ok;
  }
  if (!options.recompute.empty()) {
    twin::Recompute recompute{};
    if (auto ok = read_word("--recompute", options.recompute, recompute); !ok) return ok;
    fixed.recompute = recompute;
  }
  if (auto ok = read_switch("--sequence-parallel", options.sequence_parallel, fixed.sequence_parallel); !ok) return ok;
  if (auto ok = read_switch("--distributed-optimizer", options.distributed_optimizer, fixed.distributed_optimizer);
      !ok) {
    return ok;
  }
  fixed.far_tensor = options.any_tp;
  return read_word("--precision", options.precision, fixed.precision);
}

Status read_stack(const PlanOptions& options, twin::PlanRequest& request) {
  request.stack = options.stack.empty() ? &twin::k_stacks.back() : twin::find_stack(options.stack);
  if (request.stack != nullptr) return {};
  std::vector<std::string_view> names;
  for (const auto& stack : twin::k_stacks) names.push_back(stack.name);
  return fail(Code::invalid, fmt::format("--stack {}: unknown; known are {}", options.stack, fmt::join(names, ", ")));
}

Status read_amounts(const PlanOptions& options, PlanQuestion& question) {
  twin::PlanRequest& request = question.request;
  if (auto ok = read_number("--gpus", options.gpus, k_gpus_most, request.gpus); !ok) return ok;
  if (auto ok = read_number("--global-batch", options.global_batch, 1U << 24, request.global_batch); !ok) return ok;
  if (!options.tokens.empty()) {
    const Result<double> tokens = parse_tokens(options.tokens);
    if (!tokens) return unexpected(tokens.error());
    request.tokens = *tokens;
  }
  if (auto ok = read_real("--budget", options.budget, 1e13, request.budget_usd); !ok) return ok;
  if (!options.budget.empty() && request.budget_usd <= 0) {
    return fail(Code::invalid, fmt::format("--budget {}: must be above 0 US dollars", options.budget));
  }
  if (!options.deadline.empty()) {
    const Result<Duration> deadline = parse_duration(options.deadline);
    if (!deadline) return fail(Code::invalid, fmt::format("--deadline: {}", deadline.error().message));
    if (deadline->ns <= 0) return fail(Code::invalid, fmt::format("--deadline {}: must be above 0", options.deadline));
    request.deadline_s = static_cast<double>(deadline->ns) / 1e9;
  }
  double gb_s = 0;
  if (auto ok = read_real("--checkpoint-gb-s", options.checkpoint_gb_s, 1e4, gb_s); !ok) return ok;
  if (gb_s <= 0) return fail(Code::invalid, "--checkpoint-gb-s 0: must be above 0");
  request.checkpoint_bytes_s_per_node = gb_s * 1e9;
  if ((request.budget_usd > 0 || request.deadline_s > 0) && request.tokens <= 0) {
    return fail(Code::invalid, "--budget and --deadline are about a whole run: say its --tokens, such as 300B");
  }
  if (request.gpus == 0 && request.tokens <= 0) {
    return fail(Code::invalid, "--gpus N: missing; without it say the --tokens of the run, and N is searched");
  }
  if (request.gpus == 0 && request.budget_usd <= 0 && request.deadline_s <= 0) {
    request.deadline_s = k_usual_deadline_s;
    question.deadline_assumed = true;
  }
  if (request.global_batch == 0) {
    request.global_batch = twin::usual_global_batch(*request.model, request.gpus);
    question.batch_assumed = true;
  }
  return {};
}

/// What cannot be with any layout: told in the words of the layout's own rules, for the first offer.
Status check_possible(const PlanQuestion& question) {
  const twin::PlanRequest& request = question.request;
  const twin::FixedParts& fixed = request.fixed;
  const twin::System& system = *request.offers.front().system;
  twin::Layout layout{.tp = std::max(fixed.tp, 1U),
                      .pp = std::max(fixed.pp, 1U),
                      .cp = std::max(fixed.cp, 1U),
                      .interleave = std::max(fixed.interleave, 1U),
                      .micro_batch = std::max(fixed.micro_batch, 1U),
                      .global_batch = request.global_batch,
                      .precision = fixed.precision};
  if (fixed.ep > 1) layout.dp = layout.ep = fixed.ep;
  if (fixed.interleave > 1 && fixed.pp == 0) layout.pp = 2;
  const bool whole_batch = layout.global_batch % layout.micro_batch != 0;
  if (fixed.ep > 1 && !whole_batch) layout.global_batch = layout.dp * layout.micro_batch;
  if (system.nic_bytes_s <= 0 && request.gpus > std::max(system.gpus_per_node, system.domain)) {
    const std::uint32_t nodes = (request.gpus + system.gpus_per_node - 1) / system.gpus_per_node;
    return fail(Code::invalid,
                fmt::format("--sku {}: has no InfiniBand, so its {} nodes cannot train together; use at most {}, or an "
                            "ND size",
                            system.name, nodes, counted_gpus(std::max(system.gpus_per_node, system.domain))));
  }
  if (const auto lines = twin::check(layout, *request.model, system); !lines.empty()) {
    return fail(Code::invalid, lines.front());
  }
  const std::uint64_t product = std::uint64_t{layout.tp} * layout.cp * layout.pp;
  if (request.gpus > 0 && request.gpus % product != 0) {
    return fail(Code::invalid, fmt::format("--gpus {}: no multiple of tensor {} x context {} x pipeline parallel {}",
                                           request.gpus, layout.tp, layout.cp, layout.pp));
  }
  if (!twin::splits_heads(*request.model, layout.tp)) {
    return fail(Code::invalid, fmt::format("tensor parallel {} does not divide the {} key/value heads of {}", layout.tp,
                                           request.model->kv_heads, request.model->name));
  }
  if (fixed.ep > 1 && fixed.precision == twin::Precision::fp16) {
    return fail(Code::invalid, fmt::format("--ep {}: experts are not spread in fp16; bf16 would do", fixed.ep));
  }
  if (fixed.pp > 0 && !twin::launchable(request.model->layers, fixed.pp, layout.interleave)) {
    return fail(Code::invalid,
                fmt::format("pipeline parallel {} with interleave {} does not divide the {} layers of {}", fixed.pp,
                            layout.interleave, request.model->layers, request.model->name));
  }
  return {};
}

}  // namespace

Result<double> parse_tokens(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double factor = unit.empty() ? 1 : unit == "M" ? 1e6 : unit == "B" ? 1e9 : unit == "T" ? 1e12 : 0;
  if (error != std::errc{} || factor == 0 || !(value > 0) || value * factor > 1e18) {
    return fail(Code::invalid, fmt::format("--tokens {}: must be a number above 0, such as 300B, 1.4T or 2e12", text));
  }
  return value * factor;
}

Result<PlanQuestion> plan_question(const PlanOptions& options) {
  PlanQuestion question;
  question.spot = options.spot;
  if (auto ok = read_model(options, question); !ok) return unexpected(ok.error());
  if (auto ok = read_stack(options, question.request); !ok) return unexpected(ok.error());
  if (auto ok = read_fixed(options, question.request.fixed); !ok) return unexpected(ok.error());
  if (auto ok = read_amounts(options, question); !ok) return unexpected(ok.error());
  if (auto ok = read_offers(options, question); !ok) return unexpected(ok.error());
  if (auto ok = read_slow_ranks(options, question.request.slow); !ok) return unexpected(ok.error());
  if (auto ok = check_possible(question); !ok) return unexpected(ok.error());
  if (auto ok = read_fabric_shared(options, question); !ok) return unexpected(ok.error());
  return question;
}

}  // namespace virga
