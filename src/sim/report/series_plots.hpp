// Two plots over time: who waits, and which VMs exist.
//
//   page += queue_plot(run, 0);        // 0: the run's index on the page
//   page += vm_plot(run, 0);
//   page += series_json(run);          // the same figures for the page's hover text
//
// Each point is the time-weighted mean of one of k_columns equal parts of the run's span.
#pragma once

#include <cstddef>
#include <string>

#include "sim/report/run_record.hpp"

namespace virga {

/// Queued jobs and the units they wait for, one below the other.
std::string queue_plot(const RunRecord& run, std::size_t index);

/// VMs that exist, stacked by pool, with those that run jobs and those that all jobs together want.
std::string vm_plot(const RunRecord& run, std::size_t index);

/// [{"n": name, "v": [...]}, ...]
std::string series_json(const RunRecord& run);

/// Units of a typical VM of the run: capacity by number of nodes.
double units_per_vm(const RunRecord& run);

}  // namespace virga
