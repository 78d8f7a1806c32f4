// Each part of the question is read by a function of its own; the first that is wrong ends the reading.
#include "cli/verbs/plan_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "clouds/azure/prices.hpp"
#include "wire/config_units.hpp"
#include "wire/hf_config.hpp"
#include "wire/sku_table.hpp"

namespace virga {
namespace {

constexpr std::size_t k_file_bytes_max = 64U << 20;
constexpr std::uint32_t k_gpus_most = 1U << 20;
constexpr double k_usual_deadline_s = 30.0 * 86400;
constexpr double k_spot_share = 0.4;  ///< of the list price, where nobody says a spot price: those change by the hour

/// A whole number of an option; 0 where the option is absent.
Status read_number(std::string_view option, const std::string& text, std::uint32_t most, std::uint32_t& into) {
  if (text.empty()) return {};
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > most) {
    return fail(Code::invalid, fmt::format("{} {}: must be a whole number from 1 to {}", option, text, most));
  }
  into = value;
  return {};
}

Status read_real(std::string_view option, const std::string& text, double most, double& into) {
  if (text.empty()) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > most) {
    return fail(Code::invalid, fmt::format("{} {}: must be a number from 0 to {:.0f}", option, text, most));
  }
  into = value;
  return {};
}

Status read_switch(std::string_view option, const std::string& text, std::optional<bool>& into) {
  if (text.empty()) return {};
  if (text != "on" && text != "off") return fail(Code::invalid, fmt::format("{} {}: must be on or off", option, text));
  into = text == "on";
  return {};
}

template <NamedEnum E>
Status read_word(std::string_view option, const std::string& text, E& into) {
  if (const auto known = enum_from_name<E>(text)) {
    into = *known;
    return {};
  }
  return fail(Code::invalid,
              fmt::format("{} {}: must be one of {}", option, text, fmt::join(EnumNames<E>::names, ", ")));
}

std::string counted_gpus(std::uint32_t gpus) { return gpus == 1 ? "1 GPU" : fmt::format("{} GPUs", gpus); }

/// The name that was probably meant, or the first that begins so; empty: none.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& names) {
  if (const std::string_view near = closest_word(word, names); !near.empty()) return near;
  const auto begins = std::find_if(names.begin(), names.end(), [&](auto name) { return name.starts_with(word); });
  return begins == names.end() || word.empty() ? std::string_view() : *begins;
}

