// What NCCL itself believes a collective will take: the model by which it chooses algorithm and protocol.
//
//   nccl_seconds(Collective::all_reduce, Algorithm::ring, Protocol::ll, shape, 65536, net);
//
// Latency and bandwidth per algorithm and protocol, as src/graph/tuning.cc of NCCL 2.19 to 2.21 states them (tables of
// latencies in us, limits of bandwidth in GB/s, the corrections for trees by size). It is rough, as NCCL needs the
// order of its candidates only; the time to expect comes from twin/collective.hpp. Infinite: NCCL does not offer that.
#pragma once

#include "twin/collective.hpp"
#include "twin/collective_shape.hpp"

namespace virga {

double nccl_seconds(Collective collective, Algorithm algorithm, Protocol protocol, const CollectiveShape& shape,
                    double bytes, const Net& net);

}  // namespace virga
