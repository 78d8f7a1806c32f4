// Every call that was seen, counted by what it was and how it was answered, for the assertions of tests.
//
//   log.note("PUT virtualMachineScaleSets", "/subscriptions/…", 201, now);
//   log.count("PUT virtualMachineScaleSets");     // 1
//   log.count_status(429);                        // 0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "base/time.hpp"

namespace virga::arm {

class CallLog {
 public:
  struct Entry {
    Time when;
    std::string operation;
    std::string target;
    int status = 0;
  };
  static constexpr std::size_t k_entries_most = 20'000;  ///< the oldest are forgotten; their counts are not

  void note(const std::string& operation, const std::string& target, int status, Time now) {
    ++counts_[operation][status];
    entries_.push_back({now, operation, target, status});
    if (entries_.size() > k_entries_most) entries_.pop_front();
  }
  void clear() {
    counts_.clear();
    entries_.clear();
  }

  std::uint64_t count(const std::string& operation) const {
    std::uint64_t sum = 0;
    const auto found = counts_.find(operation);
    if (found == counts_.end()) return 0;
    for (const auto& [status, count] : found->second) sum += count;
    return sum;
  }
  std::uint64_t count_status(int status) const {
    std::uint64_t sum = 0;
    for (const auto& [operation, by_status] : counts_) {
      if (const auto found = by_status.find(status); found != by_status.end()) sum += found->second;
    }
    return sum;
  }
  const std::map<std::string, std::map<int, std::uint64_t>>& counts() const { return counts_; }
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, std::map<int, std::uint64_t>> counts_;
  std::deque<Entry> entries_;
};

}  // namespace virga::arm
