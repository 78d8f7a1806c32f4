#include "wire/slurm_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/foreign.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

constexpr std::string_view k_base_long[] = {"idle", "mixed", "allocated"};
constexpr std::string_view k_base_compact[] = {"idle", "mix", "alloc"};
constexpr std::string_view k_power_mark[] = {"", "~", "#", "%"};

void take_vm(SlurmNode& node, const Vm& vm, const std::string& gpu_model) {
  node.address = vm.address.empty() ? vm.name : vm.address;
  node.total = vm.total;
  node.used = vm.used;
  node.gres_used = gres_text(gpu_model, vm.used.gpus);
  node.booted = vm.granted;
  node.ready = vm.ready;
  node.idle_since = vm.idle_since;
  node.power = vm.state == VmState::ready       ? SlurmNode::Power::on
               : vm.state == VmState::releasing ? SlurmNode::Power::going_down
                                                : SlurmNode::Power::going_up;
  if (!vm.jobs.empty() && vm.state != VmState::releasing) {
    const bool full =
        vm.exclusive || vm.used.cpus >= vm.total.cpus || (vm.total.gpus != 0 && vm.used.gpus >= vm.total.gpus);
    node.base = full ? SlurmNode::Base::allocated : SlurmNode::Base::mixed;
  }
  if (vm.drained) {
    node.drained = true;
    node.reason = vm.drain_reason;
    if (vm.is_sick()) {
      node.reason_user = "virgad";
      node.reason_at = vm.sick_since;
    } else if (is_occupied(vm)) {
      node.reason_user = "virgad";
    }
  }
}

}  // namespace

std::vector<SlurmNode> slurm_nodes(const Config& config, const VmsBody& vms) {
  std::map<std::string, const Vm*> by_name;
  for (const Vm& vm : vms.vms) {
    const Vm*& known = by_name[vm.name];
    // While a VM of this name is being released, its successor is the node.
    if (known == nullptr || known->state == VmState::releasing) known = &vm;
  }
  std::vector<SlurmNode> nodes;
  for (const Pool& pool : config.pools) {
    SlurmNode blank;
    blank.pool = pool.name;
    blank.is_cloud = pool.warm_nodes < pool.max_nodes;
    blank.total = pool.sku.resources;
    blank.gres = gres_text(pool.sku.gpu_model, pool.sku.resources.gpus);
    for (const Partition& partition : config.partitions) {
      if (std::count(partition.pools.begin(), partition.pools.end(), pool.name) != 0) {
        blank.partitions.push_back(partition.name);
      }
    }
    for (std::uint32_t number = 1; number <= pool.max_nodes; ++number) {
      SlurmNode node = blank;
      node.name = pool.node_prefix + std::to_string(number);
      node.address = node.name;
      if (auto vm = by_name.find(node.name); vm != by_name.end()) take_vm(node, *vm->second, pool.sku.gpu_model);
      if (auto mark = vms.marks.find(node.name); mark != vms.marks.end() && mark->second.drained) {
        // Both are true of it: what an operator said, and who is on it.
        const bool occupied = is_foreign_reason(node.reason);
        node.drained = true;
        node.reason = mark->second.reason + (occupied ? "; " + node.reason : "");
        node.reason_user = mark->second.by.user;
        node.reason_uid = mark->second.by.uid;
        node.reason_at = mark->second.at;
      }
      nodes.push_back(std::move(node));
    }
  }
  return nodes;
}

PartitionNodes nodes_of_partition(const Partition& partition, const std::vector<SlurmNode>& nodes) {
  PartitionNodes of;
  for (const SlurmNode& node : nodes) {
    if (std::count(node.partitions.begin(), node.partitions.end(), partition.name) == 0) continue;
    of.names.push_back(node.name);
    of.total.cpus += node.total.cpus;
    of.total.gpus += node.total.gpus;
    of.total.memory_bytes += node.total.memory_bytes;
  }
  return of;
}

