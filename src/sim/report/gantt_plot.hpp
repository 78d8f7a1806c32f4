// Gangs over time on the rows of their nodes, and the faults below: tens of thousands of jobs in one picture.
//
//   page += gantt_plot(run, 0);
//   page += gantt_json(run);           // names of the rows and the largest gangs, for the page's hover text
//
// The picture is a raster of k_gantt_columns columns and one line of pixels per k nodes, so that its size does not
// depend on the number of jobs. Each cell takes the colour of what filled most of it: gangs by the size of their job,
// else a VM that was idle or booting, else nothing. Runs of equal cells become one stroke. Two shades alternate from
// job to job; a raster that is too large as text loses them, then its columns are halved.
// Time and memory: the area of the gangs in cells, plus the raster itself.
#pragma once

#include <cstddef>
#include <string>

#include "sim/report/run_record.hpp"

namespace virga {

constexpr int k_gantt_columns = 1040;
constexpr std::size_t k_gantt_bytes_max = 1'600'000;

std::string gantt_plot(const RunRecord& run, std::size_t index);
std::string gantt_json(const RunRecord& run);

}  // namespace virga
