// Simulated time: what is going to happen, ordered by (time, order of scheduling), and the clock that it moves.
//
//   EventQueue queue(Time::from_seconds(1'000'000));
//   queue.after(Duration::seconds(3), [&] { … });
//   while (queue.run_one()) {}                       // now() jumps from event to event
//   SimClock clock(queue);                           // ports/clock.hpp over it
//
// Two events of the same time happen in the order in which they were scheduled, so a run is the same everywhere. A
// heap: logarithmic in what is waiting.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/time.hpp"
#include "ports/clock.hpp"

namespace virga {

class EventQueue {
 public:
  explicit EventQueue(Time start) : now_(start) {}

  Time now() const { return now_; }
  Time next_time() const { return waiting_.empty() ? Time::never() : waiting_.front().at; }

  void at(Time when, std::function<void()> happen) {
    waiting_.push_back({std::max(when, now_), ++scheduled_, std::move(happen)});
    std::push_heap(waiting_.begin(), waiting_.end(), later);
  }
  void after(Duration delay, std::function<void()> happen) { at(now_ + delay, std::move(happen)); }

  /// Lets the next event happen; false if there is none.
  bool run_one() {
    if (waiting_.empty()) return false;
    std::pop_heap(waiting_.begin(), waiting_.end(), later);
    Waiting next = std::move(waiting_.back());
    waiting_.pop_back();
    now_ = next.at;
    next.happen();
    return true;
  }
  /// Nothing happens until `when`, which is not later than the next event.
  void jump_to(Time when) {
    VIRGA_ASSERT(when <= next_time(), "time does not jump over an event");
    now_ = std::max(now_, when);
  }

 private:
  struct Waiting {
    Time at;
    std::uint64_t order = 0;
    std::function<void()> happen;
  };
  static bool later(const Waiting& a, const Waiting& b) { return std::pair(a.at, a.order) > std::pair(b.at, b.order); }

  Time now_;
  std::uint64_t scheduled_ = 0;
  std::vector<Waiting> waiting_;
};

class SimClock : public Clock {
 public:
  explicit SimClock(const EventQueue& queue) : queue_(queue) {}
  Time now() override { return queue_.now(); }

 private:
  const EventQueue& queue_;
};

}  // namespace virga
