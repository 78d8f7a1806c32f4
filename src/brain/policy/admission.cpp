#include "brain/policy/admission.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/policy/reservations.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/sched/fit.hpp"
#include "core/array.hpp"

namespace virga {

namespace {

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

template <class Named>
std::string names_of(const std::vector<Named>& all) {
  constexpr std::size_t k_most = 10;
  std::string names;
  for (std::size_t i = 0; i < all.size() && i < k_most; ++i) names += (i == 0 ? "" : ", ") + all[i].name;
  return names + (all.size() > k_most ? ", ..." : "");
}

std::optional<Error> refuse_qos(const Config& config, const JobSpec& spec) {
  if (spec.qos.empty() || config.find_qos(spec.qos) != nullptr) return std::nullopt;
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
  const Tenant* tenant = config.find_tenant(spec.account);
  if (tenant == nullptr) {
    return Error{Code::invalid,
                 fmt::format("{}: there is no tenant {}; known: {}", k_slurm, spec.account, names_of(config.tenants))};
  }
  if (!actor.is_operator && !tenant->users.empty() && !contains(tenant->users, actor.user)) {
    return Error{Code::denied, fmt::format("{}: tenant {} is not for {}", k_slurm, spec.account, actor.user)};
  }
  for (const Partition& partition : config.partitions) {
    if (partition.name != spec.partition || partition.allow_tenants.empty()) continue;
    const auto way = config.way_up(tenant->name);
    const auto is_allowed = [&](const Tenant* at) { return contains(partition.allow_tenants, at->name); };
    if (std::none_of(way.begin(), way.end(), is_allowed)) {
      return Error{Code::denied,
                   fmt::format("{}: partition {} is not for tenant {}", k_slurm, partition.name, spec.account)};
    }
  }
  return std::nullopt;
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

std::optional<Error> refuse_buying(const State& state, const JobSpec& spec) {
  const Tenant* tenant = state.config.find_tenant(spec.account);
  if (tenant == nullptr || tenant->buy != BuyPolicy::reserved_only) return std::nullopt;
  for (const std::string& name : state.find_partition(spec.partition)->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool != nullptr && pool->purchase == Purchase::reserved && can_hold(state, *pool, spec)) return std::nullopt;
  }
  return Error{Code::refused, fmt::format("Requested node configuration is not available: tenant {} has jobs on "
                                          "reserved nodes only (buy), and partition {} has none that could hold this",
                                          spec.account, spec.partition)};
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

void add_policy_defaults(const Config& config, const Actor& actor, JobSpec& spec) {
  for (const Partition& partition : config.partitions) {
    if (partition.name == spec.partition && spec.qos.empty()) spec.qos = partition.qos;
  }
  if (!spec.account.empty()) return;
  for (const Tenant& tenant : config.tenants) {
    if (!contains(tenant.users, actor.user)) continue;
    spec.account = tenant.name;
    return;
  }
}

std::optional<Error> policy_refusal(const State& state, const JobSpec& spec, const Actor& actor) {
  const Config& config = state.config;
  if (auto error = refuse_array(spec)) return error;
  if (auto error = refuse_qos(config, spec)) return error;
  if (auto error = refuse_tenant(config, spec, actor)) return error;
  if (auto error = reservation_refusal(config, spec, actor)) return error;
  if (auto error = refuse_times(state, spec)) return error;
  if (auto error = refuse_buying(state, spec)) return error;
  if (spec.nice < 0 && !actor.is_operator) {
    return Error{Code::denied, fmt::format("Access/permission denied: only operators may give --nice={}", spec.nice)};
  }
  if (auto error = state.policy.dependencies.refusal_of(spec)) return error;
  if (auto error = state.policy.limits.check_submit(limited_job(spec, actor.uid), jobs_of(spec))) return error;
  if (config.tenants.empty()) return std::nullopt;
  return Budgets::never_fits(config, spec.account, least_worst_case(state, spec));
}

}  // namespace virga
