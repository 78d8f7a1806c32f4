// A run as one HTML page that needs nothing else: no network, no fonts, no library.
//
//   std::string page = html_report({run});                  // one run
//   std::string page = html_report({run, other});           // compared: the first is what others are measured by
//
// The page holds the key figures with their bounds, the gangs on their nodes over time with the faults, the queue, the
// VMs, cost against wait, waits by size, and tables. Equal runs give equal pages, byte for byte. With tens of
// thousands of jobs on thousands of nodes a run takes less than 3 MB (sim/report/gantt_plot.hpp bounds it).
#pragma once

#include <string>
#include <vector>

#include "sim/report/run_record.hpp"

namespace virga {

/// At least one run.
std::string html_report(const std::vector<RunRecord>& runs);

}  // namespace virga
