#include "brain/policy/preemption.hpp"

#include <algorithm>
#include <tuple>

namespace virga {

namespace {

__extension__ using Int = __int128;

constexpr int k_rounds_max = 16;      ///< of improvement
constexpr std::size_t k_window = 64;  ///< candidates that an improvement looks at

struct Candidate {
  const Victim* victim = nullptr;
  Int lost = 0;  ///< micro-dollar nanoseconds per hour: exact, and never divided
  Int age = 0;   ///< node nanoseconds since the start
};

/// What one set of victims is worth; the smaller, the better.
struct Worth {
  Int lost = 0;
  std::int64_t leaves = 0;  ///< minus the whole leaves that become free
  Int age = 0;
  std::vector<JobId> jobs;  ///< ascending

  friend bool operator<(const Worth& a, const Worth& b) {
    if (a.lost != b.lost) return a.lost < b.lost;
    if (a.leaves != b.leaves) return a.leaves < b.leaves;
    if (a.age != b.age) return a.age < b.age;
    if (a.jobs.size() != b.jobs.size()) return a.jobs.size() < b.jobs.size();
    return a.jobs < b.jobs;
  }
};

using Set = std::vector<std::size_t>;  ///< indices of candidates

class Search {
 public:
  Search(const std::vector<Victim>& victims, const PreemptionQuery& query)
      : query_(query), need_(query.nodes > query.free ? query.nodes - query.free : 0) {
    for (const Victim& victim : victims) {
      if (victim.nodes == 0) continue;
      const Duration since = query.now - std::max(victim.started, victim.checkpoint);
      const Duration age = query.now - victim.started;
      candidates_.push_back(
          {&victim, Int{since.ns} * victim.nodes * victim.price_per_node_hour.micro_usd, Int{age.ns} * victim.nodes});
    }
    // The cheapest useful node first; a total order, so that the outcome is the same everywhere.
    std::sort(candidates_.begin(), candidates_.end(), [&](const Candidate& a, const Candidate& b) {
      const Int left = a.lost * useful(b);
      const Int right = b.lost * useful(a);
      return left != right ? left < right : std::tuple(a.age, a.victim->job) < std::tuple(b.age, b.victim->job);
    });
  }

  bool is_possible() const {
    std::uint64_t sum = 0;
    for (const Candidate& c : candidates_) sum += c.victim->nodes;
    return sum >= need_;
  }
  Set best() {
    if (need_ == 0) return {};
    return candidates_.size() <= k_exact_max ? exact() : greedy();
  }
  Worth worth(const Set& set) const {
    Worth result;
    std::vector<std::uint32_t> freed(query_.leaves.size(), 0);
    for (std::size_t i : set) {
      result.lost += candidates_[i].lost;
      result.age += candidates_[i].age;
      result.jobs.push_back(candidates_[i].victim->job);
      for (const LeafNodes& on : candidates_[i].victim->leaves) {
        if (on.leaf < freed.size()) freed[on.leaf] += on.nodes;
      }
    }
    for (std::size_t leaf = 0; leaf < freed.size(); ++leaf) {
      const LeafRoom& room = query_.leaves[leaf];
      if (freed[leaf] > 0 && room.free + freed[leaf] >= room.nodes) --result.leaves;
    }
    std::sort(result.jobs.begin(), result.jobs.end());
    return result;
  }
  const Victim& victim(std::size_t i) const { return *candidates_[i].victim; }

 private:
  /// Nodes beyond the need are worth nothing.
  Int useful(const Candidate& c) const { return std::min<std::uint32_t>(c.victim->nodes, std::max(need_, 1U)); }
  std::uint64_t nodes_of(const Set& set) const {
    std::uint64_t sum = 0;
    for (std::size_t i : set) sum += candidates_[i].victim->nodes;
    return sum;
  }

  Set exact() const {
    Set best;
    Worth best_worth;
    std::vector<std::uint64_t> rest(candidates_.size() + 1, 0);  // nodes from candidate i on
    for (std::size_t i = candidates_.size(); i-- > 0;) rest[i] = rest[i + 1] + candidates_[i].victim->nodes;
    Set chosen;
    const auto visit = [&](auto&& self, std::size_t i, std::uint64_t nodes, Int lost) -> void {
      if (!best.empty() && lost > best_worth.lost) return;
      if (nodes >= need_) {
        if (!is_needful(chosen, nodes)) return;
        Worth found = worth(chosen);
        if (best.empty() || found < best_worth) {
          best = chosen;
          best_worth = std::move(found);
        }
        return;
      }
      if (nodes + rest[i] < need_) return;
      chosen.push_back(i);
      self(self, i + 1, nodes + candidates_[i].victim->nodes, lost + candidates_[i].lost);
      chosen.pop_back();
      self(self, i + 1, nodes, lost);
    };
    visit(visit, 0, 0, 0);
    return best;
  }

