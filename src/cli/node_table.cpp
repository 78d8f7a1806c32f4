#include "cli/node_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "wire/hostlist.hpp"
#include "wire/slurm_nodes.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using R = const NodeRow&;

const SlurmNode* first(R r) { return r.nodes.empty() ? nullptr : r.nodes.front(); }
std::string number(std::uint64_t n) { return std::to_string(n); }
std::string null_if_empty(const std::string& text) { return text.empty() ? "(null)" : text; }

std::string node_list(R r) {
  std::vector<std::string> names;
  for (const SlurmNode* node : r.nodes) names.push_back(node->name);
  return compress_hostlist(names);
}

std::string partition_name(R r) { return r.partition->name + (r.partition->is_default ? "*" : ""); }
std::string state_compact(R r) { return first(r) != nullptr ? node_state_text(*first(r), true) : "n/a"; }
std::string state_long(R r) { return first(r) != nullptr ? node_state_text(*first(r), false) : "n/a"; }

std::string state_complete(R r) {
  if (first(r) == nullptr) return "n/a";
  std::string text = node_state_flags_text(*first(r));
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return text;
}

/// The smallest value over the row's nodes, with + behind it where they differ.
template <class Get>
std::string least(R r, Get get) {
  if (r.nodes.empty()) return "0";
  std::uint64_t low = get(*r.nodes.front());
  std::uint64_t high = low;
  for (const SlurmNode* node : r.nodes) {
    low = std::min<std::uint64_t>(low, get(*node));
    high = std::max<std::uint64_t>(high, get(*node));
  }
  return number(low) + (high > low ? "+" : "");
}

std::string cpus(R r) {
  return least(r, [](const SlurmNode& n) { return n.total.cpus; });
}
std::string memory(R r) {
  return least(r, [](const SlurmNode& n) { return n.total.memory_bytes >> 20; });
}
std::string shape(R r) { return first(r) != nullptr ? fmt::format("1:{}:1", cpus(r)) : "0:0:0"; }

struct NodeCounts {
  std::uint32_t allocated = 0, idle = 0, other = 0;
};
NodeCounts count_nodes(R r) {
  NodeCounts c;
  for (const SlurmNode* node : r.nodes) {
    if (node->base != SlurmNode::Base::idle)
      ++c.allocated;
    else if (node->drained)
      ++c.other;
    else
      ++c.idle;
  }
  return c;
}
std::string nodes_ai(R r) {
  const NodeCounts c = count_nodes(r);
  return fmt::format("{}/{}", c.allocated, c.idle);
}
std::string nodes_aiot(R r) {
  const NodeCounts c = count_nodes(r);
  return fmt::format("{}/{}/{}/{}", c.allocated, c.idle, c.other, r.nodes.size());
}
std::string cpus_aiot(R r) {
  std::uint64_t allocated = 0, idle = 0, other = 0, total = 0;
  for (const SlurmNode* node : r.nodes) {
    const std::uint32_t free = node->total.cpus - std::min(node->total.cpus, node->used.cpus);
    allocated += node->used.cpus;
    (node->drained ? other : idle) += free;
    total += node->total.cpus;
  }
  return fmt::format("{}/{}/{}/{}", allocated, idle, other, total);
}

