// A job of GET /v1/status that did not come through Virga.
#pragma once

#include <cstdint>
#include <string>

namespace virga {

/// A job that came to the engine past Virga and is on nodes of ours (core/foreign.hpp): its number there, a hostlist.
struct ForeignBody {
  std::uint32_t job = 0;
  std::string user;
  std::string nodes;
  std::string cluster;  ///< of several clusters of Slurm, the one that it is in
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("user", s.user);
    v("nodes", s.nodes);
    v("cluster", s.cluster);
  }
};

}  // namespace virga
