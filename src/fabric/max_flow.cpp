#include "fabric/max_flow.hpp"

#include <algorithm>
#include <limits>

namespace virga {

void MaxFlow::join(std::uint32_t a, std::uint32_t b, std::uint64_t capacity) {
  first_[a].push_back(static_cast<std::uint32_t>(arcs_.size()));
  arcs_.push_back({b, capacity});
  first_[b].push_back(static_cast<std::uint32_t>(arcs_.size()));
  arcs_.push_back({a, capacity});
}

bool MaxFlow::layer(std::uint32_t source, std::uint32_t sink) {
  layer_.assign(first_.size(), 0);
  layer_[source] = 1;
  std::vector<std::uint32_t> order = {source};
  for (std::size_t i = 0; i < order.size() && layer_[sink] == 0; ++i) {
    for (const std::uint32_t arc : first_[order[i]]) {
      if (arcs_[arc].left == 0 || layer_[arcs_[arc].to] != 0) continue;
      layer_[arcs_[arc].to] = layer_[order[i]] + 1;
      order.push_back(arcs_[arc].to);
    }
  }
  return layer_[sink] != 0;
}

/// One way through the layers, by depth first; 0 when there is none left.
std::uint64_t MaxFlow::push(std::uint32_t source, std::uint32_t sink) {
  std::vector<std::uint32_t> way;
  std::uint32_t at = source;
  while (at != sink) {
    bool found = false;
    for (; next_[at] < first_[at].size(); ++next_[at]) {
      const std::uint32_t arc = first_[at][next_[at]];
      if (arcs_[arc].left == 0 || layer_[arcs_[arc].to] != layer_[at] + 1) continue;
      way.push_back(arc);
      at = arcs_[arc].to;
      found = true;
      break;
    }
    if (found) continue;
    if (way.empty()) return 0;
    at = arcs_[way.back() ^ 1].to;  // a dead end: back, and never here again in this layering
    way.pop_back();
    ++next_[at];
  }
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint32_t arc : way) least = std::min(least, arcs_[arc].left);
  for (const std::uint32_t arc : way) {
    arcs_[arc].left -= least;
    arcs_[arc ^ 1].left += least;
  }
  return least;
}

std::uint64_t MaxFlow::flow(std::uint32_t source, std::uint32_t sink) {
  std::uint64_t total = 0;
  while (layer(source, sink)) {
    next_.assign(first_.size(), 0);
    while (const std::uint64_t pushed = push(source, sink)) total += pushed;
  }
  return total;
}

}  // namespace virga