std::string reason(R r) { return first(r) != nullptr && !first(r)->reason.empty() ? first(r)->reason : "none"; }
std::string reason_user(R r) {
  return first(r) != nullptr && !first(r)->reason.empty() ? first(r)->reason_user : "Unknown";
}
std::string reason_user_uid(R r) {
  if (first(r) == nullptr || first(r)->reason.empty()) return "Unknown";
  return fmt::format("{}({})", first(r)->reason_user, first(r)->reason_uid);
}
std::string reason_time(R r) { return local_time_text(first(r) != nullptr ? first(r)->reason_at : Time{}, "Unknown"); }
std::string time_limit(R r) { return time_limit_text(r.partition->max_time, "infinite"); }
std::string default_time(R r) { return time_limit_text(r.partition->default_time, "n/a"); }
std::string gres(R r) { return null_if_empty(first(r) != nullptr ? first(r)->gres : ""); }
std::string gres_used(R r) {
  if (first(r) == nullptr) return "(null)";
  return first(r)->gres_used.empty() && !first(r)->gres.empty() ? "gpu:0" : null_if_empty(first(r)->gres_used);
}
std::string host(R r) { return first(r) != nullptr ? first(r)->name : ""; }
std::string address(R r) { return first(r) != nullptr ? first(r)->address : ""; }
std::string allocated_memory(R r) {
  return least(r, [](const SlurmNode& n) { return n.used.memory_bytes >> 20; });
}
std::string available(R r) {
  const std::string_view state = slurm_partition_state(*r.partition);
  if (state == "INACTIVE") return "inactive";
  return state == "UP" ? "up" : state == "DOWN" ? "down" : "drain";
}
std::string plain_partition(R r) { return r.partition->name; }
template <const char* const& Text>
std::string fixed(R) {
  return Text;
}
constexpr const char* k_null = "(null)";
constexpr const char* k_zero = "0";
constexpr const char* k_one = "1";
constexpr const char* k_no = "no";
constexpr const char* k_NO = "NO";
constexpr const char* k_all = "all";
constexpr const char* k_sizes = "1-infinite";
constexpr const char* k_not_known = "N/A";
constexpr const char* k_unlimited = "UNLIMITED";
constexpr const char* k_off = "OFF";
constexpr const char* k_version = "22.05.8";

// Letters of -o, names of -O, headers: Slurm 22.05's.
constexpr TableField<NodeRow> k_fields[] = {
    {'a', "available", "AVAIL", available},
    {'A', "nodeai", "NODES(A/I)", nodes_ai},
    {'b', "features_act", "ACTIVE_FEATURES", fixed<k_null>},
    {'B', "maxcpuspernode", "MAX_CPUS_PER_NODE", fixed<k_unlimited>},
    {'c', "cpus", "CPUS", cpus},
    {'C', "cpusstate", "CPUS(A/I/O/T)", cpus_aiot},
    {'d', "disk", "TMP_DISK", fixed<k_zero>},
    {'D', "nodes", "NODES", [](R r) { return number(r.nodes.size()); }},
    {'e', "freemem", "FREE_MEM", fixed<k_not_known>},
    {'E', "reason", "REASON", reason},
    {'f', "features", "AVAIL_FEATURES", fixed<k_null>},
    {'F', "nodeaiot", "NODES(A/I/O/T)", nodes_aiot},
    {'g', "groups", "GROUPS", fixed<k_all>},
    {'G', "gres", "GRES", gres},
    {0, "gresused", "GRES_USED", gres_used},
    {'h', "oversubscribe", "OVERSUBSCRIBE", fixed<k_NO>},
    {'H', "timestamp", "TIMESTAMP", reason_time},
    {'I', "priorityjobfactor", "PRIO_JOB_FACTOR", fixed<k_one>},
    {'l', "time", "TIMELIMIT", time_limit},
    {'L', "defaulttime", "DEFAULTTIME", default_time},
    {'m', "memory", "MEMORY", memory},
    {'M', "preemptmode", "PREEMPT_MODE", fixed<k_off>},
    {'n', "nodehost", "HOSTNAMES", host},
    {'N', "nodelist", "NODELIST", node_list},
    {'o', "nodeaddr", "NODE_ADDR", address},
    {'O', "cpusload", "CPU_LOAD", fixed<k_not_known>},
    {'p', "prioritytier", "PRIO_TIER", fixed<k_one>},
    {'P', "partition", "PARTITION", partition_name},
    {'R', "partitionname", "PARTITION", plain_partition},
    {'r', "root", "ROOT", fixed<k_no>},
    {'s', "size", "JOB_SIZE", fixed<k_sizes>},
    {'S', "allocnodes", "ALLOCNODES", fixed<k_all>},
    {'t', "statecompact", "STATE", state_compact},
    {'T', "statelong", "STATE", state_long},
    {'u', "user", "USER", reason_user},
    {'U', "userlong", "USER", reason_user_uid},
    {'v', "version", "VERSION", fixed<k_version>},
    {'V', "cluster", "CLUSTER", fixed<k_not_known>},
    {'w', "weight", "WEIGHT", fixed<k_one>},
    {'X', "sockets", "SOCKETS", fixed<k_one>},
    {'Y', "cores", "CORES", cpus},
    {'z', "socketcorethread", "S:C:T", shape},
    {'Z', "threads", "THREADS", fixed<k_one>},
    {0, "allocmem", "ALLOCMEM", allocated_memory},
    {0, "statecomplete", "STATECOMPLETE", state_complete},
    {0, "extra", "EXTRA", fixed<k_null>},
    {0, "comment", "COMMENT", fixed<k_null>},
};

