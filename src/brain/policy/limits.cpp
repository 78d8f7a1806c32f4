#include "brain/policy/limits.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace virga {

LimitedJob limited_job(const JobSpec& spec, std::uint32_t uid) {
  return {spec.qos, spec.account, uid, spec.nodes, spec.nodes * spec.per_node.gpus, spec.time_limit, spec.licenses};
}

Limits::Limits(const Config& config) {
  for (const Qos& qos : config.qos) qos_.emplace(qos.name, QosCount{qos, {}});
  for (const Tenant& tenant : config.tenants) {
    tenants_.emplace(tenant.name, TenantCount{tenant.parent, tenant.max_nodes, tenant.max_gpus});
  }
  for (const License& license : config.licenses) licenses_.emplace(license.name, LicenseCount{license.count, 0});
}

/// Changes what is counted of the job's user in its QOS, where that is one.
template <class Change>
void Limits::count_user(const LimitedJob& job, Change change) {
  const auto qos = qos_.find(job.qos);
  if (qos == qos_.end()) return;
  auto& users = qos->second.users;
  const auto user = users.try_emplace(job.uid).first;
  UserCount& count = user->second;
  change(count);
  if (count.jobs == 0 && count.nodes == 0 && count.submitted == 0) users.erase(user);
}

std::optional<Error> Limits::check_submit(const LimitedJob& job, std::uint32_t count) const {
  const auto refuse = [](std::string message) { return Error{Code::refused, std::move(message)}; };
  if (const auto found = qos_.find(job.qos); found != qos_.end()) {
    const Qos& qos = found->second.qos;
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
    const std::uint64_t submitted = found->second.count_of(job.uid).submitted;
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
  for (const License& license : job.licenses) {
    const auto known = licenses_.find(license.name);
    if (known == licenses_.end()) {
      return Error{Code::invalid, fmt::format("Invalid license specification: there is no licence {}", license.name)};
    }
    if (license.count > known->second.all) {
      return Error{Code::invalid, fmt::format("Invalid license specification: {} of {} asked for, there are {}",
                                              license.count, license.name, known->second.all)};
    }
  }
  return std::nullopt;
}

std::optional<LimitHit> Limits::check_start(const LimitedJob& job) const {
  if (const auto found = qos_.find(job.qos); found != qos_.end()) {
    const Qos& qos = found->second.qos;
    const UserCount count = found->second.count_of(job.uid);
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
  for (const License& license : job.licenses) {
    const auto known = licenses_.find(license.name);
    const LicenseCount count = known != licenses_.end() ? known->second : LicenseCount{};
    if (count.used + license.count > count.all) {
      return LimitHit{Reason::licenses, fmt::format("{} of {} licences {} are in use, {} are needed", count.used,
                                                    count.all, license.name, license.count)};
    }
  }
  return std::nullopt;
}

void Limits::add_queued(const LimitedJob& job) {
  count_user(job, [](UserCount& count) { ++count.submitted; });
}

void Limits::remove_queued(const LimitedJob& job) {
  count_user(job, [](UserCount& count) {
    VIRGA_ASSERT(count.submitted > 0, "a job is counted before it ends");
    --count.submitted;
  });
}

void Limits::add_running(const LimitedJob& job) {
  count_user(job, [&](UserCount& count) {
    ++count.jobs;
    count.nodes += job.nodes;
  });
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    at->second.nodes += job.nodes;
    at->second.gpus += job.gpus;
  }
  for (const License& license : job.licenses) licenses_[license.name].used += license.count;
}

void Limits::remove_running(const LimitedJob& job) {
  count_user(job, [&](UserCount& count) {
    VIRGA_ASSERT(count.jobs > 0 && count.nodes >= job.nodes, "a job is counted before it gives its nodes back");
    --count.jobs;
    count.nodes -= job.nodes;
  });
  for (auto at = tenants_.find(job.tenant); at != tenants_.end(); at = tenants_.find(at->second.parent)) {
    VIRGA_ASSERT(at->second.nodes >= job.nodes && at->second.gpus >= job.gpus, "a tenant has what its jobs have");
    at->second.nodes -= job.nodes;
    at->second.gpus -= job.gpus;
  }
  for (const License& license : job.licenses) {
    LicenseCount& count = licenses_[license.name];
    VIRGA_ASSERT(count.used >= license.count, "a licence is taken before it is given back");
    count.used -= license.count;
  }
}

}  // namespace virga
