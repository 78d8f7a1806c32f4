// Names, numbers and addresses of an instance's nodes, and the /etc/hosts that tells them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "clouds/host/vm_file.hpp"

namespace virga::host {

/// The number at the end of the node's name, counted from 0, if it is free; else the smallest free one.
std::uint32_t choose_index(const std::string& node_name, const std::set<std::uint32_t>& taken);

/// 10.x on the fabric; else 127.x, which is the name itself where the name is such an address.
std::string choose_address(const Home& home, const VmFile& file);

/// Rewrites the file in place: nodes have it mounted, and would not see a new one of that name.
Status write_hosts(const Home& home, const std::string& cluster_name, const std::vector<VmFile>& nodes);

}  // namespace virga::host
