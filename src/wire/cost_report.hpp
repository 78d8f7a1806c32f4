// What was spent on jobs and VMs in a span of time, and what of it no job used: a pure function of the accounts.
//
//   CostInput input{.now = now, .since = …, .until = now, .jobs = records, .vms = vms, .may_see_all = true};
//   CostBody body = cost_report(input, CostBy::pool);
//
// A job or VM that lies partly outside of [since, until) counts by the share of its time that lies inside; shares are
// cut so that the reports of adjoining spans add up exactly. All sums are exact to a millionth of a dollar:
//   total.job_cost = sum of the rows' job_cost,  total.vm_cost = total.job_cost + total.idle_cost
// and the same holds for each row by pool. `idle_cost` is what the VMs cost beyond what jobs are charged. `idle_time`
// is how long they were there without any job, boots and the wait before the release included. `wasted_time` is the
// part of that which was of no use to anybody: quarantine of sick VMs, and VMs that were bought for a job, or never
// came up, and were given back without any job having run on them. `wasted_cost` is the price of it, a part of
// `vm_cost`. Prices are list prices; the factor of a QOS is a matter of budgets. A record of a job holds what all of
// its incarnations so far have cost. O(n log n) for n records.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "base/time.hpp"
#include "core/job.hpp"
#include "core/vm.hpp"

namespace virga {

/// What a row of the report is about.
enum class CostBy : std::uint8_t { tenant, user, job, pool };
template <>
struct EnumNames<CostBy> {
  static constexpr std::string_view names[] = {"tenant", "user", "job", "pool"};
};

struct CostInput {
  Time now;
  Time since;                    ///< unset: from the first record on
  Time until = Time::never();    ///< cut to `now`
  std::vector<Job> jobs;         ///< each incarnation that is known; `cost` of a living one: up to now
  std::vector<bool> is_visible;  ///< by the place in `jobs`: whether it may have part in a row
  std::vector<VmRecord> vms;     ///< a living one has no `released`, and its cost up to now
  bool may_see_all = true;       ///< else nothing is said of VMs, from which others' use could be told
};

struct CostRow {
  std::string name;
  std::uint64_t jobs = 0;  ///< that used nodes in the span
  Money job_cost;
  Duration node_time;     ///< nodes that jobs held, times how long
  std::uint64_t vms = 0;  ///< by pool and in the total, as all that follows
  Money vm_cost;
  Duration vm_time;
  Money idle_cost;
  Duration idle_time;
  Money wasted_cost;
  Duration wasted_time;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("jobs", s.jobs);
    v("job_cost", s.job_cost);
    v("node_seconds", s.node_time);
    v("vms", s.vms);
    v("vm_cost", s.vm_cost);
    v("vm_seconds", s.vm_time);
    v("idle_cost", s.idle_cost);
    v("idle_seconds", s.idle_time);
    v("wasted_cost", s.wasted_cost);
    v("wasted_seconds", s.wasted_time);
  }
};

struct CostBody {
  Time now;
  Time since;
  Time until;
  CostBy by = CostBy::tenant;
  bool all_jobs = true;       ///< false: only the asker's own jobs, and no VMs
  std::vector<CostRow> rows;  ///< by job in the order of ids, else by name
  CostRow total;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("since", s.since);
    v("until", s.until);
    v("by", s.by);
    v("all_jobs", s.all_jobs);
    v("rows", s.rows);
    v("total", s.total);
  }
};

CostBody cost_report(const CostInput& input, CostBy by);

/// The amounts in cents, rounded so that they add up to their rounded sum.
std::vector<std::int64_t> whole_cents(const std::vector<Money>& amounts);

}  // namespace virga
