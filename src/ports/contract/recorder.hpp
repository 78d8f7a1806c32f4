// What the contract suites share: a sink that records facts, and waiting for something to come true.
//
//   contract::Recorder sink(advance);
//   auto cloud = t.open(sink);
//   sink.first<GangGranted>(1);                                     // waits; fails the test if it does not come
//   CHECK(contract::eventually(advance, [&] { return t.runs(vm) == 1; }));
//
// With an empty `advance` it is real time that passes, a minute at most. A simulated world gives one that lets its next
// event happen, and false once none is left: then waiting ends, so nothing here depends on a real clock.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ports/event_sink.hpp"

namespace virga::contract {

constexpr std::chrono::seconds k_patience{60};

/// Lets a simulated world go on by one event; false if nothing is left to happen. Empty: the world is real.
using Advance = std::function<bool()>;

template <class Condition>
bool eventually(const Advance& advance, Condition condition) {
  if (advance) {
    while (!condition()) {
      if (!advance()) return condition();
    }
    return true;
  }
  auto end = std::chrono::steady_clock::now() + k_patience;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

class Recorder : public EventSink {
 public:
  explicit Recorder(Advance advance = {}) : advance_(std::move(advance)) {}

  void post(EventBody fact) override {
    std::lock_guard lock(mutex_);
    facts_.push_back(std::move(fact));
    changed_.notify_all();
  }

  template <class Fact>
  std::vector<Fact> all() {
    std::lock_guard lock(mutex_);
    return pick<Fact>();
  }
  template <class Fact>
  int count() {
    return static_cast<int>(all<Fact>().size());
  }

  /// Waits until there are `count` facts of the type; an answer that never comes fails the test.
  template <class Fact>
  std::vector<Fact> first(std::size_t count) {
    wait([&] { return pick<Fact>().size() >= count || is_refused_instead<Fact>(); });
    auto found = all<Fact>();
    REQUIRE_MESSAGE(found.size() == count, "waited for ", std::string(Fact::k_name), ", refused: ", first_refusal());
    return found;
  }

  /// The n-th fact of this type (the first is 0) that `wanted` accepts; the test fails if it does not come.
  template <class Fact, class Wanted>
  Fact wait_for(Wanted wanted, int n = 0) {
    Fact found{};
    const bool came = wait([&] {
      int left = n;
      for (const EventBody& fact : facts_) {
        const auto* f = std::get_if<Fact>(&fact);
        if (f == nullptr || !wanted(*f) || left-- > 0) continue;
        found = *f;
        return true;
      }
      return false;
    });
    REQUIRE_MESSAGE(came, "fact did not come: ", std::string(Fact::k_name), "; those that came:", names_of_all());
    return found;
  }
  template <class Fact>
  Fact wait_for_job(JobId job, int n = 0) {
    return wait_for<Fact>([job](const Fact& f) { return f.job == job; }, n);
  }

 private:
  template <class Condition>
  bool wait(Condition arrived) {
    if (advance_) {
      return eventually(advance_, [&] {
        std::lock_guard lock(mutex_);
        return arrived();
      });
    }
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, k_patience, arrived);
  }
  template <class Fact>
  std::vector<Fact> pick() const {
    std::vector<Fact> found;
    for (const EventBody& fact : facts_) {
      if (auto body = std::get_if<Fact>(&fact)) found.push_back(*body);
    }
    return found;
  }
  template <class Fact>
  bool is_refused_instead() const {
    return std::is_same_v<Fact, GangGranted> && !pick<GangRefused>().empty();
  }
  std::string names_of_all() {
    std::lock_guard lock(mutex_);
    std::string names;
    for (const EventBody& fact : facts_) names += " " + std::string(name_of(fact));
    return names;
  }
  std::string first_refusal() {
    auto refusals = all<GangRefused>();
    return refusals.empty() ? "nothing" : refusals[0].message;
  }

  Advance advance_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<EventBody> facts_;
};

}  // namespace virga::contract
