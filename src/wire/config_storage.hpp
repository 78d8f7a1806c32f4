// [storage.NAME] of virga.toml: what nodes without shared files mount, and from where.
//
//   read_storage(top, config, mistakes);      // fills config.storage
//
// Only config_toml.cpp includes this.
#pragma once

#include "core/config.hpp"
#include "wire/toml_section.hpp"

namespace virga {

void read_storage(TomlSection& top, Config& config, Mistakes& mistakes);

}  // namespace virga
