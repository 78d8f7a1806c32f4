// What the API takes of a partition that is changed.
#pragma once

#include "base/time.hpp"

namespace virga {

struct PartitionBody {
  bool up = true;
  bool takes_jobs = true;
  Duration max_time = Duration::infinite();
  Duration default_time = Duration::infinite();

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("up", s.up);
    v("takes_jobs", s.takes_jobs);
    v("max_time", s.max_time);
    v("default_time", s.default_time);
  }
};

}  // namespace virga
