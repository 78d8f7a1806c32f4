// Conservative backfilling: every waiting job has a reservation, and nobody is ever moved back.
//
//   ConservativePlan plan(100);
//   plan.submit(entry, now);                  // the earliest time that disturbs no reservation
//   plan.ended({start, estimated_end}, units, now);      // a running job is gone, perhaps early
//   plan.pass(machine);                       // starts what is due
//   Time next = plan.next_start();            // a pass is due then, also where the job before it does not end
//
// When a job has ended early, each waiting job is given the earliest time that is now possible for it with all others
// where they are, in the order of their reservations; its old time always is, so reservations only ever move forward.
// One sweep in that order is enough: what keeps a job from an earlier start are jobs that start before it, and those
// have moved already. So every reservation begins now or with the expected end of another job. A newcomer comes after
// the sweep. A job whose time has come but whose units are still held (by a job that ends this very second) keeps its
// reservation and starts with the next pass.
//
// Cost: O(steps of the profile) a job; a sweep takes O(waiting jobs x steps).
// Mu'alem, Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in Scheduling the IBM SP2
// with Backfilling", 2001.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "brain/sched/availability_profile.hpp"
#include "brain/sched/backfill_pass.hpp"

namespace virga {

class ConservativePlan {
 public:
  explicit ConservativePlan(std::int64_t units) : profile_(units) {}

  /// The time that is promised to the job; never, and no reservation, if it needs more than there is.
  Time submit(const WaitingEntry& entry, Time now);
  /// A waiting job is withdrawn.
  void cancel(const OrderKey& key);
  /// A running job gave its units back; `held` is from its start to its estimated end.
  void ended(const AvailabilityProfile::Span& held, std::int64_t units, Time now);

  template <PassMachine M>
  std::uint64_t pass(M& machine);

  /// The earliest reservation; never, if nobody waits.
  Time next_start() const { return by_start_.empty() ? Time::never() : by_start_.begin()->first; }
  /// What is promised to a waiting job now; never, if it does not wait.
  Time start_of(const OrderKey& key) const;
  std::size_t size() const { return waiting_.size(); }

 private:
  struct Promise {
    WaitingEntry entry;
    Time start;
  };

  void move_forward(Time now);

  AvailabilityProfile profile_;
  std::map<OrderKey, Promise> waiting_;  ///< in queue order
  std::set<std::pair<Time, OrderKey>> by_start_;
  bool has_hole_ = false;  ///< units came back before they were expected
};

template <PassMachine M>
std::uint64_t ConservativePlan::pass(M& machine) {
  const Time now = machine.now();
  move_forward(now);
  std::uint64_t started = 0;
  for (auto due = by_start_.begin(); due != by_start_.end() && due->first <= now;) {
    const WaitingEntry entry = waiting_.at(due->second).entry;
    if (entry.units > machine.free_units() || !machine.start(entry)) {
      ++due;
      continue;
    }
    // It runs from now on; a start that came late holds its units for longer than was promised.
    profile_.give_back({due->first, due->first + entry.estimate}, entry.units);
    profile_.take({now, now + entry.estimate}, entry.units);
    waiting_.erase(due->second);
    due = by_start_.erase(due);
    ++started;
  }
  return started;
}

}  // namespace virga
