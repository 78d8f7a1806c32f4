// The /16 of an instance's nodes, one that this machine is not on already: instances of several users, tests that run
// side by side and the machine's own networks must not answer for each other's nodes.
//
//   int subnet = subnet_of(home);      // 97: nodes are 10.97.x.y
#pragma once

#include "wire/home.hpp"

namespace virga::host {

/// The second byte, 64 to 191. The first time it is chosen, from the home's path, and kept in `<home>/subnet`; it is
/// chosen anew when nothing of the instance runs and this machine has an address in it that is not the instance's.
/// Where the file cannot be written, it follows from the path alone.
int subnet_of(const Home& home);

/// The machine's end of its port on the fabric, `ip link`'s name for it.
std::string machine_port(const Home& home);

}  // namespace virga::host
