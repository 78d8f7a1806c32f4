// Fair Tree: ranks as Slurm's algorithm gives them, ties included; and usage that decays by integers alone.
#include "brain/policy/fair_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "core/binary.hpp"

namespace virga {
namespace {

constexpr Duration k_week = Duration::seconds(7 * 86'400);
const Time k_start = Time::from_seconds(1'700'000'000);

Tenant tenant(std::string name, std::string parent, std::uint32_t shares, std::vector<std::string> users) {
  return {.name = std::move(name), .parent = std::move(parent), .shares = shares, .users = std::move(users)};
}

/// Slurm's algorithm as its page tells it, on doubles: a second opinion.
struct Reference {
  struct Node {
    double shares = 1;
    double usage = 0;
    bool is_user = false;
    std::string name;
    std::vector<Node> children = {};
    double level = 0;
  };
  std::map<std::string, int> rank;
  int next = 0;
  int shared = 0;

  static double weigh(Node& node) {
    double shares = 0;
    if (!node.children.empty()) node.usage = 0;
    for (Node& child : node.children) {
      node.usage += weigh(child);
      shares += child.shares;
    }
    for (Node& child : node.children) {
      // One quotient of whole numbers, so that equal fractions are equal doubles.
      child.level = child.shares == 0  ? 0
                    : child.usage == 0 ? INFINITY
                                       : (child.shares * node.usage) / (shares * child.usage);
    }
    return node.usage;
  }
  void walk(std::vector<Node> level, bool tied) {
    std::stable_sort(level.begin(), level.end(), [](const Node& a, const Node& b) {
      return a.level != b.level ? a.level > b.level : a.is_user && !b.is_user;
    });
    for (std::size_t i = 0; i < level.size(); ++i) {
      if (i > 0) tied = level[i].level == level[i - 1].level;
      if (level[i].is_user) {
        if (!tied) shared = next;
        rank[level[i].name] = shared;
        --next;
        continue;
      }
      std::vector<Node> merged = level[i].children;
      for (; i + 1 < level.size() && level[i + 1].level == level[i].level; ++i) {
        merged.insert(merged.end(), level[i + 1].children.begin(), level[i + 1].children.end());
      }
      walk(merged, tied);
    }
  }
};

}  // namespace

TEST_CASE("fair tree: an underserved tenant's users come before all of an overserved one's") {
  FairTree tree({tenant("physics", "", 1, {"ada", "bob"}), tenant("biology", "", 1, {"eve"})});
  UsageLedger ledger;
  ledger.add("physics", "ada", 10, k_start, k_week);
  ledger.add("physics", "bob", 40, k_start, k_week);
  ledger.add("biology", "eve", 51, k_start, k_week);
  tree.rank(ledger);
  CHECK(tree.leaf_count() == 3);
  CHECK(tree.rank_of(tree.leaf("physics", "ada")) == 3);
  CHECK(tree.rank_of(tree.leaf("physics", "bob")) == 2);
  CHECK(tree.rank_of(tree.leaf("biology", "eve")) == 1);
  CHECK(tree.factor_ppm(tree.leaf("physics", "bob")) == 666'666);
}

TEST_CASE("fair tree: ties share a rank, and the next one is as far down as before") {
  FairTree tree({tenant("a", "", 1, {"u1", "u2"}), tenant("b", "", 1, {"u3"})});
  UsageLedger ledger;
  tree.rank(ledger);  // nobody used anything: both tenants are merged, all users are equal
  for (const char* user : {"u1", "u2"}) CHECK(tree.rank_of(tree.leaf("a", user)) == 3);
  CHECK(tree.rank_of(tree.leaf("b", "u3")) == 3);
  ledger.add("b", "u3", 5, k_start, k_week);
  tree.rank(ledger);
  CHECK(tree.rank_of(tree.leaf("a", "u1")) == 3);
  CHECK(tree.rank_of(tree.leaf("a", "u2")) == 3);
  CHECK(tree.rank_of(tree.leaf("b", "u3")) == 1);
}

TEST_CASE("fair tree: a user goes before a tenant of the same level, whose first user shares its rank") {
  FairTree tree({tenant("top", "", 1, {"solo"}), tenant("sub", "top", 1, {"x", "y"})});
  UsageLedger ledger;
  ledger.add("top", "solo", 6, k_start, k_week);
  ledger.add("sub", "x", 2, k_start, k_week);
  ledger.add("sub", "y", 4, k_start, k_week);
  tree.rank(ledger);
  CHECK(tree.rank_of(tree.leaf("top", "solo")) == 3);
  CHECK(tree.rank_of(tree.leaf("sub", "x")) == 3);
  CHECK(tree.rank_of(tree.leaf("sub", "y")) == 1);
}

TEST_CASE("fair tree: users that no tenant names, and no tenants at all") {
  FairTree tree({});
  const FairLeaf ada = tree.leaf("", "ada");
  UsageLedger ledger;
  ledger.add("", "ada", 10, k_start, k_week);
  ledger.add("", "bob", 1, k_start, k_week);
  tree.rank(ledger);  // bob is known from the ledger alone
  CHECK(tree.leaf_count() == 2);
  CHECK(tree.rank_of(ada) == 1);
  CHECK(tree.rank_of(tree.leaf("", "bob")) == 2);
  FairTree gone({tenant("a", "", 1, {"ada"})});
  ledger.add("removed", "eve", 1, k_start, k_week);
  gone.rank(ledger);
  CHECK(gone.leaf_count() == 4);
}

TEST_CASE("fair tree: no shares come last, whatever was used") {
  FairTree tree({tenant("none", "", 0, {"a"}), tenant("some", "", 1, {"b"})});
  UsageLedger ledger;
  ledger.add("some", "b", 1'000, k_start, k_week);
  tree.rank(ledger);
  CHECK(tree.rank_of(tree.leaf("some", "b")) == 2);
  CHECK(tree.rank_of(tree.leaf("none", "a")) == 1);
}

TEST_CASE("fair tree: equal to a second implementation on random trees") {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<Tenant> tenants;
    UsageLedger ledger;
    std::vector<Reference::Node> nodes;
    std::vector<int> parents;
    const int count = 1 + static_cast<int>(random() % 8);
    int users = 0;
    for (int i = 0; i < count; ++i) {
      const int parent = i > 0 && random() % 2 == 0 ? static_cast<int>(random() % static_cast<unsigned>(i)) : -1;
      Tenant t = tenant("t" + std::to_string(i), parent < 0 ? "" : "t" + std::to_string(parent), random() % 4, {});
      nodes.push_back({.shares = static_cast<double>(t.shares), .name = t.name});
      parents.push_back(parent);
      for (unsigned n = random() % 4; n > 0; --n) {
        t.users.push_back("u" + std::to_string(users++));
        const unsigned used = random() % 5;
        if (used > 0) ledger.add(t.name, t.users.back(), used, k_start, k_week);
        nodes.back().children.push_back({.usage = static_cast<double>(used), .is_user = true, .name = t.users.back()});
      }
      tenants.push_back(std::move(t));
    }
    Reference::Node root;
    for (int i = count - 1; i >= 0; --i) {
      auto& above = parents[static_cast<std::size_t>(i)] < 0
                        ? root
                        : nodes[static_cast<std::size_t>(parents[static_cast<std::size_t>(i)])];
      above.children.push_back(nodes[static_cast<std::size_t>(i)]);
    }
    Reference reference;
    reference.next = users;
    Reference::weigh(root);
    reference.walk(root.children, false);
    FairTree tree(tenants);
    tree.rank(ledger);
    for (const Tenant& t : tenants) {
      for (const std::string& user : t.users) {
        CAPTURE(user);
        CHECK(static_cast<int>(tree.rank_of(tree.leaf(t.name, user))) == reference.rank.at(user));
      }
    }
  }
}

TEST_CASE("decay: 2^x by integers is right to 1e-9") {
  long double worst = 0;
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t fraction = i < 2 ? (i == 0 ? 0 : 0xffffffffU) : static_cast<std::uint32_t>(random());
    const long double right = std::exp2(static_cast<long double>(fraction) / 4294967296.0L) * 4294967296.0L;
    worst = std::max(worst, std::fabs(static_cast<long double>(exp2_q32(fraction)) - right) / right);
  }
  CHECK(worst < 1e-9L);
  CHECK(exp2_q32(0) == 1ULL << 32);
}

TEST_CASE("decay: usage halves with each half-life, over many of them") {
  UsageLedger ledger;
  ledger.add("t", "u", 1'000'000'000, k_start, k_week);
  CHECK(ledger.decayed("t", "u", k_start, k_week) == 1'000'000'000);
  CHECK(ledger.decayed("t", "u", k_start + k_week, k_week) == 500'000'000);
  CHECK(ledger.decayed("t", "u", k_start + k_week * 200, k_week) == 0);
  CHECK(ledger.decayed("t", "nobody", k_start, k_week) == 0);
  CHECK(ledger.decayed("t", "u", k_start + k_week, Duration::infinite()) == 1'000'000'000);
}

TEST_CASE("decay: random charges over years stay within 1e-6 of the exact sum") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    UsageLedger ledger;
    long double exact = 0;
    Time now = k_start;
    for (int i = 0; i < 500; ++i) {
      const Duration step = Duration::seconds(static_cast<std::int64_t>(random() % (5 * 86'400)));
      now = now + step;
      exact *= std::exp2(-static_cast<long double>(step.ns) / static_cast<long double>(k_week.ns));
      const std::uint64_t usage = random() % 1'000'000'000'000ULL;
      exact += static_cast<long double>(usage);
      ledger.add("t", "u", usage, now, k_week);
    }
    const auto got = static_cast<long double>(ledger.decayed("t", "u", now, k_week));
    CHECK(std::fabs(got - exact) / exact < 1e-6L);
    CHECK(encode(decode<UsageLedger>(encode(ledger)).value()) == encode(ledger));
  }
}

}  // namespace virga
