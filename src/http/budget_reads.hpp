// Budgets for somebody: what he may see of them, and how they stand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "brain/brain.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

/// Those of tenants that he may charge and of the tenants above, or all if he is an operator; in the configuration's
/// order.
std::vector<const Tenant*> budgets_for(const Config& config, const Actor& actor);
BudgetStatus budget_status(const State& state, const Tenant& tenant, Time now);

}  // namespace virga
