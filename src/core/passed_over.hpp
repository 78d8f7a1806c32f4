// Where a gang's nodes could have been as well when they were chosen (brain/place/collective_time.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace virga {

/// The best of such placements, and what the gang's collectives would have been like there.
struct PassedOver {
  std::string what;  ///< "pool b", "3 leaves below 1 spine"; empty: there was no choice, or it made no difference
  std::uint64_t bytes = 0;  ///< of the all-reduce that was compared
  Duration chosen;          ///< its predicted time on the nodes that the gang got
  Duration other;           ///< the same there

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("what", s.what);
    v("bytes", s.bytes);
    v("chosen", s.chosen);
    v("other", s.other);
  }
};

}  // namespace virga
