// The answer to: this model, this budget: how many of which machines, in which layout, how long, how much, and what
// is the bottleneck?
//
//   PlanRequest request;
//   request.model = find_model("mt-nlg-530b");
//   request.offers = {{.system = find_system("Standard_ND96amsr_A100_v4"), .usd_per_node_hour = 32.77}};
//   request.gpus = 2240;  request.global_batch = 1920;  request.tokens = 270e9;
//   Plan plan = make_plan(request);
//   if (plan.chosen) plan.points[*plan.chosen].found.layout;       // else plan.cures says what would make it fit
//
// Points are the best layouts of each offer on several numbers of GPUs: with `gpus` an eighth of it to twice it,
// without every doubling of a node up to `gpus_most`. A point is on the front if no other is both faster and cheaper.
// On a fabric that other jobs share, a point's NICs have the share of their rate that it gets there
// (twin/shared_fabric.hpp); numbers of GPUs for which the fabric has too few hosts have no point.
//
// With `gpus` the chosen point has that many; else it is the cheapest that meets the deadline, or the fastest within
// the budget, or (neither given) the cheapest of all. Where no point keeps a limit, the fastest or the cheapest comes
// nearest. Numbers of GPUs on which failures make a run a thousand times as long have no point. Money is US dollars,
// time seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "twin/planner.hpp"
#include "twin/run_estimate.hpp"
#include "twin/shared_fabric.hpp"

namespace virga::twin {

/// Machines that can be had, and for how much.
struct Offer {
  const System* system = nullptr;
  double usd_per_node_hour = 0;  ///< 0: not known; then time alone is compared
  Reliability reliability = {};  ///< its checkpoint_s is worked out from the model's size
};

struct PlanRequest {
  const Transformer* model = nullptr;
  const Stack* stack = nullptr;
  std::vector<Offer> offers;
  std::uint32_t gpus = 0;  ///< 0: the planner chooses
  std::uint32_t gpus_most = 16'384;
  std::uint32_t global_batch = 0;
  FixedParts fixed = {};
  SlowRanks slow = {};
  std::optional<SharedFabric> fabric = {};  ///< nothing: each NIC has all of its rate
  double tokens = 0;                        ///< 0: no run, only the time of a step
  double budget_usd = 0;                    ///< 0: none
  double deadline_s = 0;                    ///< 0: none
  double checkpoint_bytes_s_per_node = 1e9;
};

struct PlanPoint {
  std::uint32_t offer = 0;
  std::uint32_t gpus = 0;
  std::uint32_t nodes = 0;
  double nic_share = 1;  ///< of its NICs' rate, that the fabric leaves to it
  Found found;
  RunEstimate run;
  bool on_front = false;
};

/// What is made a tenth better.
enum class Lever : std::uint8_t { flops, memory_bandwidth, nvlink, network, memory, gpus, batch };
struct Sensitivity {
  Lever lever = Lever::flops;
  bool any = false;  ///< some layout can be run with it
  double seconds_per_sample = 0;
  double gain = 0;           ///< how much less time a sample takes: 0.05 is 5 %
  Layout layout;             ///< the best with it
  std::uint32_t amount = 0;  ///< of GPUs or samples, where those were changed
};

enum class Remedy : std::uint8_t { more_gpus, other_system, free_part };
struct Cure {
  Remedy remedy = Remedy::more_gpus;
  std::uint32_t gpus = 0;
  std::uint32_t offer = 0;  ///< in PlanRequest::offers, or in known_systems() for other_system
  std::string_view part;    ///< "recompute" and the like, for free_part
  Layout layout;
};

struct Plan {
  std::vector<PlanPoint> points;  ///< those with a layout that fits, fastest first
  std::optional<std::size_t> chosen;
  Prediction prediction;                   ///< of the chosen one
  double slow_seconds = 0;                 ///< of its step, lost by waiting for slow ranks
  std::vector<Sensitivity> sensitivities;  ///< of the chosen one
  bool within_budget = true;
  bool within_deadline = true;
  Found nearest;            ///< where nothing fits: what was looked at on the asked-for GPUs of the first offer
  std::vector<Cure> cures;  ///< where nothing fits
};

Plan make_plan(const PlanRequest& request);

/// Seconds in which a node writes its share of weights and optimizer state.
double checkpoint_seconds(const PlanRequest& request, std::uint32_t nodes);

/// The steps that `tokens` take.
double steps_of(double tokens, const Transformer& model, std::uint32_t global_batch);

/// A batch of about 4 Mi tokens that many numbers of data ranks divide.
std::uint32_t usual_global_batch(const Transformer& model, std::uint32_t gpus);

/// Nothing of the kind is among the runs that the twin's constants were fitted to (docs/accuracy.md): the figures are
/// what the formulas say.
bool beyond_calibration(const System& system, const Layout& layout);

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Lever> {
  static constexpr std::string_view names[] = {
      "gpu_flops", "memory_bandwidth", "nvlink_bandwidth", "nic_bandwidth", "gpu_memory", "gpus", "global_batch"};
};
template <>
struct EnumNames<twin::Remedy> {
  static constexpr std::string_view names[] = {"more_gpus", "other_system", "free_part"};
};
}  // namespace virga
