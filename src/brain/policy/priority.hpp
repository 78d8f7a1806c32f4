// Multifactor priority as in Slurm, and a queue that is always in its order.
//
//   PriorityOrder order(config.priority);
//   order.insert(job.id, {.eligible = job.eligible, .nice = job.spec.nice, .fair_share_ppm = …});
//   order.advance(now);                                          // jobs whose age is full; O(1) when there is none
//   for (PriorityOrder::Cursor at = order.begin(now); at; at.next()) try_to_start(at.job());
//   order.refresh([&](JobId id) { return tree.factor_ppm(leaf_of(id)); });   // at a fair-share event
//
//   priority(t) = age · min(t - eligible, max_age) / max_age  +  fair_share · F + size · S + qos · Q + partition · P  -
//   nice
//
// with the weights of [priority] in points and the factors F S Q P from 0 to 1 in millionths. Time must not reorder the
// queue job by job: among jobs whose age is not full the term age · t / max_age is the same for all, so they are kept
// by the rest, their static key  static · max_age - age · eligible  (exact, in 128 bits). A job whose age is full moves
// once to a second list, kept by its static part alone. A cursor merges the two lists by their values at its time.
// Equal priorities are served in the order of job ids.
//
// Differences from Slurm's priority/multifactor: ages are exact at every moment instead of every PriorityCalcPeriod;
// the factors are cut to millionths; a priority below 0 is kept for the order (Slurm cuts it to 1); there are no
// factors for associations, TRES and sites; size is the share of nodes, the larger first, instead of the mean of nodes
// and CPUs.
//
// insert(), erase() and a move O(log n); a cursor's step O(1); refresh() O(n log n): 100,000 jobs take about 50 ms
// Source: Slurm's priority_multifactor.html; the split into two static lists is ours.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/policy.hpp"

namespace virga {

/// What a job's priority is made of, besides the weights and the time. Factors are in millionths.
struct PriorityFactors {
  Time eligible;  ///< its age counts from here
  std::int32_t nice = 0;
  std::uint32_t fair_share_ppm = 0;
  std::uint32_t size_ppm = 0;
  std::uint32_t qos_ppm = 0;
  std::uint32_t partition_ppm = 0;
};

/// `part` of `whole` in millionths: 0 of 0, at most a million.
std::uint32_t share_ppm(std::uint64_t part, std::uint64_t whole);

/// All but the age, in millionths of a point.
std::int64_t static_micropoints(const PriorityWeights& weights, const PriorityFactors& factors);
/// In whole points, rounded down: what squeue and sprio show.
std::int64_t priority_at(const PriorityWeights& weights, const PriorityFactors& factors, Time now);

class PriorityOrder {
  __extension__ using Key = __int128;
  struct Place {
    // mutable for rebuild() alone, which gives all places of a set new values in their order.
    mutable Key key = 0;
    mutable JobId job;
    /// The higher key first.
    friend bool operator<(const Place& a, const Place& b) { return a.key != b.key ? a.key > b.key : a.job < b.job; }
  };

 public:
  explicit PriorityOrder(PriorityWeights weights) : weights_(weights) {}

  /// A job that is there already gets the new factors. One that is not eligible yet does not belong here.
  void insert(JobId job, const PriorityFactors& factors);
  void erase(JobId job);
  bool contains(JobId job) const { return factors_.contains(job); }
  std::size_t size() const { return factors_.size(); }
  const PriorityFactors& factors(JobId job) const { return factors_.at(job); }

  /// Moves the jobs whose age is full. Call before begin(); time never goes back.
  void advance(Time now);
  /// When advance() has something to do; Time::never() if nothing is due.
  Time next_full_age() const;
  /// Asks for every job's fair-share factor anew and puts all in order at once.
  template <class FairSharePpm>
  void refresh(FairSharePpm&& fair_share_ppm) {
    for (auto& [job, factors] : factors_) factors.fair_share_ppm = fair_share_ppm(job);
    rebuild();
  }

  /// Walks all jobs, the highest priority first. Any insert() or erase() ends it, except that of the job just left.
  class Cursor {
   public:
    explicit operator bool() const { return growing_ != growing_end_ || full_ != full_end_; }
    JobId job() const { return at_full_ ? full_->job : growing_->job; }
    void next();

   private:
    friend class PriorityOrder;
    void choose();

    std::set<Place>::const_iterator growing_, growing_end_, full_, full_end_;
    Key growing_add_ = 0;  ///< makes the keys of both lists priorities of one unit
    Key full_factor_ = 0;
    Key full_add_ = 0;
    bool at_full_ = false;
  };
  Cursor begin(Time now) const;
  /// How many jobs come before this one, O(n).
  std::uint32_t jobs_ahead(JobId job, Time now) const;

 private:
  Place place_of(JobId job, const PriorityFactors& factors, bool is_full) const;
  Time full_at(const PriorityFactors& factors) const { return factors.eligible + weights_.max_age; }
  void rebuild();

  PriorityWeights weights_;
  Time now_;
  std::map<JobId, PriorityFactors> factors_;
  std::set<Place> growing_;
  std::set<Place> full_;
  std::set<std::pair<Time, JobId>> full_at_;  ///< of the growing ones
};

}  // namespace virga
