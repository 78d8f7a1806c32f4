#include "brain/policy/priority_report.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "brain/policy/ranking.hpp"
#include "brain/state.hpp"

namespace virga {
namespace {

bool waits_for_its_turn(const Job& job, Time now) {
  const bool is_held = job.reason == Reason::held_user || job.reason == Reason::held_admin;
  return job.state == JobState::pending && !is_held && !job.eligible.is_never() && job.eligible <= now;
}

JobFactors factors_of(const State& state, const Job& job, Time now) {
  const PriorityFactors factors = priority_factors(state, job);
  const Duration max_age = state.config.priority.max_age;
  const Duration age = std::min(now > factors.eligible ? now - factors.eligible : Duration{}, max_age);
  return {.job = job.id,
          .age_ppm = share_ppm(static_cast<std::uint64_t>(age.ns), static_cast<std::uint64_t>(max_age.ns)),
          .fair_share_ppm = factors.fair_share_ppm,
          .size_ppm = factors.size_ppm,
          .qos_ppm = factors.qos_ppm,
          .partition_ppm = factors.partition_ppm,
          .nice = factors.nice};
}

/// The tree of tenants, with the users that they name and those that used something.
class ShareTree {
 public:
  ShareTree(const State& state, Time now) : state_(state), now_(now) {
    for (const Tenant& tenant : state.config.tenants) {
      children_[state.config.find_tenant(tenant.parent) != nullptr ? tenant.parent : ""].push_back(&tenant);
      users_[tenant.name].insert(tenant.users.begin(), tenant.users.end());
    }
    for (const auto& [tenant, users] : state.policy.usage.weights) {
      for (const auto& [user, weight] : users) {
        // What was charged to a tenant that the configuration no longer has stays in sight at the root.
        users_[state.config.find_tenant(tenant) != nullptr ? tenant : ""].insert(user);
      }
    }
  }

  std::vector<ShareRow> rows() {
    users_[""].insert("root");  // Slurm's tree has him at the top, with one share
    ShareRow root;
    root.usage = usage_below("");
    add("", std::move(root));
    return std::move(rows_);
  }

 private:
  std::uint64_t usage_of(const std::string& tenant, const std::string& user) const {
    std::uint64_t usage = 0;
    for (const auto& [charged, users] : state_.policy.usage.weights) {
      const bool is_here = charged == tenant || (tenant.empty() && state_.config.find_tenant(charged) == nullptr);
      if (!is_here || !users.contains(user)) continue;
      usage += state_.policy.usage.decayed(charged, user, now_, state_.config.priority.decay_half_life);
    }
    return usage;
  }

  std::uint64_t usage_below(const std::string& tenant) {
    std::uint64_t usage = 0;
    for (const std::string& user : users_[tenant]) usage += usage_of(tenant, user);
    for (const Tenant* child : children_[tenant]) usage += usage_below(child->name);
    return usage;
  }

  std::uint32_t factor_of(const std::string& tenant, const std::string& user) const {
    constexpr std::uint32_t k_unranked_ppm = 1'000'000;
    const auto users = state_.policy.fair_share_ppm.find(tenant);
    if (users == state_.policy.fair_share_ppm.end()) return k_unranked_ppm;
    const auto factor = users->second.find(user);
    return factor != users->second.end() ? factor->second : k_unranked_ppm;
  }

  void add(const std::string& tenant, ShareRow row) {
    const std::uint32_t depth = row.depth + 1;
    const std::uint64_t usage = row.usage;
    rows_.push_back(std::move(row));
    std::uint64_t shares = users_[tenant].size();
    for (const Tenant* child : children_[tenant]) shares += child->shares;
    for (const std::string& user : users_[tenant]) {
      rows_.push_back({tenant, user, depth, 1, shares, usage_of(tenant, user), usage, factor_of(tenant, user)});
    }
    for (const Tenant* child : children_[tenant]) {
      add(child->name, {child->name, "", depth, child->shares, shares, usage_below(child->name), usage, 0});
    }
  }

  const State& state_;
  const Time now_;
  std::map<std::string, std::vector<const Tenant*>> children_;
  std::map<std::string, std::set<std::string>> users_;
  std::vector<ShareRow> rows_;
};

}  // namespace

PriorityReport priority_report_of(const State& state, Time now) {
  PriorityReport report;
  for (const auto& [id, job] : state.jobs) {
    if (waits_for_its_turn(job, now)) report.jobs.push_back(factors_of(state, job, now));
  }
  report.shares = ShareTree(state, now).rows();
  return report;
}

}  // namespace virga
