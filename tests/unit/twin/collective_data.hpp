// Published measurements of collectives, from $VIRGA_SHARED_DATA or the nearest `shared/data` above the program. The
// table is no part of the project; where it is absent, tests say so and skip.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "twin/collective.hpp"

namespace virga {

struct Measurement {
  std::string source;  ///< source_group: one author, one kind of machine
  std::string gpu;
  std::string fabric;  ///< kind of the network between the nodes; "nvlink" for one node
  Collective collective;
  RankGroup group;
  Net net;  ///< with rates, without latencies
  std::optional<Algorithm> forced;
  double bytes;
  double seconds;
  double seconds_low;  ///< the least and the most that the source's rounding allows
  double seconds_high;
};

/// All rows with a size, a GPU and a measured time or bandwidth; thresholds and peers' tables are none. A time and a
/// bandwidth of one run are one row.
std::optional<std::vector<Measurement>> read_measurements();

}  // namespace virga
