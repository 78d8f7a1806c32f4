// Whose nodes a more important job gets: whole gangs, the cheapest set of them.
//
//   std::vector<Victim> running = …;                       // jobs that hold nodes, of QOS this one may preempt
//   PreemptionQuery query{.nodes = 64, .free = 10, .now = now, .leaves = leaves};
//   PreemptionPlan plan = choose_victims(running, query);  // plan.possible, plan.victims, plan.lost_node_seconds
//
// A set of victims is better, in this order, if
//   1. less is lost: the sum over its jobs of nodes · time since the last checkpoint (or start) · price of a node;
//   2. it frees more whole leaves of the fabric, which is where the new gang wants to be;
//   3. its jobs are younger: the sum of nodes · time since their start is smaller;
//   4. it has fewer jobs, then lower ids.
// Only gangs that are needed are taken: without any one of them the rest would not do.
//
// Up to k_exact_max candidates are searched wholly (branch and bound over their subsets). More are served greedily by
// loss per useful node; then, as long as it gets better, needless victims are dropped, and one victim is exchanged for
// one or two of the k_window cheapest others. O(n log n + k_rounds_max · victims · k_window · (k_window + victims)).
// Related: Slurm's preempt/qos knows no lost work and no topology; KAI-Scheduler and Kueue choose by priority and start
// time alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/time.hpp"
#include "core/config.hpp"

namespace virga {

/// Nodes of a job on one leaf of the fabric.
struct LeafNodes {
  std::uint32_t leaf = 0;  ///< index of PreemptionQuery::leaves
  std::uint32_t nodes = 0;
};

/// A running gang.
struct Victim {
  JobId job;
  std::uint32_t nodes = 0;  ///< that the new job could use
  Time started;
  Time checkpoint;  ///< the last complete one; unset: none
  Money price_per_node_hour;
  std::vector<LeafNodes> leaves = {};  ///< may be empty where the fabric is not known
};

struct LeafRoom {
  std::uint32_t nodes = 0;  ///< in all
  std::uint32_t free = 0;
};

struct PreemptionQuery {
  std::uint32_t nodes = 0;  ///< that the new job needs
  std::uint32_t free = 0;   ///< that it could have without preemption
  Time now;
  std::vector<LeafRoom> leaves = {};
};

struct PreemptionPlan {
  bool possible = false;
  std::vector<JobId> victims;  ///< ascending
  std::int64_t lost_node_seconds = 0;
  Money lost;
  std::uint32_t whole_leaves = 0;  ///< that become free
};

constexpr std::size_t k_exact_max = 16;

PreemptionPlan choose_victims(const std::vector<Victim>& candidates, const PreemptionQuery& query);

/// Whether a job of `qos` may end one of `victim`: as the preempt list of `qos` says.
bool may_preempt(const Config& config, const std::string& qos, const std::string& victim);

}  // namespace virga