  /// Without any of them the rest would not do.
  bool is_needful(const Set& set, std::uint64_t nodes) const {
    return std::all_of(set.begin(), set.end(),
                       [&](std::size_t i) { return nodes - candidates_[i].victim->nodes < need_; });
  }

  /// Drops what is not needed, the most costly first.
  void drop_needless(Set& set) const {
    std::sort(set.begin(), set.end(), [&](std::size_t a, std::size_t b) {
      return candidates_[a].lost != candidates_[b].lost ? candidates_[a].lost > candidates_[b].lost : a < b;
    });
    std::uint64_t nodes = nodes_of(set);
    for (std::size_t k = 0; k < set.size();) {
      const std::uint32_t own = candidates_[set[k]].victim->nodes;
      if (nodes - own < need_) {
        ++k;
        continue;
      }
      nodes -= own;
      set.erase(set.begin() + static_cast<std::ptrdiff_t>(k));
    }
  }

  Set greedy() const {
    Set set;
    std::uint64_t nodes = 0;
    for (std::size_t i = 0; i < candidates_.size() && nodes < need_; ++i) {
      set.push_back(i);
      nodes += candidates_[i].victim->nodes;
    }
    drop_needless(set);
    Worth best = worth(set);
    for (int round = 0; round < k_rounds_max && improve(set, best); ++round) {
    }
    return set;
  }

  /// The first exchange of one victim that makes the set better: for another one, or for two that together free enough.
  bool improve(Set& set, Worth& best) const {
    Set others;
    for (std::size_t i = 0; i < candidates_.size() && others.size() < k_window; ++i) {
      if (std::find(set.begin(), set.end(), i) == set.end()) others.push_back(i);
    }
    for (std::size_t out : set) {
      Set base;
      for (std::size_t i : set) {
        if (i != out) base.push_back(i);
      }
      const std::uint64_t base_nodes = nodes_of(base);
      for (std::size_t in : others) {
        Set tried = base;
        tried.push_back(in);
        std::uint64_t nodes = base_nodes + candidates_[in].victim->nodes;
        for (std::size_t k = 0; nodes < need_ && k < others.size(); ++k) {
          const std::uint32_t more = candidates_[others[k]].victim->nodes;
          if (others[k] == in || nodes + more < need_) continue;
          tried.push_back(others[k]);
          nodes += more;
        }
        if (nodes < need_) continue;
        drop_needless(tried);
        Worth found = worth(tried);
        if (!(found < best)) continue;
        set = std::move(tried);
        best = std::move(found);
        return true;
      }
    }
    return false;
  }

  const PreemptionQuery& query_;
  std::uint32_t need_;
  std::vector<Candidate> candidates_;
};

}  // namespace

PreemptionPlan choose_victims(const std::vector<Victim>& candidates, const PreemptionQuery& query) {
  Search search(candidates, query);
  PreemptionPlan plan;
  if (!search.is_possible()) return plan;
  plan.possible = true;
  const Set chosen = search.best();
  Int lost_ns = 0;
  Int lost_money = 0;
  for (std::size_t i : chosen) {
    const Victim& victim = search.victim(i);
    const Int since = (query.now - std::max(victim.started, victim.checkpoint)).ns;
    lost_ns += since * victim.nodes;
    lost_money += since * victim.nodes * victim.price_per_node_hour.micro_usd;
  }
  Worth worth = search.worth(chosen);
  plan.victims = std::move(worth.jobs);
  plan.whole_leaves = static_cast<std::uint32_t>(-worth.leaves);
  plan.lost_node_seconds = static_cast<std::int64_t>(lost_ns / 1'000'000'000);
  plan.lost = {static_cast<std::int64_t>(lost_money / (Int{3'600} * 1'000'000'000))};
  return plan;
}

bool may_preempt(const Config& config, const std::string& qos, const std::string& victim) {
  const Qos* known = config.find_qos(qos);
  return known != nullptr && std::find(known->preempt.begin(), known->preempt.end(), victim) != known->preempt.end();
}

}  // namespace virga
