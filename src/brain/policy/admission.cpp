#include "brain/policy/admission.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/policy/reservations.hpp"
#include "core/array.hpp"

namespace virga {

namespace {

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const Tenant* find_tenant(const Config& config, const std::string& name) {
  for (const Tenant& tenant : config.tenants) {
    if (tenant.name == name) return &tenant;
  }
  return nullptr;
}

template <class Named>
std::string names_of(const std::vector<Named>& all) {
  constexpr std::size_t k_most = 10;
  std::string names;
  for (std::size_t i = 0; i < all.size() && i < k_most; ++i) names += (i == 0 ? "" : ", ") + all[i].name;
  return names + (all.size() > k_most ? ", ..." : "");
}

std::optional<Error> refuse_qos(const Config& config, const JobSpec& spec) {
  if (spec.qos.empty()) return std::nullopt;
  for (const Qos& qos : config.qos) {
    if (qos.name == spec.qos) return std::nullopt;
  }
  return Error{Code::invalid,
               fmt::format("Invalid qos specification: there is no QOS {}; {}", spec.qos,
                           config.qos.empty() ? "the configuration has none" : "known: " + names_of(config.qos))};
}

std::optional<Error> refuse_tenant(const Config& config, const JobSpec& spec, const Actor& actor) {
  constexpr std::string_view k_slurm = "Invalid account or account/partition combination specified";
  if (config.tenants.empty()) return std::nullopt;
  if (spec.account.empty()) {
    return Error{Code::invalid, fmt::format("{}: no tenant lists {}; give --account", k_slurm, actor.user)};
  }
  const Tenant* tenant = find_tenant(config, spec.account);
  if (tenant == nullptr) {
    return Error{Code::invalid,
                 fmt::format("{}: there is no tenant {}; known: {}", k_slurm, spec.account, names_of(config.tenants))};
  }
  if (!actor.is_operator && !tenant->users.empty() && !contains(tenant->users, actor.user)) {
    return Error{Code::denied, fmt::format("{}: tenant {} is not for {}", k_slurm, spec.account, actor.user)};
  }
  for (const Partition& partition : config.partitions) {
    if (partition.name != spec.partition || partition.allow_tenants.empty()) continue;
    bool allowed = false;
    std::size_t steps = 0;
    for (const Tenant* at = tenant; at != nullptr && steps++ <= config.tenants.size();
         at = find_tenant(config, at->parent)) {
      allowed = allowed || contains(partition.allow_tenants, at->name);
    }
    if (!allowed) {
      return Error{Code::denied,
                   fmt::format("{}: partition {} is not for tenant {}", k_slurm, partition.name, spec.account)};
    }
  }
  return std::nullopt;
}

/// The least that the job may cost to its time limit: on the pool where it is cheapest, as whole nodes.
std::optional<Money> least_worst_case(const State& state, const JobSpec& spec) {
  const Partition* partition = state.find_partition(spec.partition);
  std::uint32_t percent = 100;
  for (const Qos& qos : state.config.qos) {
    if (qos.name == spec.qos) percent = qos.price_factor_percent;
  }
  std::optional<Money> least;
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr || spec.nodes > pool->max_nodes) continue;
    if (!spec.exclusive && !spec.per_node.fits_in(pool->sku.resources)) continue;
    const std::optional<Money> price =
        worst_case_price(pool->sku.price_per_hour, spec.nodes, spec.time_limit, state.config.kill_wait, percent);
    if (!price) return std::nullopt;
    least = least ? std::min(*least, *price) : *price;
  }
  return least ? *least : Money{};
}

std::optional<Error> refuse_times(const State& state, const JobSpec& spec) {
  if (!spec.deadline.is_set()) return std::nullopt;
  if (spec.time_limit.is_infinite()) {
    return Error{Code::invalid,
                 "Requested deadline is invalid: it needs a time limit, so that the job can be started in "
                 "time; give --time"};
  }
  const Time start = std::max(state.now, spec.begin);
  if (start + spec.time_limit > spec.deadline) {
    return Error{Code::refused,
                 fmt::format("Requested deadline is invalid: it is {} minutes after the job can start, and "
                             "its time limit is {} minutes",
                             (spec.deadline - start).whole_seconds() / 60, spec.time_limit.whole_seconds() / 60)};
  }
  return std::nullopt;
}

std::optional<Error> refuse_array(const JobSpec& spec) {
  if (spec.array.tasks.empty()) return std::nullopt;
  if (spec.kind != JobKind::batch) return Error{Code::invalid, "Invalid job array specification: only batch jobs"};
  if (const char* mistake = array_mistake(spec.array)) {
    return Error{Code::invalid, std::string("Invalid job array specification: ") + mistake};
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t jobs_of(const JobSpec& spec) { return spec.array.tasks.empty() ? 1 : array_task_count(spec.array); }

JobSpec with_policy_defaults(const Config& config, JobSpec spec, const Actor& actor) {
  for (const Partition& partition : config.partitions) {
    if (partition.name == spec.partition && spec.qos.empty()) spec.qos = partition.qos;
  }
  if (!spec.account.empty()) return spec;
  for (const Tenant& tenant : config.tenants) {
    if (contains(tenant.users, actor.user)) {
      spec.account = tenant.name;
      return spec;
    }
  }
  return spec;
}

std::optional<Error> policy_refusal(const State& state, const JobSpec& spec, const Actor& actor) {
  const Config& config = state.config;
  if (auto error = refuse_array(spec)) return error;
  if (auto error = refuse_qos(config, spec)) return error;
  if (auto error = refuse_tenant(config, spec, actor)) return error;
  if (auto error = reservation_refusal(config, spec, actor)) return error;
  if (auto error = refuse_times(state, spec)) return error;
  if (spec.nice < 0 && !actor.is_operator) {
    return Error{Code::denied, fmt::format("Access/permission denied: only operators may give --nice={}", spec.nice)};
  }
  if (auto error = state.policy.dependencies.refusal_of(spec)) return error;
  if (auto error = state.policy.limits.check_submit(limited_job(spec, actor.uid), jobs_of(spec))) return error;
  return Budgets::never_fits(config, spec.account, least_worst_case(state, spec));
}

}  // namespace virga
