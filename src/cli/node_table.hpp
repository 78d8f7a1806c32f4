// sinfo's rows: nodes gathered by what the chosen columns show of them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/table.hpp"
#include "core/config.hpp"
#include "wire/slurm_nodes.hpp"

namespace virga {

struct NodeRow {
  const Partition* partition = nullptr;
  std::vector<const SlurmNode*> nodes;  ///< alike in all that is shown; may be empty
};

std::span<const TableField<NodeRow>> node_fields();

struct NodeGrouping {
  bool one_by_one = false;  ///< sinfo -N: a row for each node
  bool keep_empty = true;   ///< a partition without a matching node has a row, too
};
/// Rows in the order of the configuration; nodes of a partition share a row where all columns that tell nodes apart
/// have the same text.
std::vector<NodeRow> gather_rows(const Config& config, const std::vector<SlurmNode>& nodes, const TableFormat& format,
                                 const NodeGrouping& grouping);

}  // namespace virga
