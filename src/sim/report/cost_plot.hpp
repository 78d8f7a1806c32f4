// Cost against wait: the fluid schedules' curve, and one point per run.
//
//   page += cost_plot(runs, metrics);
//
// The curve is cost_wait_frontier() of the first run's jobs. It is what a machine of constant capacity would cost and
// wait if jobs could be poured like water and no VM had to boot.
#pragma once

#include <string>
#include <vector>

#include "sim/report/metrics.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

/// Empty if the first run has no prices.
std::string cost_plot(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics);

}  // namespace virga
