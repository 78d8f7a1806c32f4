// The largest flow through a graph of links that carry their capacity both ways (Dinic's algorithm).
//
//   MaxFlow network(4);
//   network.join(0, 1, 400);              // either direction
//   network.join(1, 3, 200);
//   network.flow(0, 3);                   // 200
//
// O(V² E) at worst; on fat trees, whose levels are few, a handful of passes over the links.
#pragma once

#include <cstdint>
#include <vector>

namespace virga {

class MaxFlow {
 public:
  explicit MaxFlow(std::uint32_t nodes) : first_(nodes) {}
  void join(std::uint32_t a, std::uint32_t b, std::uint64_t capacity);
  /// Once only: the links are used up by it.
  std::uint64_t flow(std::uint32_t source, std::uint32_t sink);

 private:
  struct Arc {
    std::uint32_t to = 0;
    std::uint64_t left = 0;
  };
  bool layer(std::uint32_t source, std::uint32_t sink);
  std::uint64_t push(std::uint32_t source, std::uint32_t sink);

  std::vector<std::vector<std::uint32_t>> first_;  ///< arcs of each node; arc i ^ 1 is its way back
  std::vector<Arc> arcs_;
  std::vector<std::uint32_t> layer_;
  std::vector<std::size_t> next_;
};

}  // namespace virga
