#include "twin/plan.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace virga::twin {

namespace {

std::uint32_t nodes_of(const System& system, std::uint32_t gpus) {
  return (gpus + system.gpus_per_node - 1) / system.gpus_per_node;
}

/// Numbers of GPUs to try on a system: whole nodes, or parts of one.
std::vector<std::uint32_t> counts(const PlanRequest& request, const System& system) {
  std::vector<std::uint32_t> result;
  if (request.gpus == 0) {
    const bool one_node = system.nic_bytes_s <= 0;
    const std::uint32_t most = one_node ? std::max(system.gpus_per_node, system.domain) : request.gpus_most;
    for (std::uint32_t gpus = system.gpus_per_node; gpus <= most; gpus *= 2) result.push_back(gpus);
    return result;
  }
  result.push_back(request.gpus);  // as asked for, even where it is no whole number of nodes
  for (const auto& [numerator, denominator] : {std::pair{1U, 8U}, {1U, 4U}, {1U, 2U}, {3U, 4U}, {3U, 2U}, {2U, 1U}}) {
    const std::uint64_t gpus = std::uint64_t{request.gpus} * numerator / denominator;
    if (gpus * denominator != std::uint64_t{request.gpus} * numerator || gpus % system.gpus_per_node != 0) continue;
    result.push_back(static_cast<std::uint32_t>(gpus));
  }
  return result;
}

bool reachable(const System& system, std::uint32_t gpus) {
  return system.nic_bytes_s > 0 || gpus <= std::max(system.gpus_per_node, system.domain);
}

/// What of the NICs' rate so many GPUs get; nothing: they cannot work together there.
std::optional<double> share_of(const PlanRequest& request, const System& system, std::uint32_t gpus) {
  if (!reachable(system, gpus)) return std::nullopt;
  if (!request.fabric) return 1.0;
  const Result<double> share = nic_share(*request.fabric, nodes_of(system, gpus));
  return share ? std::optional(*share) : std::nullopt;
}

System with_share(System system, double share) {
  system.nic_bytes_s *= share;
  return system;
}

Found search_on(const PlanRequest& request, const Evaluator& evaluator, std::uint32_t gpus,
                std::uint32_t global_batch) {
  return search(evaluator, {.gpus = gpus, .global_batch = global_batch, .fixed = request.fixed, .slow = request.slow});
}

RunEstimate estimate(const PlanRequest& request, const PlanPoint& point) {
  const Offer& offer = request.offers[point.offer];
  Reliability reliability = offer.reliability;
  reliability.checkpoint_s = checkpoint_seconds(request, point.nodes);
  const double work = steps_of(request.tokens, *request.model, request.global_batch) * point.found.seconds;
  return estimate_run(work, point.nodes, offer.usd_per_node_hour, reliability);
}

/// Whether failures leave time for the work.
bool gets_on(const RunEstimate& run) {
  constexpr double k_most = 1000;  // times as long as without failures
  return run.wall_s <= k_most * run.work_s;
}

void add_points(const PlanRequest& request, std::uint32_t offer, Plan& plan) {
  const System& all_of_it = *request.offers[offer].system;
  std::optional<System> system;
  std::optional<Evaluator> evaluator;
  for (const std::uint32_t gpus : counts(request, all_of_it)) {
    const std::optional<double> share = share_of(request, all_of_it, gpus);
    if (!share) continue;
    PlanPoint point;
    point.offer = offer;
    point.gpus = gpus;
    point.nodes = nodes_of(all_of_it, gpus);
    point.nic_share = *share;
    if (!system || system->nic_bytes_s != all_of_it.nic_bytes_s * *share) {
      system = with_share(all_of_it, *share);
      evaluator.emplace(*request.model, *system, *request.stack);
    }
    point.found = search_on(request, *evaluator, gpus, request.global_batch);
    const bool asked = request.gpus > 0 ? gpus == request.gpus : true;
    if (offer == 0 && asked && !point.found.any) plan.nearest = point.found;
    if (!point.found.any) continue;
    point.run = estimate(request, point);
    if (gets_on(point.run)) plan.points.push_back(point);
  }
}

/// What is compared: the run's time where there is one, else a step's.
double duration(const PlanPoint& point) { return point.run.work_s > 0 ? point.run.wall_s : point.found.seconds; }

/// Dollars of the run, or of a step.
double cost(const PlanRequest& request, const PlanPoint& point) {
  if (point.run.work_s > 0) return point.run.usd;
  return point.found.seconds / 3600 * point.nodes * request.offers[point.offer].usd_per_node_hour;
}

void mark_front(const PlanRequest& request, std::vector<PlanPoint>& points) {
  std::stable_sort(points.begin(), points.end(),
                   [](const PlanPoint& a, const PlanPoint& b) { return duration(a) < duration(b); });
  bool first = true;
  double cheapest = 0;
  for (PlanPoint& point : points) {
    const double usd = cost(request, point);
    if (!first && usd >= cheapest) continue;
    point.on_front = true;
    cheapest = usd;
    first = false;
  }
}

bool in_time(const PlanRequest& request, const PlanPoint& point) {
  return request.deadline_s <= 0 || point.run.wall_s <= request.deadline_s;
}

bool affordable(const PlanRequest& request, const PlanPoint& point) {
  return request.budget_usd <= 0 || point.run.usd <= request.budget_usd;
}

/// What is to be small among points that keep equally much of what was asked for. Where a limit cannot be kept, that is
/// what comes nearest to it.
double price_of_choice(const PlanRequest& request, const PlanPoint& point) {
  if (request.gpus > 0 || !in_time(request, point)) return duration(point);
  if (!affordable(request, point)) return cost(request, point);
  return request.budget_usd > 0 && request.deadline_s <= 0 ? duration(point) : cost(request, point);
}

std::optional<std::size_t> choose(const PlanRequest& request, const std::vector<PlanPoint>& points) {
  // Limits that are missed, the deadline before the budget, then the price.
  const auto rank = [&](const PlanPoint& point) {
    const bool late = !in_time(request, point);
    const bool dear = !affordable(request, point);
    return std::tuple((late ? 1 : 0) + (dear ? 1 : 0), late, price_of_choice(request, point));
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (request.gpus > 0 && points[i].gpus != request.gpus) continue;
    if (!best || rank(points[i]) < rank(points[*best])) best = i;
  }
  return best;
}

constexpr double k_better = 1.1;

/// The most GPUs, up to a tenth more, on which a step is faster: some numbers divide nothing.
Sensitivity with_more_gpus(const Evaluator& evaluator, const PlanRequest& request, const PlanPoint& point) {
  constexpr std::uint32_t k_tries = 16;
  Sensitivity result;
  result.lever = Lever::gpus;
  const std::uint32_t node = std::min(evaluator.machine().gpus_per_node, point.gpus);
  const auto most = static_cast<std::uint32_t>(point.gpus * k_better) / node * node;
  if (!reachable(evaluator.machine(), most)) return result;
  const std::uint32_t step = std::max((most - std::min(point.gpus, most)) / node / k_tries, 1U) * node;
  for (std::uint32_t gpus = most; gpus > point.gpus; gpus -= step) {
    const Found found = search_on(request, evaluator, gpus, request.global_batch);
    if (!found.any || found.seconds >= point.found.seconds) continue;
    result.any = true;
    result.amount = gpus;
    result.layout = found.layout;
    result.seconds_per_sample = found.seconds / request.global_batch;
    return result;
  }
  return result;
}

Sensitivity with_larger_batch(const Evaluator& evaluator, const PlanRequest& request, const PlanPoint& point) {
  Sensitivity result;
  result.lever = Lever::batch;
  // The next number of samples that the data ranks divide, at least a tenth more.
  const Layout& now = point.found.layout;
  const std::uint32_t ranks = now.dp * now.micro_batch;
  const std::uint32_t groups = (static_cast<std::uint32_t>(request.global_batch * k_better) + ranks - 1) / ranks;
  const std::uint32_t pipelines = now.interleave > 1 ? (groups + now.pp - 1) / now.pp * now.pp : groups;
  result.amount = pipelines * ranks;
  const Found found = search_on(request, evaluator, point.gpus, result.amount);
  if (!found.any) return result;
  result.any = true;
  result.layout = found.layout;
  result.seconds_per_sample = found.seconds / result.amount;
  return result;
}

std::vector<Sensitivity> sensitivities(const PlanRequest& request, const PlanPoint& point) {
  const System system = with_share(*request.offers[point.offer].system, point.nic_share);
  const Evaluator now(*request.model, system, *request.stack);
  std::vector<Sensitivity> results;
  for (const Lever lever : {Lever::flops, Lever::memory_bandwidth, Lever::nvlink, Lever::network, Lever::memory}) {
    Gpu gpu = *system.gpu;
    System better = system;
    better.gpu = &gpu;
    if (lever == Lever::flops) {
      gpu.peak_16 *= k_better;
      gpu.peak_8 *= k_better;
      gpu.peak_4 *= k_better;
    }
    if (lever == Lever::memory_bandwidth) gpu.hbm_bytes_s *= k_better;
    if (lever == Lever::nvlink) gpu.nvlink_bytes_s *= k_better;
    if (lever == Lever::network) better.nic_bytes_s *= k_better;
    if (lever == Lever::memory) gpu.hbm_bytes *= k_better;
    const Evaluator evaluator(*request.model, better, *request.stack);
    // A machine that is better by a tenth in one thing is faster by no more, give or take another algorithm of NCCL.
    constexpr double k_doubt = 1.1;
    const double known = seconds_with(evaluator, point.found.layout, request.slow);
    const Found found = search(evaluator, {.gpus = point.gpus,
                                           .global_batch = request.global_batch,
                                           .fixed = request.fixed,
                                           .slow = request.slow,
                                           .nearby = &now,
                                           .nearby_most = known * k_better * k_doubt});
    results.push_back({lever, found.any, found.seconds / request.global_batch, 0, found.layout, 0});
  }
  results.push_back(with_more_gpus(now, request, point));
  results.push_back(with_larger_batch(now, request, point));
  for (Sensitivity& result : results) {
    if (result.any) result.gain = 1 - result.seconds_per_sample * request.global_batch / point.found.seconds;
  }
  std::stable_sort(results.begin(), results.end(),
                   [](const Sensitivity& a, const Sensitivity& b) { return a.gain > b.gain; });
  return results;
}

/// What was fixed, freed part by part.
void cure_by_freedom(const PlanRequest& request, const Evaluator& evaluator, Plan& plan) {
  const auto attempt = [&](std::string_view part, bool is_fixed, auto&& release) {
    if (!is_fixed) return;
    Question question{
        .gpus = request.gpus, .global_batch = request.global_batch, .fixed = request.fixed, .slow = request.slow};
    release(question.fixed);
    const Found found = search(evaluator, question);
    if (found.any) plan.cures.push_back({Remedy::free_part, request.gpus, 0, part, found.layout});
  };
  const FixedParts& fixed = request.fixed;
  attempt("recompute", fixed.recompute.has_value(), [](FixedParts& f) { f.recompute = {}; });
  attempt("micro-batch", fixed.micro_batch > 0, [](FixedParts& f) { f.micro_batch = 0; });
  attempt("tp", fixed.tp > 0, [](FixedParts& f) { f.tp = 0; });
  attempt("pp", fixed.pp > 0, [](FixedParts& f) { f.pp = 0; });
  attempt("interleave", fixed.interleave > 0, [](FixedParts& f) { f.interleave = 0; });
  attempt("cp", fixed.cp > 0, [](FixedParts& f) { f.cp = 0; });
  attempt("ep", fixed.ep > 0, [](FixedParts& f) { f.ep = 0; });
  attempt("distributed-optimizer", fixed.distributed_optimizer.has_value(),
          [](FixedParts& f) { f.distributed_optimizer = {}; });
}

void find_cures(const PlanRequest& request, Plan& plan) {
  if (request.offers.empty() || request.gpus == 0) return;
  const System& system = *request.offers[0].system;
  const Evaluator evaluator(*request.model, system, *request.stack);
  cure_by_freedom(request, evaluator, plan);
  for (std::uint64_t gpus = request.gpus * std::uint64_t{2}; gpus <= request.gpus_most; gpus *= 2) {
    if (!share_of(request, system, static_cast<std::uint32_t>(gpus))) break;
    const Found found = search_on(request, evaluator, static_cast<std::uint32_t>(gpus), request.global_batch);
    if (!found.any) continue;
    plan.cures.push_back({Remedy::more_gpus, static_cast<std::uint32_t>(gpus), 0, {}, found.layout});
    break;
  }
  // The machine with the least memory that is enough.
  std::optional<Cure> least;
  double least_bytes = 0;
  const auto& systems = known_systems();
  for (std::uint32_t i = 0; i < systems.size(); ++i) {
    const System& other = systems[i];
    if (other.gpu->hbm_bytes <= system.gpu->hbm_bytes || !reachable(other, request.gpus)) continue;
    if (least && other.gpu->hbm_bytes >= least_bytes) continue;
    const Evaluator there(*request.model, other, *request.stack);
    const Found found = search_on(request, there, request.gpus, request.global_batch);
    if (!found.any) continue;
    least = Cure{Remedy::other_system, request.gpus, i, {}, found.layout};
    least_bytes = other.gpu->hbm_bytes;
  }
  if (least) plan.cures.push_back(*least);
}

}  // namespace

