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
  std::string cluster = {};
  std::string array_tasks = {};  ///< of a line for several waiting tasks of an array: "[0-9%2]"
};

std::span<const TableField<JobRow>> job_fields();
std::span<const TableField<JobRow>> step_fields();

/// The waiting tasks of an array become one line, as in Slurm, where they become jobs of their own when they start.
void join_tasks(std::vector<JobRow>& rows);

/// Sorts as `squeue --sort` says: "P,t,-p" is its default.
Status sort_jobs(std::vector<JobRow>& rows, std::string_view order);

}  // namespace virga
