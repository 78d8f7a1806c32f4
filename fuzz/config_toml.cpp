// Fuzz target: any bytes as a virga.toml give a configuration or a message.
#include "wire/config_toml.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)virga::parse_config({reinterpret_cast<const char*>(data), size}, "virga.toml", {});
  return 0;
}
