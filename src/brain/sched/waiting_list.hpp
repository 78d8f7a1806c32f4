// The waiting jobs in the order they are served, indexed so that the next one that fits is found without a walk.
//
//   WaitingList queue;
//   queue.insert({{.rank = -priority, .sequence = 17}, JobId{17}, .units = 64, .estimate = Duration::minutes(90)});
//   const WaitingEntry* head = queue.first();
//   const WaitingEntry* next = queue.next_fit(head->key, {.free_units = 8, .ends_within = gap, .extra_units = 2});
//   queue.ahead_of(key).jobs;                          // its place in the queue
//   queue.erase(key);
//
// Units are whatever the pool counts (GPUs, nodes). A pointer is valid until the list changes.
//
// Every operation is O(log n) in a tree (order_tree.hpp) whose inner nodes know of each subtree the fewest units, and
// the shortest estimate among jobs up to each of 48 sizes (two a power of two). What a summary promises is there,
// except where the only short jobs are wider than `free_units` by less than a half and the narrow ones too long; such
// subtrees are looked into in vain, so the worst case, every job of the list so, is a scan of 2 to 4 ns a job.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "brain/sched/order_tree.hpp"

namespace virga {

/// Who is served first: the smaller rank, then the smaller sequence, which no two jobs share.
struct OrderKey {
  std::int64_t rank = 0;
  std::uint64_t sequence = 0;

  friend constexpr auto operator<=>(const OrderKey&, const OrderKey&) = default;
};

struct WaitingEntry {
  OrderKey key;
  JobId job;
  std::uint32_t units = 0;  ///< at least 1
  Duration estimate;        ///< how long it runs at most
};

/// What a job must be to be started now beside a reservation for somebody else.
struct Gap {
  std::int64_t free_units = 0;
  Duration ends_within;          ///< it ends before the reservation begins …
  std::int64_t extra_units = 0;  ///< … or needs no more than the reservation leaves over

  constexpr bool holds(const WaitingEntry& e) const {
    return e.units <= free_units && (e.estimate <= ends_within || e.units <= extra_units);
  }
};

/// What inner nodes know about their subtrees. Estimates are kept in steps of 2^23 ns, rounded down, at most 208 days:
/// coarser than the entries, never longer, so nothing that fits is missed.
class WaitingColumns {
 public:
  static constexpr std::uint32_t k_classes = 48;

  /// The shortest estimate of a class counts for all wider classes too, so that one number answers for "up to c".
  struct Summary {
    std::array<std::int32_t, k_classes> shortest;
    std::uint32_t fewest_units = 0xffffffff;
    std::uint32_t jobs = 0;
    std::int64_t units = 0;

    Summary() { shortest.fill(k_no_job); }
    void add(const WaitingEntry& entry);
    void finish();
  };

  void put(std::uint32_t slot, const Summary& summary);
  Summary all(std::uint32_t count) const;
  void copy(const WaitingColumns& from, std::uint32_t i, std::uint32_t j);
  void add(std::uint32_t slot, const WaitingEntry& entry);
  bool remove(std::uint32_t slot, const WaitingEntry& entry);

  std::uint32_t jobs(std::uint32_t slot) const { return jobs_[slot]; }
  std::int64_t units(std::uint32_t slot) const { return units_[slot]; }

  static std::uint32_t class_of(std::int64_t units);
  static std::int32_t coarse(Duration estimate);

  /// The search for a job that a gap holds.
  struct FitQuery {
    Gap gap;
    std::uint32_t size_class = class_of(gap.free_units);
    std::int32_t ends_within = coarse(gap.ends_within);
    std::int64_t extra_units = gap.extra_units < gap.free_units ? gap.extra_units : gap.free_units;

    std::uint32_t next_slot(const WaitingColumns& columns, std::uint32_t from, std::uint32_t count) const {
      const auto& shortest = columns.shortest_[size_class];
      for (; from < count; ++from) {
        if (shortest[from] <= ends_within || columns.fewest_units_[from] <= extra_units) break;
      }
      return from;
    }
    bool hit(const WaitingEntry& entry) const { return gap.holds(entry); }
  };

 private:
  static constexpr std::int32_t k_no_job = 0x7fffffff;

  template <class T>
  using Column = std::array<T, k_tree_fanout>;

  std::array<Column<std::int32_t>, k_classes> shortest_;
  Column<std::uint32_t> fewest_units_;
  Column<std::uint32_t> jobs_;
  Column<std::int64_t> units_;
};

class WaitingList {
 public:
  struct Ahead {
    std::uint64_t jobs = 0;
    std::int64_t units = 0;
  };

  void insert(const WaitingEntry& entry);
  /// False if there is no such job.
  bool erase(const OrderKey& key);

  const WaitingEntry* find(const OrderKey& key) const { return tree_.find(key); }
  const WaitingEntry* first() const { return tree_.front(); }
  /// The one behind `after`, which need not be in the list (any more).
  const WaitingEntry* next(const OrderKey& after) const;
  /// The first job that the gap holds, in the whole list or behind `after`.
  const WaitingEntry* first_fit(const Gap& gap) const;
  const WaitingEntry* next_fit(const OrderKey& after, const Gap& gap) const;
  /// How much is served before `key`, which need not be in the list.
  Ahead ahead_of(const OrderKey& key) const;

  std::size_t size() const { return tree_.size(); }
  bool empty() const { return tree_.empty(); }
  std::int64_t units() const { return units_; }

 private:
  OrderTree<WaitingEntry, WaitingColumns> tree_;
  std::int64_t units_ = 0;
};

}  // namespace virga
