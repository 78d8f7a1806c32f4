#include "wire/cost_report.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace virga {
namespace {

__extension__ using Int = __int128;

struct Span {
  Time from;
  Time to;
  Duration length() const { return to > from ? to - from : Duration{}; }
};

Span common(const Span& a, const Span& b) { return {std::max(a.from, b.from), std::min(a.to, b.to)}; }

/// What of `cost`, which arose evenly over `whole`, belongs to `window`. As a difference of two rounded sums it adds up
/// over windows that adjoin.
Money share_in(const Span& whole, const Span& window, Money cost) {
  const Span part = common(whole, window);
  if (part.length() == Duration{}) return {};
  const std::int64_t length = whole.length().ns;
  const auto until = [&](Time t) {
    return static_cast<std::int64_t>(Int{cost.micro_usd} * (t - whole.from).ns / length);
  };
  return {until(part.to) - until(part.from)};
}

bool holds_or_held_nodes(const Job& job) { return job.started.is_set() && !job.nodes.empty(); }

class Report {
 public:
  Report(const CostInput& input, CostBy by)
      : input_(input), by_(by), window_{input.since, std::min(input.until, input.now)} {}

  CostBody made() {
    for (const VmRecord& vm : input_.vms) pool_of_vm_[vm.id] = vm.pool;
    add_jobs();
    if (input_.may_see_all) add_vms();
    CostBody body;
    body.now = input_.now;
    body.since = input_.since;
    body.until = window_.to;
    body.by = by_;
    body.all_jobs = input_.may_see_all;
    for (auto& [key, row] : rows_) {
      row.name = key.second;
      if (by_ == CostBy::pool && input_.may_see_all) close(row);
      body.rows.push_back(std::move(row));
    }
    if (input_.may_see_all) close(total_);
    total_.name = "total";
    body.total = std::move(total_);
    return body;
  }

 private:
  using Key = std::pair<std::uint32_t, std::string>;  ///< a job's id, else zero; a name

  Key key_of(const Job& job) const {
    switch (by_) {
      case CostBy::tenant:
        return {0, job.spec->account};
      case CostBy::user:
        return {0, job.owner.user};
      case CostBy::job:
        return {job.id.value, std::to_string(job.id.value)};
      case CostBy::pool:
        break;
    }
    const auto pool = pool_of_vm_.find(job.nodes.front().vm);
    return {0, pool != pool_of_vm_.end() ? pool->second : ""};
  }

  /// Records of one job follow each other by incarnation, and each holds what those before it have cost, too.
  void add_jobs() {
    std::vector<std::size_t> order(input_.jobs.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const Job& left = input_.jobs[a];
      const Job& right = input_.jobs[b];
      return std::pair(left.id, left.incarnation) < std::pair(right.id, right.incarnation);
    });
    JobId last;
    Money before;
    std::vector<const CostRow*> counted;  // rows that know the job already
    for (std::size_t place : order) {
      const Job& job = input_.jobs[place];
      if (job.id != last) {
        before = {};
        counted.clear();
      }
      last = job.id;
      const Money cost{job.cost.micro_usd - before.micro_usd};
      before = job.cost;
      if (!holds_or_held_nodes(job)) continue;
      const Span whole{job.started, job.ended.is_set() ? job.ended : input_.now};
      const Duration held = common(whole, window_).length();
      for (const JobNode& node : job.nodes) busy_[node.vm].push_back(common(whole, window_));
      const bool visible = input_.may_see_all || input_.is_visible.empty() || input_.is_visible[place];
      if (!visible || held == Duration{}) continue;
      for (CostRow* row : {&rows_[key_of(job)], &total_}) {
        row->job_cost += share_in(whole, window_, cost);
        row->node_time = row->node_time + held * static_cast<std::int64_t>(job.nodes.size());
        if (std::find(counted.begin(), counted.end(), row) != counted.end()) continue;
        counted.push_back(row);
        ++row->jobs;
      }
    }
  }

  void add_vms() {
    for (const VmRecord& vm : input_.vms) {
      if (!vm.granted.is_set()) continue;
      const Span whole{vm.granted, vm.released.is_set() ? vm.released : input_.now};
      const Span there = common(whole, window_);
      if (there.length() == Duration{}) continue;
      const Money cost = share_in(whole, window_, vm.cost);
      const Duration idle{there.length().ns - busy_time(vm.id, there).ns};
      // No job is on a VM while it is wasted, so the whole of that time is; until a release that is not known yet.
      const Span waste{vm.wasted_since.is_set() ? vm.wasted_since : whole.to, whole.to};
      const Span wasted = common(waste, there);
      std::vector<CostRow*> into{&total_};
      if (by_ == CostBy::pool) into.push_back(&rows_[{0, vm.pool}]);
      for (CostRow* row : into) {
        ++row->vms;
        row->vm_cost += cost;
        row->vm_time = row->vm_time + there.length();
        row->idle_time = row->idle_time + idle;
        row->wasted_cost += share_in(whole, wasted, vm.cost);
        row->wasted_time = row->wasted_time + wasted.length();
      }
    }
  }

  /// How long at least one job was on the VM.
  Duration busy_time(VmId vm, const Span& there) {
    const auto found = busy_.find(vm);
    if (found == busy_.end()) return {};
    std::vector<Span>& spans = found->second;
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
    Duration sum;
    Time counted_to = there.from;
    for (const Span& span : spans) {
      const Span fresh = common({std::max(span.from, counted_to), span.to}, there);
      sum = sum + fresh.length();
      counted_to = std::max(counted_to, fresh.to);
    }
    return sum;
  }

  static void close(CostRow& row) { row.idle_cost = {row.vm_cost.micro_usd - row.job_cost.micro_usd}; }

  const CostInput& input_;
  const CostBy by_;
  const Span window_;
  std::map<VmId, std::string> pool_of_vm_;
  std::map<VmId, std::vector<Span>> busy_;
  std::map<Key, CostRow> rows_;
  CostRow total_;
};

}  // namespace

CostBody cost_report(const CostInput& input, CostBy by) { return Report(input, by).made(); }

std::vector<std::int64_t> whole_cents(const std::vector<Money>& amounts) {
  // Each is the step between two rounded sums, so the last sum is the rounded total.
  const auto rounded = [](std::int64_t micro_usd) {
    return (micro_usd >= 0 ? micro_usd + 5'000 : micro_usd - 5'000) / 10'000;
  };
  std::vector<std::int64_t> cents;
  std::int64_t sum = 0;
  for (const Money& amount : amounts) {
    cents.push_back(rounded(sum + amount.micro_usd) - rounded(sum));
    sum += amount.micro_usd;
  }
  return cents;
}

}  // namespace virga
