#include "brain/policy/limits.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace virga {

LimitedJob limited_job(const JobSpec& spec, std::uint32_t uid) {
  return {spec.qos, spec.account, uid, spec.nodes, spec.nodes * spec.per_node.gpus, spec.time_limit};
}

Limits::Limits(const Config& config) {
  for (const Qos& qos : config.qos) qos_.emplace(qos.name, qos);
  for (const Tenant& tenant : config.tenants) {
    tenants_.emplace(tenant.name, TenantCount{tenant.parent, tenant.max_nodes, tenant.max_gpus});
  }
}

Limits::UserCount Limits::known_count(const LimitedJob& job) const {
  const auto known = users_.find({job.qos, job.uid});
  return known != users_.end() ? known->second : UserCount{};
}

std::optional<Error> Limits::check_submit(const LimitedJob& job, std::uint32_t count) const {
  const auto refuse = [](std::string message) { return Error{Code::refused, std::move(message)}; };
  if (const auto found = qos_.find(job.qos); found != qos_.end()) {
    const Qos& qos = found->second;
    if (job.time_limit > qos.max_wall) {
      return refuse(
          fmt::format("Requested time limit is invalid (missing or exceeds some limit): QOS {} allows {} "
                      "minutes",
                      qos.name, qos.max_wall.whole_seconds() / 60));
    }
    if (qos.max_nodes_per_user != 0 && job.nodes > qos.max_nodes_per_user) {
      return refuse(fmt::format("Job violates accounting/QOS policy: {} nodes asked for, QOS {} allows a user {}",
                                job.nodes, qos.name, qos.max_nodes_per_user));
    }
    const std::uint64_t submitted = known_count(job).submitted;
    if (qos.max_submit_per_user != 0 && submitted + count > qos.max_submit_per_user) {
      return Error{
          Code::exhausted,
          fmt::format("Job violates accounting/QOS policy: {} jobs asked for and {} submitted, QOS {} allows a "
                      "user {}",
                      count, submitted, qos.name, qos.max_submit_per_user),
          submitted > 0};
    }
  }
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    const TenantCount& tenant = at->second;
    if (tenant.max_nodes != 0 && job.nodes > tenant.max_nodes) {
      return refuse(fmt::format("Job violates accounting/QOS policy: {} nodes asked for, tenant {} may have {}",
                                job.nodes, at->first, tenant.max_nodes));
    }
    if (tenant.max_gpus != 0 && job.gpus > tenant.max_gpus) {
      return refuse(fmt::format("Job violates accounting/QOS policy: {} GPUs asked for, tenant {} may have {}",
                                job.gpus, at->first, tenant.max_gpus));
    }
  }
  return std::nullopt;
}

std::optional<LimitHit> Limits::check_start(const LimitedJob& job) const {
  if (const auto found = qos_.find(job.qos); found != qos_.end()) {
    const Qos& qos = found->second;
    const UserCount count = known_count(job);
    if (qos.max_jobs_per_user != 0 && count.jobs + 1 > qos.max_jobs_per_user) {
      return LimitHit{Reason::qos_limit, fmt::format("{} jobs of the user run, QOS {} allows {}", count.jobs, qos.name,
                                                     qos.max_jobs_per_user)};
    }
    if (qos.max_nodes_per_user != 0 && count.nodes + job.nodes > qos.max_nodes_per_user) {
      return LimitHit{Reason::qos_node_limit, fmt::format("the user has {} nodes and wants {} more, QOS {} allows {}",
                                                          count.nodes, job.nodes, qos.name, qos.max_nodes_per_user)};
    }
  }
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    const TenantCount& tenant = at->second;
    if (tenant.max_nodes != 0 && tenant.nodes + job.nodes > tenant.max_nodes) {
      return LimitHit{Reason::tenant_limit, fmt::format("tenant {} has {} nodes and wants {} more, its limit is {}",
                                                        at->first, tenant.nodes, job.nodes, tenant.max_nodes)};
    }
    if (tenant.max_gpus != 0 && tenant.gpus + job.gpus > tenant.max_gpus) {
      return LimitHit{Reason::tenant_gpu_limit, fmt::format("tenant {} has {} GPUs and wants {} more, its limit is {}",
                                                            at->first, tenant.gpus, job.gpus, tenant.max_gpus)};
    }
  }
  return std::nullopt;
}

Limits::UserCount& Limits::user_count(const LimitedJob& job) { return users_[{job.qos, job.uid}]; }

void Limits::drop_if_zero(const LimitedJob& job) {
  const auto known = users_.find({job.qos, job.uid});
  const UserCount& count = known->second;
  if (count.jobs == 0 && count.nodes == 0 && count.submitted == 0) users_.erase(known);
}

void Limits::add_queued(const LimitedJob& job) { ++user_count(job).submitted; }

void Limits::remove_queued(const LimitedJob& job) {
  UserCount& count = user_count(job);
  VIRGA_ASSERT(count.submitted > 0, "a job is counted before it ends");
  --count.submitted;
  drop_if_zero(job);
}

void Limits::add_running(const LimitedJob& job) {
  UserCount& count = user_count(job);
  ++count.jobs;
  count.nodes += job.nodes;
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    at->second.nodes += job.nodes;
    at->second.gpus += job.gpus;
  }
}

void Limits::remove_running(const LimitedJob& job) {
  UserCount& count = user_count(job);
  VIRGA_ASSERT(count.jobs > 0 && count.nodes >= job.nodes, "a job is counted before it gives its nodes back");
  --count.jobs;
  count.nodes -= job.nodes;
  drop_if_zero(job);
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    VIRGA_ASSERT(at->second.nodes >= job.nodes && at->second.gpus >= job.gpus, "a tenant has what its jobs have");
    at->second.nodes -= job.nodes;
    at->second.gpus -= job.gpus;
  }
}

}  // namespace virga
