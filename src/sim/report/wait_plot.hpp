// How long jobs of each size waited: one small histogram a size, on a common logarithmic axis.
//
//   page += wait_plot(run);
//
// A bar is the share of the size's jobs in that bin, relative to the highest bar of the same size; three bins a decade
// of seconds, and one at the left for waits below a second. Only jobs that started count.
#pragma once

#include <string>

#include "sim/report/run_record.hpp"

namespace virga {

std::string wait_plot(const RunRecord& run);

}  // namespace virga