Status read_model(const PlanOptions& options, PlanQuestion& question) {
  if (const twin::Transformer* known = twin::find_model(options.model)) {
    question.model.push_back(*known);
  } else if (options.model.find('/') != std::string::npos || options.model.ends_with(".json")) {
    const Result<std::string> text = read_whole_file(options.model);
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

/// The price of a size in a region, or where it is cheapest; the region's name, too.
Status price_in_region(const std::string& region, twin::Offer& offer, std::string& found) {
  std::vector<std::string_view> names;
  Money best{};
  for (const azure::ListPrice& price : azure::list_prices()) {
    if (price.sku != offer.system->name) continue;
    names.emplace_back(price.region);
    if (region != "cheapest" && price.region != region) continue;
    if (!found.empty() && price.per_hour >= best) continue;
    best = price.per_hour;
    found = price.region;
  }
  if (found.empty()) {
    return fail(Code::invalid,
                fmt::format("--region {}: no price of {} is listed there; {}", region, offer.system->name,
                            names.empty() ? "nor anywhere else; say its --price"
                                          : fmt::format("known are {}", fmt::join(names, ", "))));
  }
  offer.usd_per_node_hour = static_cast<double>(best.micro_usd) / 1e6;
  return {};
}

/// The list price, or what the user says.
Status price_offer(const PlanOptions& options, twin::Offer& offer, PlanQuestion& question) {
  if (const Sku* sku = find_sku(offer.system->name); sku != nullptr && offer.usd_per_node_hour == 0) {
    offer.usd_per_node_hour = static_cast<double>(sku->price_per_hour.micro_usd) / 1e6;
  }
  std::string region;
  if (!options.region.empty()) {
    if (auto ok = price_in_region(options.region, offer, region); !ok) return ok;
  }
  question.regions.push_back(region);
  if (options.spot && options.price.empty()) {
    offer.usd_per_node_hour *= k_spot_share;
    question.spot_price_assumed = true;
  }
  if (auto ok = read_real("--price", options.price, 1e6, offer.usd_per_node_hour); !ok) return ok;
  twin::Reliability& reliability = offer.reliability;
  if (options.spot) {
    reliability.failures_per_node_hour += twin::k_evictions_per_node_hour;
    question.spot_rate_assumed = options.eviction_rate.empty();
  }
  if (!options.eviction_rate.empty()) {
    double percent = 0;
    if (auto ok = read_real("--eviction-rate", options.eviction_rate, 100, percent); !ok) return ok;
    reliability.failures_per_node_hour = twin::Reliability{}.failures_per_node_hour + percent / 100;
  }
  const Result<Duration> restart = parse_duration(options.restart);
  if (!restart) return fail(Code::invalid, fmt::format("--restart: {}", restart.error().message));
  if (restart->is_infinite()) return fail(Code::invalid, "--restart: a job that never starts again does not train");
  reliability.restart_s = static_cast<double>(restart->ns) / 1e9;
  return {};
}

Status read_offers(const PlanOptions& options, PlanQuestion& question) {
  std::vector<twin::Offer>& offers = question.request.offers;
  if (!options.system.empty()) {
    const Result<std::string> text = read_whole_file(options.system);
    if (!text) return unexpected(text.error());
    Result<OwnSystem> own = parse_system_toml(*text, options.system);
    if (!own) return unexpected(own.error());
    question.own.push_back(std::move(*own));
    offers.push_back({.system = &question.own.back().system,
                      .usd_per_node_hour = question.own.back().usd_per_node_hour,
                      .reliability = {}});
  }
  for (const std::string& name : options.skus) {
    const twin::System* system = twin::find_system(name);
    if (system == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& known : twin::known_systems()) names.emplace_back(known.name);
      const std::string_view near = nearest(name, names);
      return fail(Code::invalid, fmt::format("--sku {}: unknown; {}", name,
                                             near.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                                                          : fmt::format("did you mean {}?", near)));
    }
    offers.push_back({.system = system, .usd_per_node_hour = 0, .reliability = {}});
  }
  if (offers.empty()) {
    // All sizes that Azure lends with InfiniBand. Without a list price they cannot be compared by cost.
    for (const Sku& sku : known_skus()) {
      const twin::System* system = twin::find_system(sku.name);
      if (system == nullptr || system->nic_bytes_s <= 0) continue;
      if (sku.price_per_hour.micro_usd == 0) {
        question.unpriced.push_back(sku.name);
        continue;
      }
      offers.push_back({.system = system, .usd_per_node_hour = 0, .reliability = {}});
    }
  }
  for (twin::Offer& offer : offers) {
    if (auto ok = price_offer(options, offer, question); !ok) return ok;
  }
  return {};
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
  if (!options.deadline.empty()) {
    const Result<Duration> deadline = parse_duration(options.deadline);
    if (!deadline) return fail(Code::invalid, fmt::format("--deadline: {}", deadline.error().message));
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
  if (fixed.pp > 0 && !twin::launchable(request.model->layers, fixed.pp, layout.interleave)) {
    return fail(Code::invalid,
                fmt::format("pipeline parallel {} with interleave {} does not divide the {} layers of {}", fixed.pp,
                            layout.interleave, request.model->layers, request.model->name));
  }
  return {};
}

}  // namespace

Result<std::string> read_whole_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return fail(Code::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
  std::string text;
  char part[65536];
  for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, file.get())) > 0;) {
    text.append(part, n);
    if (text.size() > k_file_bytes_max) return fail(Code::invalid, fmt::format("{}: above 64 MiB", path));
  }
  if (std::ferror(file.get()) != 0) return fail(Code::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
  return text;
}

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
  if (auto ok = check_possible(question); !ok) return unexpected(ok.error());
  return question;
}

}  // namespace virga
