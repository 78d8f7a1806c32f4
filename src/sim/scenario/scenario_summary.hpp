// A scenario's run as text for a terminal: one run, or two side by side.
//
//   fmt::print("{}", scenario_summary(run, metrics_of(run), stats));
//   fmt::print("{}", comparison_text({a, b}, {metrics_of(a), metrics_of(b)}));
#pragma once

#include <string>
#include <vector>

#include "sim/report/metrics.hpp"
#include "sim/scenario/scenario_run.hpp"

namespace virga {

std::string scenario_summary(const RunRecord& run, const RunMetrics& m, const ScenarioStats& stats);
std::string comparison_text(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics);

}  // namespace virga
