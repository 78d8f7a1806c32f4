// The nodes as Slurm's users know them: every place of every pool is a node, whether a VM is behind it now or not.
//
//   std::vector<SlurmNode> nodes = slurm_nodes(config, vms_body);
//   node_state_text(nodes[0], true);     // idle~: a place without a VM; alloc#: it boots for a job; mix, drain …
//
// A place without a VM is powered down (~), one whose VM was asked for or boots is powering up (#), one whose VM is
// being released powers down (%): Slurm's marks for cloud nodes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/api_bodies.hpp"

namespace virga {

struct SlurmNode {
  enum class Base : std::uint8_t { idle, mixed, allocated };
  enum class Power : std::uint8_t { on, down, going_up, going_down };

  std::string name;
  std::string pool;
  std::string address;  ///< its name while it has none
  std::vector<std::string> partitions;
  Resources total;
  Resources used;
  std::string gres;  ///< "gpu:h100:8", "" without GPUs
  std::string gres_used;
  Base base = Base::idle;
  Power power = Power::down;
  bool is_cloud = true;  ///< false: its pool keeps all its nodes, as machines that stand somewhere
  bool drained = false;
  std::string reason;
  std::string reason_user;
  std::uint32_t reason_uid = 0;
  Time reason_at;
  Time booted;
  Time ready;
  Time idle_since;
};

/// The nodes of one partition, and what they have together.
/// UP, DOWN, DRAIN or INACTIVE: whether its jobs start, and whether it takes any.
std::string_view slurm_partition_state(const Partition& partition);

struct PartitionNodes {
  std::vector<std::string> names;
  Resources total;
};
PartitionNodes nodes_of_partition(const Partition& partition, const std::vector<SlurmNode>& nodes);

/// In the order of the configuration: pool by pool, number by number.
std::vector<SlurmNode> slurm_nodes(const Config& config, const VmsBody& vms);

/// "idle~", "allocated#", "draining"; with `compact` as sinfo's default has it: "alloc#", "mix", "drng".
std::string node_state_text(const SlurmNode& node, bool compact);
/// "IDLE+CLOUD+POWERED_DOWN", as `scontrol show node` prints it.
std::string node_state_flags_text(const SlurmNode& node);
/// Does one word of `sinfo --states` mean this node? Nothing if it is no such word.
std::optional<bool> node_state_matches(const SlurmNode& node, std::string_view word);

/// "gpu:h100:8"; "" for none.
std::string gres_text(const std::string& gpu_model, std::uint32_t gpus);
/// "cpu=8,mem=64G,node=2,billing=8,gres/gpu=4"; `nodes` of 0 leaves node= out, as for a single node.
std::string tres_text(const Resources& resources, std::uint32_t nodes);

}  // namespace virga
