// The tasks of a job array: counted, numbered, and checked. ArraySpec itself is in core/job.hpp.
//
//   ArraySpec array{.tasks = {{0, 9, 3}, {20, 20, 1}}};     // 0 3 6 9 20
//   array_task_count(array) == 5;   nth_array_task(array, 4) == 20;   number_of_array_task(array, 20) == 4;
//   array_mistake(array) == nullptr;
#pragma once

#include <cstdint>
#include <optional>

#include "core/job.hpp"

namespace virga {

inline constexpr std::uint32_t k_array_index_max = 4'000'000;
inline constexpr std::uint32_t k_array_tasks_max = 100'000;  ///< of one array

constexpr std::uint32_t count_of(const IndexRange& range) { return (range.last - range.first) / range.step + 1; }

/// Of an array without a mistake.
inline std::uint32_t array_task_count(const ArraySpec& array) {
  std::uint32_t count = 0;
  for (const IndexRange& range : array.tasks) count += count_of(range);
  return count;
}

/// The index of the n-th task, counted from 0; n must be below the count.
inline std::uint32_t nth_array_task(const ArraySpec& array, std::uint32_t n) {
  for (const IndexRange& range : array.tasks) {
    if (n < count_of(range)) return range.first + n * range.step;
    n -= count_of(range);
  }
  return k_no_array_task;
}

/// The other way round; nothing if the array has no task of this index.
inline std::optional<std::uint32_t> number_of_array_task(const ArraySpec& array, std::uint32_t task) {
  std::uint32_t before = 0;
  for (const IndexRange& range : array.tasks) {
    if (task >= range.first && task <= range.last && (task - range.first) % range.step == 0) {
      return before + (task - range.first) / range.step;
    }
    before += count_of(range);
  }
  return std::nullopt;
}

/// What is wrong with an array from outside; null if nothing.
inline const char* array_mistake(const ArraySpec& array) {
  std::uint64_t count = 0;
  for (const IndexRange& range : array.tasks) {
    if (range.step == 0) return "a step is at least 1";
    if (range.last < range.first) return "a range ends before it begins";
    if (range.last > k_array_index_max) return "an index is above 4000000";
    count += count_of(range);
  }
  if (count > k_array_tasks_max) return "more than 100000 tasks";
  for (std::size_t i = 1; i < array.tasks.size(); ++i) {
    if (array.tasks[i].first <= array.tasks[i - 1].last) return "ranges overlap or are not ascending";
  }
  return nullptr;
}

}  // namespace virga
