#include "brain/policy/fair_tree.hpp"

#include <algorithm>
#include <compare>

namespace virga {

namespace {

constexpr std::uint32_t k_ppm = 1'000'000;
/// Usage of a level is cut to so many bits, so that shares times usage fit in 128.
constexpr int k_usage_bits = 80;

/// a/b <=> c/d with b, d > 0, exactly and without a product: the continued fractions of both, term by term.
std::strong_ordering compare_fractions(Wide a, Wide b, Wide c, Wide d) {
  bool swapped = false;
  while (true) {
    const Wide left = a / b;
    const Wide right = c / d;
    if (left != right) return (left < right) != swapped ? std::strong_ordering::less : std::strong_ordering::greater;
    const Wide left_rest = a % b;
    const Wide right_rest = c % d;
    if (left_rest == 0 || right_rest == 0) {
      if (left_rest == right_rest) return std::strong_ordering::equal;
      return (left_rest == 0) != swapped ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    // rest/b <=> rest'/d is the opposite of b/rest <=> d/rest'.
    a = b;
    b = left_rest;
    c = d;
    d = right_rest;
    swapped = !swapped;
  }
}

}  // namespace

struct FairTree::Walk {
  std::uint32_t next_rank = 0;
  std::uint32_t shared_rank = 0;
};

FairTree::FairTree(const std::vector<Tenant>& tenants) {
  nodes_.push_back({.shares = 1});
  for (const Tenant& tenant : tenants) {
    tenant_nodes_.emplace(tenant.name, static_cast<std::uint32_t>(nodes_.size()));
    nodes_.push_back({.shares = tenant.shares});
  }
  for (const Tenant& tenant : tenants) {
    const auto parent = tenant_nodes_.find(tenant.parent);
    const std::uint32_t above = parent != tenant_nodes_.end() ? parent->second : 0;
    nodes_[above].children.push_back(tenant_nodes_.at(tenant.name));
  }
  for (const Tenant& tenant : tenants) {
    for (const std::string& user : tenant.users) leaf(tenant.name, user);
  }
}

std::uint32_t FairTree::add_node(std::uint32_t parent, std::uint32_t shares) {
  const auto added = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({.shares = shares});
  nodes_[parent].children.push_back(added);
  return added;
}

std::uint32_t FairTree::tenant_node(const std::string& tenant) {
  if (tenant.empty()) return 0;
  const auto known = tenant_nodes_.find(tenant);
  if (known != tenant_nodes_.end()) return known->second;
  const std::uint32_t added = add_node(0, 1);
  tenant_nodes_.emplace(tenant, added);
  return added;
}

FairLeaf FairTree::leaf(const std::string& tenant, const std::string& user) {
  const std::uint32_t parent = tenant_node(tenant);
  const auto [entry, is_new] = leaves_.emplace(std::pair(parent, user), leaf_count());
  if (is_new) {
    const std::uint32_t node = add_node(parent, 1);
    nodes_[node].is_user = true;
    nodes_[node].leaf = entry->second;
    leaf_nodes_.push_back(node);
    ranks_.push_back(leaf_count());
  }
  return {entry->second};
}

std::uint32_t FairTree::factor_ppm(FairLeaf leaf) const {
  // A leaf that came after the last rank() may have made the count larger than the ranks are.
  return static_cast<std::uint32_t>(std::uint64_t{ranks_[leaf.index]} * k_ppm / leaf_count());
}

/// A tenant's usage is that of all below it; then each child learns what its siblings have.
void FairTree::sum_up(std::uint32_t node) {
  Wide usage = 0;
  std::uint64_t shares = 0;
  for (const std::uint32_t child : nodes_[node].children) {
    if (!nodes_[child].is_user) sum_up(child);
    usage += nodes_[child].usage;
    shares += nodes_[child].shares;
  }
  nodes_[node].usage = usage;
  int cut = 0;
  while (usage >> cut >> k_usage_bits != 0) ++cut;
  for (const std::uint32_t child : nodes_[node].children) {
    nodes_[child].sibling_usage = usage >> cut;
    nodes_[child].sibling_shares = shares;
    // Only the fraction at this level is looked at below, so the cut value may replace a user's exact one.
    nodes_[child].usage >>= cut;
  }
}

bool FairTree::same_level(std::uint32_t a, std::uint32_t b) const { return !before(a, b) && !before(b, a); }

/// a has the higher level fair share.
bool FairTree::before(std::uint32_t a, std::uint32_t b) const {
  const Node& left = nodes_[a];
  const Node& right = nodes_[b];
  const auto kind = [](const Node& n) { return n.shares == 0 ? 0 : n.usage == 0 ? 2 : 1; };  // 0, a number, infinite
  if (kind(left) != kind(right)) return kind(left) > kind(right);
  if (kind(left) != 1) return false;
  return compare_fractions(left.sibling_usage * left.shares, left.usage * left.sibling_shares,
                           right.sibling_usage * right.shares, right.usage * right.sibling_shares) > 0;
}

void FairTree::walk(std::vector<std::uint32_t> level, bool tied_above, Walk& at) {
  // Users before tenants of the same level fair share; the rest of the order does not show in the result.
  std::sort(level.begin(), level.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (before(a, b)) return true;
    if (before(b, a)) return false;
    if (nodes_[a].is_user != nodes_[b].is_user) return nodes_[a].is_user;
    return a < b;
  });
  for (std::size_t i = 0; i < level.size(); ++i) {
    const bool tied = i == 0 ? tied_above : same_level(level[i - 1], level[i]);
    const Node& node = nodes_[level[i]];
    if (node.is_user) {
      if (!tied) at.shared_rank = at.next_rank;
      ranks_[node.leaf] = at.shared_rank;
      --at.next_rank;
      continue;
    }
    std::vector<std::uint32_t> merged = node.children;
    while (i + 1 < level.size() && same_level(level[i], level[i + 1])) {
      ++i;
      const auto& children = nodes_[level[i]].children;
      merged.insert(merged.end(), children.begin(), children.end());
    }
    walk(std::move(merged), tied, at);
  }
}

void FairTree::rank(const UsageLedger& ledger) {
  for (Node& node : nodes_) node.usage = 0;
  for (const auto& [tenant, users] : ledger.weights) {
    for (const auto& [user, weight] : users) {
      const FairLeaf known = leaf(tenant, user);
      nodes_[leaf_nodes_[known.index]].usage = weight.value();
    }
  }
  sum_up(0);
  Walk at{leaf_count(), leaf_count()};
  walk(nodes_[0].children, false, at);
}

}  // namespace virga
