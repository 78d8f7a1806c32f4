// Budgets of tenants that no job can break: money spent, and money that running jobs may still cost.
//
//   Budgets budgets;                                                // part of the state: visit()
//   Money worst = worst_case_price(sku.price_per_hour, spec.nodes, spec.time_limit, kill_wait, qos_percent);
//   if (auto error = budgets.never_fits(config, tenant, worst)) refuse(*error);         // at submission
//   if (auto hit = budgets.check(config, tenant, worst, now)) wait(Reason::budget, *hit);   // before start
//   budgets.commit(config, job, tenant, worst, now);                // when it is bound
//   budgets.settle(config, job, cost, now);                         // when it gives its nodes back: the rest is free
//   again
//
// A job counts at its tenant and at every tenant above. At each tenant with a budget
//   spent(period) + committed  <=  budget
// holds at every start, and stays true as long as jobs cost no more than was committed: time limits are enforced, and
// the wait between SIGTERM and SIGKILL is part of the worst case. A job is charged to the period in which it gives its
// nodes back, and its commitment counts in every period that it lives in. Periods are calendar months in UTC.
//
// From the tenant's budget_warn_percent on its owners are warned. What counts is spent and committed together, as in
// check(): so the warning comes before the refusal.
//   for (const std::string& text : budgets.warnings(config, tenant, now)) …"tenant lab has used 83 % of …"
//   commit() answers those that this commitment brought over their line; once for each line and period.
// A configuration or a price may change under a job that has its nodes but does not run yet:
//   if (auto why = budgets.overrun(config, job, now)) …give them back
//
// Each call costs O(d (log n + config.tenants)) for a tenant at depth d.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

/// The first moment of the month of `t`, UTC.
Time month_start(Time t);

/// Nothing if the time limit is infinite: such a job has no worst case. Rounded up to a millionth of a dollar.
std::optional<Money> worst_case_price(Money node_hour, std::uint32_t nodes, Duration time_limit, Duration kill_wait,
                                      std::uint32_t percent);

class Budgets {
 public:
  struct Account {
    Time period;      ///< month_start() of the last change; unset for a total budget
    Money spent;      ///< in that period
    Money committed;  ///< of jobs that hold nodes
    Money warned;     ///< the line that was crossed in that period and told of; zero: none
    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("period", s.period);
      v("spent", s.spent);
      v("committed", s.committed);
      v("warned", s.warned);
    }
  };
  struct Commitment {
    std::vector<std::string> tenants;  ///< that were charged: the job's and those above it at that time
    Money worst;
    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("tenants", s.tenants);
      v("worst", s.worst);
    }
  };

  /// Larger than a whole budget on the way up; or without a worst case where there is a budget.
  static std::optional<Error> never_fits(const Config& config, const std::string& tenant, std::optional<Money> worst);
  /// Why the job may not start now: one line with the numbers.
  std::optional<std::string> check(const Config& config, const std::string& tenant, Money worst, Time now) const;
  /// Tenants whose line this crosses for the first time in the period.
  std::vector<std::string> commit(const Config& config, JobId job, const std::string& tenant, Money worst, Time now);
  /// Nothing happens for a job that was not committed.
  void settle(const Config& config, JobId job, Money cost, Time now);

  /// Jobs that hold nodes or the promise of them, ascending.
  std::vector<JobId> committed_jobs() const;
  /// What is left to be committed; nothing where there is no budget on the way up.
  std::optional<Money> left(const Config& config, const std::string& tenant, Time now) const;
  /// One line for each budget on the way up that has reached its line.
  std::vector<std::string> warnings(const Config& config, const std::string& tenant, Time now) const;
  /// The tenant's own; nothing below its line.
  std::optional<std::string> warning_of(const Tenant& tenant, Time now) const;
  /// Why a committed job may not go on to start: more is spent and committed than a budget that it is charged to.
  std::optional<std::string> overrun(const Config& config, JobId job, Time now) const;
  Account account(const Config& config, const std::string& tenant, Time now) const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("accounts", s.accounts_);
    v("commitments", s.commitments_);
  }

 private:
  Account current(const Tenant& tenant, Time now) const;

  std::map<std::string, Account> accounts_;  ///< of all tenants that were ever charged
  std::map<JobId, Commitment> commitments_;
};

}  // namespace virga
