// The instance metadata service's address inside a fabric: 169.254.169.254, port 80, as in every cloud.
//
// Programs on a node ask that address who they are. Who answers is not the host cloud's business: it hands out a socket
// that listens there, and the address of the node that asks is the source address of the connection.
//
//   Result<UniqueFd> listener = open_metadata_listener(home, node_program, fabric, tier);     // in a controller
#pragma once

#include <string>

#include "base/result.hpp"
#include "clouds/host/sys.hpp"
#include "clouds/host/tier.hpp"
#include "wire/home.hpp"

namespace virga::host {

inline constexpr const char* k_metadata_address = "169.254.169.254";

/// A stream socket that listens there in the network of this instance's fabric, made by a short-lived process, since
/// only one without threads can enter it.
Result<UniqueFd> open_metadata_listener(const Home& home, const std::string& node_program, Tier tier);
/// That process: `virga-node vm metadata HOME TIER`. Hands the socket over its standard output.
int run_metadata_listener(const Home& home, Tier tier);

}  // namespace virga::host
