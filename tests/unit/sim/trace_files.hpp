// Real traces for the tests, where the machine has them: a folder named by VIRGA_SHARED_DATA, or else the
// nearest `shared/data` above the test program. Absent: tests say so and skip.
//
//   const auto rows = read_trace("kth-sp2-1996", "cpus");
//   if (!rows) return;
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace virga {

struct RecordedRow {
  std::int64_t submit_s = 0;
  std::string user;
  std::int64_t units = 0;
  std::int64_t duration_s = 0;
  std::int64_t requested_s = 0;  ///< 0: not known
};

/// Rows of traces/<name>.csv.gz in their order, those without units or duration left out.
std::optional<std::vector<RecordedRow>> read_trace(const std::string& name, const std::string& unit_column);

}  // namespace virga
