#include "sim/scenario/pool_layout.hpp"

#include "base/assert.hpp"

namespace virga {

PoolLayout::PoolLayout(const Config& config) {
  for (std::uint32_t i = 0; i < config.pools.size(); ++i) add_pool(config.pools[i], i);
}

void PoolLayout::add_pool(const Pool& pool, std::uint32_t number) {
  const bool sets_matter = pool.set_nodes_max > 0 && !pool.ib_spans_sets;
  const std::uint32_t cell = sets_matter ? pool.set_nodes_max : pool.max_nodes;
  const std::uint32_t leaf_size = pool.fabric.nodes_per_leaf > 0 ? pool.fabric.nodes_per_leaf : cell;
  leaf_size_.push_back(leaf_size);
  std::uint32_t leaf_in_pool = 0;
  for (std::uint32_t slot = 0; slot < pool.max_nodes; ++slot) {
    if (slot % cell % leaf_size == 0) {
      rows_of_leaf_.emplace_back();
      ++leaf_in_pool;
    }
    const auto row = static_cast<std::uint32_t>(rows_.size());
    rows_.push_back(
        {pool.node_prefix + std::to_string(slot + 1), number, pool.name + " leaf " + std::to_string(leaf_in_pool)});
    row_of_name_.emplace(rows_.back().name, row);
    leaf_of_row_.push_back(leaves() - 1);
    rows_of_leaf_.back().push_back(row);
  }
}

std::uint32_t PoolLayout::row_of(const std::string& node) const {
  const auto found = row_of_name_.find(node);
  VIRGA_ASSERT(found != row_of_name_.end(), "every node belongs to a pool");
  return found->second;
}

std::uint32_t PoolLayout::least_leaves(std::uint32_t pool, std::uint32_t nodes) const {
  return (nodes + leaf_size_[pool] - 1) / leaf_size_[pool];
}

}  // namespace virga
