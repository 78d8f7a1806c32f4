// The report's figures and tables as HTML.
//
//   page += tiles_html(run, m);                 // key figures, each with its bound
//   page += compare_html(runs, metrics);        // the same side by side, with differences from the first run
//   page += longest_waits_html(run) + skipped_html(run) + faults_html(run) + pools_html(run, m);
//
// Tables without a row become a sentence that says so.
#pragma once

#include <string>
#include <vector>

#include "sim/report/metrics.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

std::string tiles_html(const RunRecord& run, const RunMetrics& m);
std::string compare_html(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics);

/// The ten jobs that waited longest, those that never started among them.
std::string longest_waits_html(const RunRecord& run);
std::string skipped_html(const RunRecord& run);
std::string faults_html(const RunRecord& run);
std::string pools_html(const RunRecord& run, const RunMetrics& m);

}  // namespace virga
