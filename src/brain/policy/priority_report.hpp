// What priorities are made of, for those who look: each waiting job's factors, and the tree of shares behind them.
//
//   PriorityReport report = priority_report_of(state, now);
//   for (const JobFactors& job : report.jobs) …job.fair_share_ppm…
//   for (const ShareRow& row : report.shares) …row.usage…            // a tenant before its users, depth first
//
// Factors are those that the queue is ordered by (policy/ranking.hpp); nothing is computed anew for it, so fair-share
// factors are as old as the last ranking. O(n log n) for n waiting jobs, tenants and users.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace virga {

struct State;

/// Of a job that waits and could start; factors in millionths.
struct JobFactors {
  JobId job;
  std::uint32_t age_ppm = 0;
  std::uint32_t fair_share_ppm = 0;
  std::uint32_t size_ppm = 0;
  std::uint32_t qos_ppm = 0;
  std::uint32_t partition_ppm = 0;
  std::int32_t nice = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("age_ppm", s.age_ppm);
    v("fair_share_ppm", s.fair_share_ppm);
    v("size_ppm", s.size_ppm);
    v("qos_ppm", s.qos_ppm);
    v("partition_ppm", s.partition_ppm);
    v("nice", s.nice);
  }
};

/// A tenant, or one of its users; the first row is the root above all.
struct ShareRow {
  std::string tenant;  ///< empty: the root
  std::string user;    ///< empty: the tenant itself
  std::uint32_t depth = 0;
  std::uint32_t shares = 1;
  std::uint64_t sibling_shares = 1;  ///< of all rows of this parent together
  std::uint64_t usage = 0;           ///< node-milliseconds, decayed; a tenant's is that of all below it
  std::uint64_t parent_usage = 0;
  std::uint32_t fair_share_ppm = 0;  ///< of users

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tenant", s.tenant);
    v("user", s.user);
    v("depth", s.depth);
    v("shares", s.shares);
    v("sibling_shares", s.sibling_shares);
    v("usage", s.usage);
    v("parent_usage", s.parent_usage);
    v("fair_share_ppm", s.fair_share_ppm);
  }
};

struct PriorityReport {
  std::vector<JobFactors> jobs;  ///< ascending
  std::vector<ShareRow> shares;
};

PriorityReport priority_report_of(const State& state, Time now);

}  // namespace virga
