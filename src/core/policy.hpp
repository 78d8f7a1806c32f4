// Who may use how much of the supercomputer, and who comes first: the words of the configuration's policy.
//
//   Qos urgent{.name = "urgent", .priority = 1'000, .preempt = {"normal"}};
//   Tenant physics{.name = "physics", .parent = "science", .shares = 3, .users = {"ada"}};
//   config.priority.fair_share = 100'000;          // weights are points of priority at a factor of 1
//
// A limit of 0 is no limit. Money is in base/money.hpp's units, prices without "hour" in their name are sums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

namespace virga {

/// [scheduler] backfill
enum class BackfillMode : std::uint8_t {
  easy,          ///< the first job that waits has a promise; others may overtake if they do not break it
  conservative,  ///< every job that waits has a promise
  none,          ///< nobody overtakes
};
template <>
struct EnumNames<BackfillMode> {
  static constexpr std::string_view names[] = {"easy", "conservative", "none"};
};

/// [scheduler] policy
enum class OrderPolicy : std::uint8_t {
  fifo,         ///< first come, first served
  multifactor,  ///< by priority
  due,          ///< short jobs before long ones, up to an age
};
template <>
struct EnumNames<OrderPolicy> {
  static constexpr std::string_view names[] = {"fifo", "multifactor", "due"};
};

struct SchedulerPolicy {
  BackfillMode backfill = BackfillMode::easy;
  OrderPolicy policy = OrderPolicy::fifo;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("backfill", s.backfill);
    v("policy", s.policy);
  }
};

/// [priority]: the points that a factor of 1 is worth (brain/policy/priority.hpp).
struct PriorityWeights {
  std::uint32_t age = 1'000;
  std::uint32_t fair_share = 10'000;
  std::uint32_t size = 0;
  std::uint32_t qos = 10'000;
  std::uint32_t partition = 1'000;
  Duration max_age = Duration::minutes(7 * 24 * 60);          ///< the age factor is 1 from here on
  Duration decay_half_life = Duration::minutes(7 * 24 * 60);  ///< infinite: usage never decays

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("age", s.age);
    v("fair_share", s.fair_share);
    v("size", s.size);
    v("qos", s.qos);
    v("partition", s.partition);
    v("max_age", s.max_age);
    v("decay_half_life", s.decay_half_life);
  }
};

enum class PreemptMode : std::uint8_t { requeue, cancel };
template <>
struct EnumNames<PreemptMode> {
  static constexpr std::string_view names[] = {"requeue", "cancel"};
};

/// [qos.NAME]: a quality of service, which a job names with --qos.
struct Qos {
  std::string name;
  std::uint32_t priority = 0;
  std::uint32_t max_jobs_per_user = 0;    ///< that hold nodes
  std::uint32_t max_nodes_per_user = 0;   ///< of those jobs together
  std::uint32_t max_submit_per_user = 0;  ///< that wait or hold nodes
  Duration max_wall = Duration::infinite();
  std::vector<std::string> preempt = {};  ///< QOS whose jobs may be ended for one of this
  Duration grace_time = {};               ///< between SIGTERM and SIGKILL of a job of this QOS that is preempted
  PreemptMode preempt_mode = PreemptMode::requeue;  ///< what becomes of such a job
  std::uint32_t price_factor_percent = 100;         ///< of the list price, in budgets and accounts

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("priority", s.priority);
    v("max_jobs_per_user", s.max_jobs_per_user);
    v("max_nodes_per_user", s.max_nodes_per_user);
    v("max_submit_per_user", s.max_submit_per_user);
    v("max_wall", s.max_wall);
    v("preempt", s.preempt);
    v("grace_time", s.grace_time);
    v("preempt_mode", s.preempt_mode);
    v("price_factor_percent", s.price_factor_percent);
  }
};

enum class BudgetPeriod : std::uint8_t {
  none,   ///< no budget: no limit
  month,  ///< anew on the first of each month, UTC
  total,  ///< once for all
};
template <>
struct EnumNames<BudgetPeriod> {
  static constexpr std::string_view names[] = {"none", "month", "total"};
};

/// When machines are bought for a tenant's waiting jobs.
enum class BuyPolicy : std::uint8_t { cheapest, soonest, reserved_only };
template <>
struct EnumNames<BuyPolicy> {
  static constexpr std::string_view names[] = {"cheapest", "soonest", "reserved_only"};
};

/// [tenant.NAME]: Slurm's account, which a job names with --account. Tenants form trees.
struct Tenant {
  std::string name;
  std::string parent = {};   ///< empty: at the top
  std::uint32_t shares = 1;  ///< among its parent's children
  std::vector<std::string> users = {};
  BudgetPeriod budget_period = BudgetPeriod::none;
  Money budget = {};
  std::uint32_t budget_warn_percent = 80;  ///< of the budget: from there on its owners are warned; 0: never
  std::uint32_t max_nodes = 0;             ///< of its jobs and those of the tenants below it
  std::uint32_t max_gpus = 0;
  Money delay_price = {};  ///< what an hour of waiting is worth to it, for each node waited for
  BuyPolicy buy = BuyPolicy::cheapest;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("parent", s.parent);
    v("shares", s.shares);
    v("users", s.users);
    v("budget_period", s.budget_period);
    v("budget", s.budget);
    v("budget_warn_percent", s.budget_warn_percent);
    v("max_nodes", s.max_nodes);
    v("max_gpus", s.max_gpus);
    v("delay_price", s.delay_price);
    v("buy", s.buy);
  }
};

/// [reservation.NAME]: nodes of a partition that are kept for some users during [start, end).
struct Reservation {
  std::string name;
  Time start;
  Time end;
  std::uint32_t nodes = 0;
  std::string partition;
  std::vector<std::string> users = {};  ///< either list admits
  std::vector<std::string> tenants = {};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("start", s.start);
    v("end", s.end);
    v("nodes", s.nodes);
    v("partition", s.partition);
    v("users", s.users);
    v("tenants", s.tenants);
  }
};

}  // namespace virga
