// When running jobs are expected to give their units back, and from when on a waiting job can have as many as it needs.
//
//   ReleaseProfile running;
//   running.insert({{end, JobId{3}}, .units = 40});
//   Shadow shadow = running.shadow({.free_units = 10, .need = 45, .now = now});
//   shadow.at;            // the earliest time at which 45 units are free, if nobody else is started
//   shadow.extra_units;   // how many more are free then
//   running.erase({end, JobId{3}});
//
// A job that has run past its estimate counts as ending now. O(log n) each (order_tree.hpp, with the units of every
// subtree). The shadow time is that of EASY: Lifka, "The ANL/IBM SP Scheduling System", 1995.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "brain/sched/order_tree.hpp"

namespace virga {

struct ReleaseKey {
  Time end;  ///< by the job's estimate
  JobId job;

  friend constexpr auto operator<=>(const ReleaseKey&, const ReleaseKey&) = default;
};

struct ReleaseEntry {
  ReleaseKey key;
  std::uint32_t units = 0;
};

/// The earliest start of a job that does not fit yet; never, if it needs more than there is.
struct Shadow {
  Time at = Time::never();
  std::int64_t extra_units = 0;

  friend constexpr bool operator==(const Shadow&, const Shadow&) = default;
};

class ReleaseColumns {
 public:
  struct Summary {
    std::int64_t units = 0;

    void add(const ReleaseEntry& entry) { units += entry.units; }
    void finish() {}
  };

  void put(std::uint32_t slot, const Summary& summary) { units_[slot] = summary.units; }
  Summary all(std::uint32_t count) const;
  void copy(const ReleaseColumns& from, std::uint32_t i, std::uint32_t j) { units_[j] = from.units_[i]; }
  void add(std::uint32_t slot, const ReleaseEntry& entry) { units_[slot] += entry.units; }
  bool remove(std::uint32_t slot, const ReleaseEntry& entry) {
    units_[slot] -= entry.units;
    return true;
  }
  std::int64_t units(std::uint32_t slot) const { return units_[slot]; }

 private:
  std::array<std::int64_t, k_tree_fanout> units_;
};

class ReleaseProfile {
 public:
  struct Wish {
    std::int64_t free_units = 0;
    std::int64_t need = 0;
    Time now;
  };

  void insert(const ReleaseEntry& entry) { tree_.insert(entry); }
  /// False if there is no such job.
  bool erase(const ReleaseKey& key) { return tree_.erase(key); }
  /// So many units more, or fewer (which must be there), under this key.
  void add(const ReleaseKey& key, std::uint32_t units);
  void remove(const ReleaseKey& key, std::uint32_t units);

  Shadow shadow(const Wish& wish) const;
  /// What the jobs that end at `t` or before give back.
  std::int64_t units_until(Time t) const;
  std::size_t size() const { return tree_.size(); }

 private:
  OrderTree<ReleaseEntry, ReleaseColumns> tree_;
};

}  // namespace virga
