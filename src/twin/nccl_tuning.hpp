// What NCCL itself believes a collective will take: the model by which it chooses algorithm and protocol.
//
//   nccl_seconds(Collective::all_reduce, Algorithm::ring, Protocol::ll, shape, 65536, net);
//
// Latencies (us) and limits of bandwidth (GB/s) per algorithm and protocol, and the correction of trees by size, are
// those that src/graph/tuning.cc of NCCL 2.21 states. Its limits per channel are left out, since they do not bind on
// NVSwitch systems; so are PCI, and CPUs other than Intel's. The model is rough, as NCCL needs the order of its
// candidates only; the time to expect comes from twin/collective.hpp. Infinite: NCCL does not offer that.
#pragma once

#include "twin/collective.hpp"
#include "twin/collective_shape.hpp"

namespace virga {

double nccl_seconds(Collective collective, Algorithm algorithm, Protocol protocol, const CollectiveShape& shape,
                    double bytes, const Net& net);

}  // namespace virga
