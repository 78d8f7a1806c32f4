#include "clouds/host/node_main.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "clouds/host/boot.hpp"
#include "clouds/host/fabric.hpp"
#include "clouds/host/metadata.hpp"

namespace virga {

int virga_node_vm_main(int argc, char** argv) {
  close_range(3, ~0U, 0);
  std::string verb = argc >= 4 ? argv[1] : "";
  if (verb == "boot" && argc == 5) {
    VmId vm{std::strtoull(argv[3], nullptr, 10)};
    if (vm) return host::run_boot(Home{argv[2]}, vm, std::strtoull(argv[4], nullptr, 10));
  }
  if ((verb == "fabric" || verb == "metadata") && argc == 4) {
    const auto run = verb == "fabric" ? host::run_fabric : host::run_metadata_listener;
    if (auto tier = enum_from_name<Tier>(argv[3])) return run(Home{argv[2]}, *tier);
  }
  fmt::print(stderr, "usage: virga-node vm boot HOME VM ATTEMPT | virga-node vm fabric|metadata HOME root|user\n");
  return 2;
}

}  // namespace virga
