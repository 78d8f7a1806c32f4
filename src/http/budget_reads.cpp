#include "http/budget_reads.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace virga {

std::vector<const Tenant*> budgets_for(const Config& config, const Actor& actor) {
  std::set<std::string> his;
  for (const Tenant& tenant : config.tenants) {
    const auto& users = tenant.users;
    const bool may_charge = users.empty() || std::find(users.begin(), users.end(), actor.user) != users.end();
    if (!actor.is_operator && !may_charge) continue;
    for (const Tenant* above : config.way_up(tenant.name)) his.insert(above->name);
  }
  std::vector<const Tenant*> budgets;
  for (const Tenant& tenant : config.tenants) {
    if (tenant.budget_period != BudgetPeriod::none && his.contains(tenant.name)) budgets.push_back(&tenant);
  }
  return budgets;
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
