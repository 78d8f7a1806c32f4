// The part of [pool.NAME] that says how its VMs are had and how they are wired: purchase, price, boot time, spare
// nodes, scale sets, fabric.
#pragma once

#include "core/config.hpp"
#include "wire/toml_section.hpp"

namespace virga {

/// Reads the keys into `pool`, whose max_nodes must be read already.
void read_pool_supply(TomlSection& section, Pool& pool);

}  // namespace virga
