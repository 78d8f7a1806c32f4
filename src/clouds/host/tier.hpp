// What this machine lets the host cloud do, found out by trying.
//
//   TierReport report = probe_tier();     // `virga doctor` prints it
//   report.tier == Tier::user;
//
// root:  namespaces and control groups, as root. user: the same namespaces inside a user namespace, without rights.
// plain: where even those are forbidden, a node is a process tree on a 127.x address.
// $VIRGA_TIER forces a tier that asks for less than the best possible one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "wire/home.hpp"

namespace virga {

enum class Tier : std::uint8_t { root, user, plain };
template <>
struct EnumNames<Tier> {
  static constexpr std::string_view names[] = {"root", "user", "plain"};
};

struct ProbeLine {
  std::string what;
  bool works = false;
  std::string why_not;  ///< or a remark, where it works
};

struct TierReport {
  Tier tier = Tier::plain;
  std::vector<ProbeLine> lines;
  bool cgroup_cpu = false;
  bool cgroup_memory = false;
  bool cgroup_pids = false;
  int cgroup_version = 0;  ///< 1 or 2 of the controllers above; 0: none can be used
};

/// Tries for real, in children that are gone on return: some 20 ms. Call it before threads are started.
TierReport probe_tier();

/// Node names of the plain tier are this and a number, which is also the node's address: "127.77.0.". The second byte
/// comes from the home, so that instances on one machine stay apart.
std::string plain_node_prefix(const Home& home);

}  // namespace virga
