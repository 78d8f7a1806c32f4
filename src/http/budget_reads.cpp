#include "http/budget_reads.hpp"

#include <algorithm>
#include <set>

namespace virga {

std::vector<const Tenant*> budgets_above(const Config& config, const std::string& tenant) {
  std::vector<const Tenant*> way;
  std::size_t steps = 0;
  for (const Tenant* at = config.find_tenant(tenant); at != nullptr && steps <= config.tenants.size(); ++steps) {
    if (at->budget_period != BudgetPeriod::none) way.push_back(at);
    at = config.find_tenant(at->parent);
  }
  return way;
}

std::vector<const Tenant*> budgets_for(const Config& config, const Actor& actor) {
  std::set<const Tenant*> his;
  for (const Tenant& tenant : config.tenants) {
    const auto& users = tenant.users;
    const bool may_charge = users.empty() || std::find(users.begin(), users.end(), actor.user) != users.end();
    if (!actor.is_operator && !may_charge) continue;
    for (const Tenant* budget : budgets_above(config, tenant.name)) his.insert(budget);
  }
  // They lie in one vector, so their addresses are in its order.
  return {his.begin(), his.end()};
}

BudgetStatus budget_status(const State& state, const Tenant& tenant, Time now) {
  const Budgets::Account account = state.policy.budgets.account(state.config, tenant.name, now);
  return {tenant.name,
          tenant.budget_period,
          tenant.budget,
          account.spent,
          account.committed,
          tenant.budget_warn_percent,
          state.policy.budgets.warning_of(tenant, now).value_or("")};
}

}  // namespace virga
