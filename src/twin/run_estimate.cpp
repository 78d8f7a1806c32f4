#include "twin/run_estimate.hpp"

#include <cmath>
#include <limits>

namespace virga::twin {

double exponential(double x) {
  if (x > 700) return std::numeric_limits<double>::infinity();
  if (x < 0) return 1 / exponential(-x);
  // e^x = (e^(x / 2^n))^(2^n), with a short series for the small power.
  int halvings = 0;
  for (; x > 1.0 / 64; ++halvings) x /= 2;
  double sum = 1;
  double part = 1;
  for (int i = 1; i <= 8; ++i) {
    part *= x / i;
    sum += part;
  }
  for (; halvings > 0; --halvings) sum *= sum;
  return sum;
}

double checkpoint_interval(double checkpoint_s, double between_failures_s) {
  const double d = checkpoint_s;
  const double m = between_failures_s;
  if (d >= 2 * m) return m;
  return std::sqrt(2 * d * m) * (1 + std::sqrt(d / (2 * m)) / 3 + d / (18 * m)) - d;
}

RunEstimate estimate_run(double work_s, double nodes, double usd_per_node_hour, const Reliability& reliability) {
  RunEstimate run;
  run.work_s = work_s;
  run.wall_s = work_s;
  const double per_second = nodes * reliability.failures_per_node_hour / 3600;
  if (per_second > 0 && work_s > 0) {
    const double m = 1 / per_second;
    const double d = reliability.checkpoint_s > 0 ? reliability.checkpoint_s : 1e-3;
    run.interval_s = checkpoint_interval(d, m);
    run.wall_s = m * exponential(reliability.restart_s / m) * (exponential((run.interval_s + d) / m) - 1) * work_s /
                 run.interval_s;
    run.failures = run.wall_s * per_second;
  }
  run.usd = run.wall_s / 3600 * nodes * usd_per_node_hour;
  return run;
}

}  // namespace virga::twin