/// Columns whose text is about all nodes of a row together; they never split one.
bool gathers(std::string_view name) {
  for (std::string_view sum : {"nodelist", "nodes", "nodeai", "nodeaiot", "cpusstate"}) {
    if (name == sum) return true;
  }
  return false;
}

/// Without a column about the partition, nodes of several partitions share a row.
bool tells_partitions(const TableFormat& format) {
  for (const TableColumn& column : format.columns) {
    if (column.field < 0) continue;
    const std::string_view name = k_fields[static_cast<std::size_t>(column.field)].name;
    for (std::string_view own : {"partition", "partitionname", "available", "time", "defaulttime"}) {
      if (name == own) return true;
    }
  }
  return false;
}

std::string what_tells_apart(const Partition& partition, const SlurmNode& node, const TableFormat& format) {
  const NodeRow alone{&partition, {&node}};
  std::string key;
  for (const TableColumn& column : format.columns) {
    if (column.field < 0) continue;
    const TableField<NodeRow>& field = k_fields[static_cast<std::size_t>(column.field)];
    if (!gathers(field.name)) key += field.text(alone) + "\n";
  }
  return key;
}

}  // namespace

std::span<const TableField<NodeRow>> node_fields() { return k_fields; }

std::vector<NodeRow> gather_rows(const Config& config, const std::vector<SlurmNode>& nodes, const TableFormat& format,
                                 const NodeGrouping& grouping) {
  const bool apart = grouping.one_by_one || tells_partitions(format);
  std::vector<NodeRow> rows;
  std::map<std::string, std::size_t> row_of;  // by what tells nodes apart
  std::set<const SlurmNode*> placed;          // where partitions are not told apart, a node counts once
  for (const Partition& partition : config.partitions) {
    if (apart) row_of.clear();
    const std::size_t before = rows.size();
    for (const SlurmNode& node : nodes) {
      if (std::count(node.partitions.begin(), node.partitions.end(), partition.name) == 0) continue;
      if (!apart && !placed.insert(&node).second) continue;
      const std::string key = grouping.one_by_one ? node.name : what_tells_apart(partition, node, format);
      auto [it, fresh] = row_of.try_emplace(key, rows.size());
      if (fresh) rows.push_back({&partition, {}});
      rows[it->second].nodes.push_back(&node);
    }
    if (rows.size() == before && grouping.keep_empty && (apart || rows.empty())) rows.push_back({&partition, {}});
  }
  if (grouping.one_by_one) {  // by node first, then by partition; a node's place in memory is its place in the list
    std::stable_sort(rows.begin(), rows.end(), [](const NodeRow& a, const NodeRow& b) {
      return !a.nodes.empty() && !b.nodes.empty() && a.nodes.front() < b.nodes.front();
    });
  }
  return rows;
}

}  // namespace virga
