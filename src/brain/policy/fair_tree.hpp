// Slurm's Fair Tree: who used less than its share comes first.
//
//   FairTree tree(config.tenants);                     // anew when the configuration changes
//   FairLeaf ada = tree.leaf("physics", "ada");        // once for each job; keeps its number
//   tree.rank(ledger);                                 // at each fair-share event
//   tree.factor_ppm(ada);                              // 1,000,000 for the first, 0 < factor <= 1,000,000
//
// Each tenant and user has a level fair share LF = (shares / its siblings' shares) / (usage / its siblings' usage):
// above 1 it used less than its part. The tree is walked depth first, at each level in falling order of LF, and users
// get ranks in the order in which they are met: the first has the rank `users`, the last 1. Equal LF share: users get
// the same rank, the next one the rank that it would have had; tenants of equal LF have their children merged and
// walked as one level; a user goes before a tenant of the same LF, whose first user then shares its rank. A user
// without usage has an infinite LF; one without shares has 0, whatever it used. All is exact: LF are compared as
// fractions.
//
// A user has one share of its tenant. Users that no tenant names (or all of them, without tenants) are leaves of the
// tenant that they charge; a tenant that the configuration does not have hangs from the root.
// rank() costs O(n log n) comparisons for n tenants and users; leaf() O(log n), factor_ppm() O(1).
// Source: Slurm's fair_tree.html and src/plugins/priority/multifactor/fair_tree.c.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brain/policy/decay.hpp"
#include "core/policy.hpp"

namespace virga {

/// The number of a user in a tenant. Numbers are dense and never change during the life of a tree.
struct FairLeaf {
  std::uint32_t index = 0;
};

class FairTree {
 public:
  explicit FairTree(const std::vector<Tenant>& tenants);

  FairLeaf leaf(const std::string& tenant, const std::string& user);
  /// Adds users that only the ledger knows, and ranks all.
  void rank(const UsageLedger& ledger);

  /// 1 … leaf_count(); before the first rank() all share the first.
  std::uint32_t rank_of(FairLeaf leaf) const { return ranks_[leaf.index]; }
  std::uint32_t factor_ppm(FairLeaf leaf) const;
  std::uint32_t leaf_count() const { return static_cast<std::uint32_t>(leaf_nodes_.size()); }

 private:
  struct Node {
    std::uint32_t shares = 1;
    bool is_user = false;
    std::uint32_t leaf = 0;  ///< of a user
    Wide usage = 0;
    Wide sibling_usage = 0;
    std::uint64_t sibling_shares = 0;
    std::vector<std::uint32_t> children = {};
  };
  struct Walk;

  std::uint32_t tenant_node(const std::string& tenant);
  std::uint32_t add_node(std::uint32_t parent, std::uint32_t shares);
  void sum_up(std::uint32_t node);
  void walk(std::vector<std::uint32_t> level, bool tied_above, Walk& walk);
  bool before(std::uint32_t a, std::uint32_t b) const;
  bool same_level(std::uint32_t a, std::uint32_t b) const;

  std::vector<Node> nodes_;  ///< the first is the root
  std::map<std::string, std::uint32_t, std::less<>> tenant_nodes_;
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> leaves_;  ///< (tenant's node, user) → leaf
  std::vector<std::uint32_t> leaf_nodes_;                                  ///< leaf → node
  std::vector<std::uint32_t> ranks_;                                       ///< by leaf
};

}  // namespace virga