Plan make_plan(const PlanRequest& request) {
  Plan plan;
  for (std::uint32_t i = 0; i < request.offers.size(); ++i) add_points(request, i, plan);
  mark_front(request, plan.points);
  plan.chosen = choose(request, plan.points);
  if (!plan.chosen) {
    find_cures(request, plan);
    return plan;
  }
  const PlanPoint& point = plan.points[*plan.chosen];
  const System system = with_share(*request.offers[point.offer].system, point.nic_share);
  const Evaluator evaluator(*request.model, system, *request.stack);
  plan.prediction = predict(evaluator, point.found.layout, request.slow);
  if (request.slow.any()) plan.slow_seconds = plan.prediction.seconds - evaluator.seconds(point.found.layout);
  plan.sensitivities = sensitivities(request, point);
  plan.within_budget = affordable(request, point);
  plan.within_deadline = in_time(request, point);
  return plan;
}

double checkpoint_seconds(const PlanRequest& request, std::uint32_t nodes) {
  const double bytes = static_cast<double>(parameters(*request.model).total) * (2 + request.stack->optimizer_bytes);
  return bytes / (request.checkpoint_bytes_s_per_node * nodes);
}

double steps_of(double tokens, const Transformer& model, std::uint32_t global_batch) {
  return std::ceil(tokens / (static_cast<double>(model.seq) * global_batch));
}

std::uint32_t usual_global_batch(const Transformer& model, std::uint32_t gpus) {
  constexpr std::uint32_t k_tokens = 4U << 20;
  const std::uint32_t wanted = std::max(k_tokens / std::max(model.seq, 1U), 1U);
  if (gpus == 0) return wanted;
  // Without powers of two, which tensor and pipeline groups take, first; then without other factors.
  std::uint32_t unit = gpus;
  while (unit > wanted) {
    std::uint32_t factor = 2;
    while (unit % factor != 0) ++factor;
    unit /= factor;
  }
  return (wanted + unit / 2) / unit * unit;
}

bool beyond_calibration(const System& system, const Layout& layout) {
  constexpr std::uint32_t k_gpus_most = 10'752;
  constexpr std::uint32_t k_micro_batch_most = 16;
  const std::string& gpu = system.gpu->architecture;
  return layout.tp > system.domain || layout.sharded_weights || layout.micro_batch > k_micro_batch_most ||
         layout.gpus() > k_gpus_most || gpu == "Volta" || gpu == "CDNA3";
}

}  // namespace virga::twin
