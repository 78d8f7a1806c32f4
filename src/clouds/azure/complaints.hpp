// What does not go well with Azure, as lines for the controller's log. What goes on is said again, but not all the
// time. From any thread.
//
//   Complaints complaints(say);
//   complaints.add("GET virga-c-nd-1", error);      // "GET virga-c-nd-1: Connection: …; trying again"
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "clouds/azure/error_class.hpp"
#include "clouds/azure/stopper.hpp"

namespace virga::azure {

class Complaints {
 public:
  using Say = std::function<void(const std::string&)>;

  /// `say` may be empty.
  explicit Complaints(Say say) : say_(std::move(say)) {}

  /// `what` could not be done, and is tried again.
  void add(const std::string& what, const ArmError& error) {
    std::lock_guard lock(mutex_);
    if (!say_) return;
    const Time now = Stopper::now();
    std::erase_if(said_, [&](const auto& s) { return s.second + k_again_after <= now; });
    const std::string line = fmt::format("{}: {}; trying again", what, error.text());
    if (said_.try_emplace(line, now).second) say_(line);
  }

 private:
  static constexpr Duration k_again_after = Duration::minutes(5);

  const Say say_;
  std::mutex mutex_;
  std::map<std::string, Time> said_;
};

}  // namespace virga::azure