std::string node_state_text(const SlurmNode& node, bool compact) {
  std::string text;
  if (node.drained) {
    const bool busy = node.base != SlurmNode::Base::idle;
    text = compact ? (busy ? "drng" : "drain") : (busy ? "draining" : "drained");
  } else {
    text = (compact ? k_base_compact : k_base_long)[static_cast<std::size_t>(node.base)];
  }
  return text.append(k_power_mark[static_cast<std::size_t>(node.power)]);
}

std::string node_state_flags_text(const SlurmNode& node) {
  constexpr std::string_view k_base[] = {"IDLE", "MIXED", "ALLOCATED"};
  constexpr std::string_view k_power[] = {"", "+POWERED_DOWN", "+POWERING_UP", "+POWERING_DOWN"};
  std::string text(k_base[static_cast<std::size_t>(node.base)]);
  if (node.is_cloud) text += "+CLOUD";
  if (node.drained) text += "+DRAIN";
  return text.append(k_power[static_cast<std::size_t>(node.power)]);
}

std::optional<bool> node_state_matches(const SlurmNode& node, std::string_view word) {
  using Base = SlurmNode::Base;
  using Power = SlurmNode::Power;
  const bool busy = node.base != Base::idle;
  const auto is = [&](std::string_view a, std::string_view b = "") { return same_word(word, a) || same_word(word, b); };
  if (is("all")) return true;
  if (is("idle")) return node.base == Base::idle && !node.drained;
  if (is("mixed", "mix")) return node.base == Base::mixed && !node.drained;
  if (is("allocated", "alloc")) return busy && !node.drained;
  if (is("drain")) return node.drained;
  if (is("draining", "drng")) return node.drained && busy;
  if (is("drained")) return node.drained && !busy;
  if (is("cloud")) return node.is_cloud;
  if (is("powered_down", "pow_dn")) return node.power == Power::down;
  if (is("power_down")) return node.power == Power::going_down;
  if (is("powering_down", "powering_dn")) return node.power == Power::going_down;
  if (is("powering_up", "pow_up") || is("power_up")) return node.power == Power::going_up;
  for (std::string_view never : {"down",  "fail",       "failing", "fail",     "completing", "comp",    "future",
                                 "maint", "no_respond", "npc",     "perfctrs", "planned",    "plnd",    "reserved",
                                 "resv",  "reboot",     "reboot^", "unknown",  "unk",        "blocked", "error"}) {
    if (same_word(word, never)) return false;
  }
  return std::nullopt;
}

std::string gres_text(const std::string& gpu_model, std::uint32_t gpus) {
  if (gpus == 0) return "";
  std::string type;
  for (char c : gpu_model) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
    type += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : plain ? c : '_';
  }
  return type.empty() ? fmt::format("gpu:{}", gpus) : fmt::format("gpu:{}:{}", type, gpus);
}

std::string tres_text(const Resources& resources, std::uint32_t nodes) {
  const std::uint64_t times = std::max<std::uint32_t>(nodes, 1);
  std::string text;
  const auto add = [&](const std::string& part) { text.append(text.empty() ? "" : ",").append(part); };
  if (resources.cpus != 0) add(fmt::format("cpu={}", resources.cpus * times));
  if (resources.memory_bytes != 0) add("mem=" + memory_text(resources.memory_bytes * times));
  if (nodes != 0) add(fmt::format("node={}", nodes));
  if (resources.cpus != 0) add(fmt::format("billing={}", resources.cpus * times));
  if (resources.gpus != 0) add(fmt::format("gres/gpu={}", resources.gpus * times));
  return text;
}

std::string_view slurm_partition_state(const Partition& partition) {
  if (partition.up) return partition.takes_jobs ? "UP" : "DRAIN";
  return partition.takes_jobs ? "DOWN" : "INACTIVE";
}

}  // namespace virga
