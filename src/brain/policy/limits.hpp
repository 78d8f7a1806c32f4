// How much users and tenants have in hand, against what QOS and tenants allow.
//
//   Limits limits(config);                                         // anew when the configuration changes
//   LimitedJob job = limited_job(job.spec, job.owner.uid);           // names the counters that the job touches
//   if (auto hit = limits.check_submit(job, 1)) refuse(*hit);      // max_submit_per_user, max_wall, what never fits
//   limits.add_queued(job);                                        // submitted; remove_queued() at its end
//   if (auto hit = limits.check_start(job)) wait(hit->reason, hit->detail);
//   limits.add_running(job);                                       // bound to nodes; remove_running() when it loses
//   them
//
// A tenant's limits hold for its jobs and those of all tenants below it, so a job counts at its tenant and every one
// above. Licences are counted over all jobs. Counters are derived from the jobs: after a restart they are counted anew.
// Each call costs O(d log n) for a tenant at depth d. Slurm's words for the reasons: QOSMaxJobsPerUserLimit,
// QOSMaxNodePerUserLimit, AssocGrpNodeLimit, AssocGrpGRES, Licenses.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

/// What of a job the limits look at; its texts are the spec's. An empty or unknown QOS or tenant limits nothing.
struct LimitedJob {
  std::string_view qos;
  std::string_view tenant;
  std::uint32_t uid = 0;
  std::uint32_t nodes = 0;
  std::uint32_t gpus = 0;  ///< over all nodes
  Duration time_limit = Duration::infinite();
  std::span<const License> licenses = {};
};
LimitedJob limited_job(const JobSpec& spec, std::uint32_t uid);

struct LimitHit {
  Reason reason = Reason::qos_limit;
  std::string detail;  ///< one line with the numbers
};

class Limits {
 public:
  Limits() = default;
  explicit Limits(const Config& config);

  /// Why `count` such jobs (an array's tasks) may not be submitted now.
  std::optional<Error> check_submit(const LimitedJob& job, std::uint32_t count) const;
  std::optional<LimitHit> check_start(const LimitedJob& job) const;

  void add_queued(const LimitedJob& job);
  void remove_queued(const LimitedJob& job);
  void add_running(const LimitedJob& job);
  void remove_running(const LimitedJob& job);

 private:
  struct UserCount {
    std::uint64_t jobs = 0;
    std::uint64_t nodes = 0;
    std::uint64_t submitted = 0;
  };
  struct TenantCount {
    std::string parent;
    std::uint32_t max_nodes = 0;
    std::uint32_t max_gpus = 0;
    std::uint64_t nodes = 0;
    std::uint64_t gpus = 0;
  };
  struct QosCount {
    Qos qos;
    std::map<std::uint32_t, UserCount> users;  ///< by uid; only where not zero

    UserCount count_of(std::uint32_t uid) const {
      const auto user = users.find(uid);
      return user != users.end() ? user->second : UserCount{};
    }
  };
  struct LicenseCount {
    std::uint32_t all = 0;
    std::uint64_t used = 0;
  };
  template <class Change>
  void count_user(const LimitedJob& job, Change change);

  std::map<std::string, QosCount, std::less<>> qos_;
  std::map<std::string, TenantCount, std::less<>> tenants_;
  std::map<std::string, LicenseCount, std::less<>> licenses_;
};

}  // namespace virga
