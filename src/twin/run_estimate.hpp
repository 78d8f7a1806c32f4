// How long a training run takes and what it costs, with what goes wrong on the way.
//
//   Reliability spot{.failures_per_node_hour = 0.025, .restart_s = 600, .checkpoint_s = 12};
//   RunEstimate run = estimate_run(work_s, nodes, usd_per_node_hour, spot);
//   run.wall_s;  run.usd;  run.interval_s;     // infinite: it never gets on
//
// All nodes fail independently, and the gang stands still until a failed node is replaced, so its mean time between
// failures is M = 1 / (nodes x rate). The checkpoint interval is Young's (1974) as Daly refined it (A higher order
// estimate of the optimum checkpoint interval for restart dumps, 2006, eq. 37), with d the time of a checkpoint:
//
//   interval = sqrt(2 d M) (1 + sqrt(d / 2M) / 3 + d / 18M) - d        for d < 2 M, else M
//
// and the expected time of `work` seconds, with R the time of a restart (ibid., eq. 20):
//
//   wall = M exp(R / M) (exp((interval + d) / M) - 1) work / interval
#pragma once

namespace virga::twin {

struct Reliability {
  /// On demand: Llama 3 405B had 419 unexpected interruptions of 16,384 GPUs (2,048 nodes) in 54 days
  /// (arXiv:2407.21783).
  double failures_per_node_hour = 419.0 / (2048 * 54 * 24.0);
  double restart_s = 600;    ///< a new machine, its start, and reading the checkpoint
  double checkpoint_s = 30;  ///< while training stands still
};

/// The middle of the lowest band of eviction rates that Azure tells for sizes and regions, 0 to 5 % an hour.
inline constexpr double k_evictions_per_node_hour = 0.025;

struct RunEstimate {
  double work_s = 0;      ///< of training steps alone
  double wall_s = 0;      ///< expected, with checkpoints, failures and work that is done again
  double interval_s = 0;  ///< between checkpoints
  double failures = 0;    ///< expected in wall_s
  double usd = 0;         ///< of all nodes for wall_s
};
RunEstimate estimate_run(double work_s, double nodes, double usd_per_node_hour, const Reliability& reliability);

/// By Daly's formula; `between_failures_s` and `checkpoint_s` above 0.
double checkpoint_interval(double checkpoint_s, double between_failures_s);

/// e^x to 1e-12, the same on every machine; infinite above 700.
double exponential(double x);

}  // namespace virga::twin
