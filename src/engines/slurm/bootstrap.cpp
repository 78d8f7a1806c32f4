#include "engines/slurm/bootstrap.hpp"

#include <fmt/format.h>

#include "engines/slurm/confinement.hpp"
#include "engines/slurm/listing.hpp"
#include "wire/words.hpp"

namespace virga::slurm {
namespace {

/// Of devices in the place of GPUs that are not there: kept by the kernel for local use, so that no driver has it. What
/// a job was not given is forbidden to it, what it was given does not exist.
constexpr int k_no_driver = 240;
constexpr std::uint64_t k_bytes_per_mib = 1024 * 1024;

/// slurmd looks for gres.conf beside its slurm.conf, so a node with GPUs has a folder of its own for the two. A GPU of
/// Slurm's must have a file (22.05).
std::string gres_lines(const BootstrapSettings& s) {
  if (s.resources.gpus == 0) return "";
  return fmt::format(
      "etc=$folder/etc/{0}\n"
      "mkdir -p \"$etc\" && ln -sfn ../../node.conf \"$etc/slurm.conf\" || exit 1\n"
      "[ ! -e \"$folder/cgroup.conf\" ] || ln -sfn ../../cgroup.conf \"$etc/cgroup.conf\" || exit 1\n"
      "gpus=/dev/nvidia there=0\n"
      "while [ $there -lt {1} ] && [ -c $gpus$there ]; do there=$((there + 1)); done\n"
      "if [ $there -lt {1} ]; then\n"
      "  gpus=$etc/gpu there=0\n"
      "  while [ $there -lt {1} ]; do\n"
      "    rm -f \"$gpus$there\"\n"
      "    mknod -m 666 \"$gpus$there\" c {3} $there 2>/dev/null || : > \"$gpus$there\"\n"
      "    there=$((there + 1))\n"
      "  done\n"
      "fi\n"
      "echo \"Name=gpu File=$gpus[0-{2}]\" > \"$etc/gres.conf\" || exit 1\n"
      "export SLURM_CONF=\"$etc/slurm.conf\"\n",
      s.node, s.resources.gpus, s.resources.gpus - 1, k_no_driver);
}

}  // namespace

std::string bootstrap_script(const BootstrapSettings& s) {
  const std::string feature = feature_of(s.vm, s.cluster);
  // slurmd takes a machine's processors as they are unless it is told, and refuses fewer; config_overrides in
  // slurm.conf lets a virtual node claim its size.
  const std::string node = fmt::format("CPUs={} RealMemory={} Feature=virga,{}", s.resources.cpus,
                                       s.resources.memory_bytes / k_bytes_per_mib, feature) +
                           (s.resources.gpus == 0 ? "" : fmt::format(" Gres=gpu:{}", s.resources.gpus));
  return fmt::format(
      "#!/bin/sh\n"
      "# A node of Virga's Slurm cluster: ends when slurmd ends.\n"
      "folder={0}\n"
      "mkdir -p \"$folder/spool/{1}\" || exit 1\n"
      "export SLURM_CONF=\"$folder/node.conf\"\n"
      "{5}{7}"
      "# What Slurm remembers of an earlier node of this name, the controller deletes, or marks as nobody's; then it\n"
      "# becomes this node's, as slurmd itself does not change what Slurm knows already. Looks are few: a gang's "
      "nodes\n"
      "# look at the same time, and slurmctld has to make way for all of them.\n"
      "for pause in 0.1 0.2 0.4 0.8 1.6 3.2 3.2 3.2; do\n"
      "  known=$(scontrol show node {2} 2>/dev/null) || break\n"
      "  case $known in\n"
      "    *{4}*) ;;\n"
      "    *{6}*) sleep $pause; continue ;;\n"
      "  esac\n"
      "  scontrol update nodename={2} availablefeatures=virga,{4} activefeatures=virga,{4} \\\n"
      "    ${{VIRGA_NODE_ADDRESS:+nodeaddr=$VIRGA_NODE_ADDRESS}}\n"
      "  break\n"
      "done\n"
      "exec slurmd -D -Z -N {2} --conf \"{3}${{VIRGA_NODE_ADDRESS:+ NodeAddr=$VIRGA_NODE_ADDRESS}}\"\n",
      shell_quoted(s.folder), s.node, shell_quoted(s.node), node, feature, gres_lines(s), feature_prefix(s.cluster),
      confinement_lines(s.folder, s.node));
}

}  // namespace virga::slurm
