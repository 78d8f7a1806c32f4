// The columns of squeue, and the order of its rows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/table.hpp"
#include "core/job.hpp"

namespace virga {

struct JobRow {
  const Job* job = nullptr;
  const Step* step = nullptr;  ///< with squeue --steps; null there: the batch step
  Time now;
};

std::span<const TableField<JobRow>> job_fields();
std::span<const TableField<JobRow>> step_fields();

/// Sorts as `squeue --sort` says: "P,t,-p" is its default.
Status sort_jobs(std::vector<JobRow>& rows, std::string_view order);

}  // namespace virga
