// Jobs or VMs by a moment at which something is due for them.
//
//   TimeIndex<JobId> alarms;
//   alarms.insert(when, job);
//   alarms.first();                        // the earliest moment; Time::never() if nothing is due
//   for (JobId id : alarms.due(now)) …     // those of `now` and before, by moment, then by id
//   alarms.erase(when, job);
//
// O(log n) each (order_tree.hpp), no allocation per entry.
#pragma once

#include <compare>
#include <cstddef>
#include <vector>

#include "base/time.hpp"
#include "brain/sched/order_tree.hpp"

namespace virga {

template <class Id>
class TimeIndex {
 public:
  void insert(Time when, Id id) { tree_.insert({{when, id}}); }
  /// False if it is not there.
  bool erase(Time when, Id id) { return tree_.erase({when, id}); }

  bool empty() const { return tree_.empty(); }
  std::size_t size() const { return tree_.size(); }
  Time first() const { return empty() ? Time::never() : tree_.front()->key.when; }
  /// Who is due first; there must be one.
  Id first_id() const { return tree_.front()->key.id; }
  std::vector<Id> due(Time now) const {
    std::vector<Id> ids;
    for (const Entry* at = tree_.front(); at != nullptr && at->key.when <= now;
         at = tree_.first_after(at->key, Next{})) {
      ids.push_back(at->key.id);
    }
    return ids;
  }

 private:
  struct Key {
    Time when;
    Id id;
    friend constexpr auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
  };
  /// Nothing is asked of subtrees but their order.
  struct NoColumns {
    struct Summary {
      void add(const Entry&) {}
      void finish() {}
    };
    void put(std::uint32_t, const Summary&) {}
    Summary all(std::uint32_t) const { return {}; }
    void copy(const NoColumns&, std::uint32_t, std::uint32_t) {}
    void add(std::uint32_t, const Entry&) {}
    bool remove(std::uint32_t, const Entry&) { return true; }
  };
  struct Next {
    std::uint32_t next_slot(const NoColumns&, std::uint32_t from, std::uint32_t) const { return from; }
    bool hit(const Entry&) const { return true; }
  };

  OrderTree<Entry, NoColumns> tree_;
};

}  // namespace virga
