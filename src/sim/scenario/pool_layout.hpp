// Where the nodes of a described supercomputer stand: one row per node, pool by pool, leaf by leaf.
//
//   PoolLayout layout(config);
//   std::uint32_t row = layout.row_of("nd17");
//   layout.leaf_of(row);   layout.rows_of_leaf(leaf);   layout.pool_of(row);
//
// Leaves are numbered over all pools. As in the brain, a scale set begins a leaf where InfiniBand ends at its border.
// row_of() costs the logarithm of the number of nodes, everything else is constant.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

class PoolLayout {
 public:
  explicit PoolLayout(const Config& config);

  std::uint32_t rows() const { return static_cast<std::uint32_t>(rows_.size()); }
  std::uint32_t leaves() const { return static_cast<std::uint32_t>(rows_of_leaf_.size()); }
  /// The node must belong to a pool.
  std::uint32_t row_of(const std::string& node) const;
  std::uint32_t leaf_of(std::uint32_t row) const { return leaf_of_row_[row]; }
  std::uint32_t pool_of(std::uint32_t row) const { return rows_[row].pool; }
  const std::vector<std::uint32_t>& rows_of_leaf(std::uint32_t leaf) const { return rows_of_leaf_[leaf]; }
  const std::vector<GanttRow>& node_rows() const { return rows_; }
  /// The fewest leaves of the pool that hold so many nodes.
  std::uint32_t least_leaves(std::uint32_t pool, std::uint32_t nodes) const;

 private:
  void add_pool(const Pool& pool, std::uint32_t number);

  std::vector<GanttRow> rows_;
  std::vector<std::uint32_t> leaf_of_row_;
  std::vector<std::vector<std::uint32_t>> rows_of_leaf_;
  std::vector<std::uint32_t> leaf_size_;  ///< of each pool
  std::map<std::string, std::uint32_t> row_of_name_;
};

}  // namespace virga
