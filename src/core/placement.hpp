// What a job may ask for of its nodes beyond their number, and the licences that it takes along.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace virga {

/// Which nodes a job may have, beyond what its partition and its size say. Texts are Slurm's, lists of nodes their
/// names.
struct Placement {
  std::string features;              ///< --constraint (brain/place/features.hpp)
  std::string prefer;                ///< --prefer: features that it would rather have
  std::string batch_features;        ///< --batch: what the first node must have as well
  std::vector<std::string> nodes;    ///< --nodelist: all of these are among its nodes
  std::vector<std::string> exclude;  ///< --exclude: none of these is
  bool contiguous = false;           ///< its nodes follow each other
  std::uint64_t tmp_bytes = 0;       ///< --tmp: room for temporary files on each node, at least

  friend bool operator==(const Placement&, const Placement&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("features", s.features);
    v("prefer", s.prefer);
    v("batch_features", s.batch_features);
    v("nodes", s.nodes);
    v("exclude", s.exclude);
    v("contiguous", s.contiguous);
    v("tmp_bytes", s.tmp_bytes);
  }
};

/// So many licences of one name: what a job takes, or what there are.
struct License {
  std::string name;
  std::uint32_t count = 1;

  friend auto operator<=>(const License&, const License&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("count", s.count);
  }
};

}  // namespace virga
