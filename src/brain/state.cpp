#include "brain/state.hpp"

#include <charconv>

namespace virga {

void State::rebuild_indices() {
  queue.clear();
  living.clear();
  front.clear();
  ended.clear();
  policy.rebuild(config, jobs);
  for (const auto& [id, job] : jobs) {
    if (is_final(job.state)) {
      ended.emplace(job.ended, id);
    } else if (holds_nodes(job.state)) {
      living.insert(id);
    } else if (!is_gated(job)) {
      queue.insert(id);
      if (job.reason != Reason::priority) front.insert(id);
    }
  }
}

const Pool* State::find_pool(const std::string& name) const {
  for (const Pool& pool : config.pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

const Partition* State::find_partition(const std::string& name) const {
  for (const Partition& partition : config.partitions) {
    if (partition.name == name) return &partition;
  }
  return nullptr;
}

const Pool* State::find_pool_of_node(const std::string& node, std::uint32_t* number) const {
  for (const Pool& pool : config.pools) {
    if (!node.starts_with(pool.node_prefix)) continue;
    const char* begin = node.data() + pool.node_prefix.size();
    const char* end = node.data() + node.size();
    std::uint32_t n = 0;
    auto [rest, error] = std::from_chars(begin, end, n);
    if (error != std::errc{} || rest != end || n == 0 || n > pool.max_nodes || *begin == '0') continue;
    if (number != nullptr) *number = n;
    return &pool;
  }
  return nullptr;
}

}  // namespace virga
