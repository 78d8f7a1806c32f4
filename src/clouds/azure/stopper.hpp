// The time of this room's threads, and one switch that ends every wait of theirs.
//
//   if (!stopper.sleep(Duration::seconds(5))) return;   // the cloud is being closed
//
// now() is the steady clock: it serves budgets and deadlines, and says nothing about the date. date() is for what
// others are told.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/time.hpp"

namespace virga::azure {

class Stopper {
 public:
  static Time now() { return {std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()}; }
  static Time date() { return {std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()}; }

  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() const {
    std::lock_guard lock(mutex_);
    return stopped_;
  }
  /// False if it was cut short by stop().
  bool sleep(Duration pause) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, std::chrono::nanoseconds(pause.ns), [this] { return stopped_; });
  }
  /// The same, which also ends as soon as `enough` is true; it is asked a few times a second.
  template <class Enough>
  bool sleep(Duration pause, Enough enough) {
    const Time end = now() + pause;
    for (Time at = now(); at < end && !enough(); at = now()) {
      if (!sleep(std::min(end - at, Duration::milliseconds(200)))) return false;
    }
    return !stopped();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace virga::azure
