// A configuration of one pool of four nodes and one partition.
#pragma once

#include "core/config.hpp"

namespace virga::test {

inline Config small_config() {
  Config c;
  Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd-";
  pool.max_nodes = 4;
  pool.sku.resources = {8, 8, 1ULL << 40};
  c.pools.push_back(pool);
  Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  c.partitions.push_back(partition);
  return c;
}

}  // namespace virga::test
