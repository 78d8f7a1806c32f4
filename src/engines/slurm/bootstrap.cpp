#include "engines/slurm/bootstrap.hpp"

#include <fmt/format.h>

#include "engines/slurm/listing.hpp"
#include "wire/words.hpp"

namespace virga::slurm {
namespace {

constexpr std::uint64_t k_bytes_per_mib = 1024 * 1024;

}  // namespace

std::string bootstrap_script(const BootstrapSettings& s) {
  // slurmd takes a machine's processors as they are unless it is told, and refuses fewer; config_overrides in
  // slurm.conf lets a virtual node claim its size.
  const std::string node = fmt::format("CPUs={} RealMemory={} Feature=virga,{}", s.resources.cpus,
                                       s.resources.memory_bytes / k_bytes_per_mib, feature_of(s.vm));
  return fmt::format(
      "#!/bin/sh\n"
      "# A node of Virga's Slurm cluster: ends when slurmd ends.\n"
      "folder={0}\n"
      "mkdir -p \"$folder/spool/{1}\" || exit 1\n"
      "export SLURM_CONF=\"$folder/node.conf\"\n"
      "# Slurm marks what it starts by the node's name, and looks for leftovers of an earlier one of that name.\n"
      "exec slurmd -D -Z -N {2} --conf \"{3}${{VIRGA_NODE_ADDRESS:+ NodeAddr=$VIRGA_NODE_ADDRESS}}\"\n",
      shell_quoted(s.folder), s.node, shell_quoted(s.node), node);
}

}  // namespace virga::slurm
