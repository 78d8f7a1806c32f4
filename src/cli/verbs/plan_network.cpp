// What slows a run down from outside: slow ranks, and other jobs on the fabric.
#include <cmath>

#include "cli/verbs/plan_parts.hpp"
#include "cli/verbs/plan_values.hpp"
#include "fabric/fat_tree.hpp"
#include "wire/fabric_formats.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

constexpr double k_slowest = 100;
constexpr std::uint32_t k_jobs_most = 64;
constexpr double k_oversubscription_most = 64;

/// The most nodes that a plan for so many GPUs looks at: twice as many GPUs are on its front.
std::uint32_t nodes_most(const PlanQuestion& question) {
  const twin::PlanRequest& request = question.request;
  std::uint32_t most = 1;
  for (const twin::Offer& offer : request.offers) {
    const std::uint32_t gpus = request.gpus > 0 ? 2 * request.gpus : request.gpus_most;
    most = std::max(most, (gpus + offer.system->gpus_per_node - 1) / offer.system->gpus_per_node);
  }
  return most;
}

/// A fat tree for all jobs, as `virga fabric` builds it, with an HCA for each GPU; smaller ones where switches do not
/// do for as many.
Result<FabricGraph> built_fabric(const PlanQuestion& question, std::uint32_t jobs, double oversubscription) {
  const twin::System& system = *question.request.offers.front().system;
  const std::uint32_t nodes = (question.request.gpus + system.gpus_per_node - 1) / system.gpus_per_node;
  FatTreeShape shape;
  shape.rails = system.gpus_per_node;
  shape.leaf_oversubscription_permille = static_cast<std::uint32_t>(std::lround(oversubscription * 1000));
  shape.hosts = std::max(nodes_most(question) * jobs, 1U);
  Result<FabricGraph> graph = build_fat_tree(shape);
  if (graph || question.request.gpus == 0) return graph;
  shape.hosts = std::max(nodes * jobs, 1U);
  return build_fat_tree(shape);
}

}  // namespace

Status read_slow_ranks(const PlanOptions& options, twin::SlowRanks& slow) {
  for (const std::string& text : options.slow_ranks) {
    const std::size_t at = text.find('@');
    double factor = 0;
    std::uint32_t ranks = 1;
    const Status factor_read = read_real("--slow-rank", text.substr(0, at), k_slowest, factor);
    if (!factor_read || factor < 1) {
      return fail(Code::invalid, fmt::format("--slow-rank {}: must be FACTOR or FACTOR@RANKS with a factor from 1 to "
                                             "{:.0f}, such as 1.2@3",
                                             text, k_slowest));
    }
    if (at != std::string::npos) {
      const Status ranks_read = read_number("--slow-rank", text.substr(at + 1), 1U << 20, ranks);
      if (!ranks_read || at + 1 == text.size()) {
        return fail(Code::invalid,
                    fmt::format("--slow-rank {}: behind the @ must be a number of ranks, such as 1.2@3", text));
      }
    }
    slow.add(factor, ranks);
  }
  return {};
}

Status read_fabric_shared(const PlanOptions& options, PlanQuestion& question) {
  if (options.fabric.empty() && options.oversubscription.empty() && options.shared_with.empty() && !options.scattered) {
    return {};
  }
  std::uint32_t others = 0;
  if (options.shared_with != "0") {
    if (auto ok = read_number("--shared-with", options.shared_with, k_jobs_most, others); !ok) return ok;
  }
  double oversubscription = 1;
  if (auto ok = read_real("--oversubscription", options.oversubscription, k_oversubscription_most, oversubscription);
      !ok) {
    return ok;
  }
  if (oversubscription < 1) {
    return fail(Code::invalid, fmt::format("--oversubscription {}: must be at least 1, which is non-blocking",
                                           options.oversubscription));
  }
  Result<FabricGraph> graph = fail(Code::invalid, "");
  if (options.fabric.empty()) {
    graph = built_fabric(question, others + 1, oversubscription);
    question.fabric_name = fmt::format("a fat tree, {:.3g} to 1", oversubscription);
    if (!graph) return fail(Code::invalid, "--oversubscription, --shared-with: " + graph.error().message);
  } else {
    const Result<std::string> text = read_text_file(options.fabric, k_plan_file_bytes_max);
    if (!text) return unexpected(text.error());
    const TreeRates rates{.oversubscription_permille =
                              static_cast<std::uint32_t>(std::lround(oversubscription * 1000))};
    graph = read_fabric(*text, options.fabric, std::nullopt, rates);
    question.fabric_name = options.fabric;
    if (!graph) return unexpected(graph.error());
  }
  question.fabric.push_back(std::move(*graph));
  Result<ForwardingTables> tables = route_d_mod_k(question.fabric.back());
  if (!tables) return unexpected(tables.error());
  question.routing.push_back(std::move(*tables));
  question.request.fabric = {&question.fabric.back(), &question.routing.back(), others, options.scattered};
  if (question.request.gpus == 0) return {};
  // Whether the fabric has room for the jobs at all, before any layout is searched.
  const twin::System& system = *question.request.offers.front().system;
  const std::uint32_t nodes = (question.request.gpus + system.gpus_per_node - 1) / system.gpus_per_node;
  const Result<double> share = twin::nic_share(*question.request.fabric, nodes);
  if (!share) return fail(Code::invalid, fmt::format("{}: {}", question.fabric_name, share.error().message));
  return {};
}

}  // namespace virga
