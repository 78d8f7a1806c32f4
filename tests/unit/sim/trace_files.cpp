#include "unit/sim/trace_files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace virga {
namespace {

std::filesystem::path data_folder() {
  if (const char* folder = std::getenv("VIRGA_SHARED_DATA")) return folder;
  std::error_code no_proc;
  auto folder = std::filesystem::read_symlink("/proc/self/exe", no_proc);  // <root>/build/<preset>/bin/test_sim
  if (no_proc) folder = std::filesystem::current_path();
  for (; folder != folder.root_path(); folder = folder.parent_path()) {
    if (std::filesystem::exists(folder / "shared" / "data")) return folder / "shared" / "data";
  }
  return "shared/data";
}

std::string unzipped(const std::filesystem::path& file) {
  std::string text;
  std::FILE* pipe = ::popen(("gzip -dc '" + file.string() + "'").c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[1 << 16];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  ::pclose(pipe);
  return text;
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

std::optional<std::vector<RecordedRow>> read_trace(const std::string& name, const std::string& unit_column) {
  const auto file = data_folder() / "traces" / (name + ".csv.gz");
  if (!std::filesystem::exists(file)) {
    MESSAGE("skipped: no ", file.string(), "; set VIRGA_SHARED_DATA to the folder that holds traces/");
    return std::nullopt;
  }
  std::istringstream lines(unzipped(file));
  std::string line;
  std::getline(lines, line);
  const auto names = fields_of(line);
  const auto column = [&](const std::string& key) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), key) - names.begin());
  };
  const auto submit = column("submit_s"), user = column("user"), units = column(unit_column),
             duration = column("duration_s"), requested = column("requested_time_s");
  std::vector<RecordedRow> rows;
  while (std::getline(lines, line)) {
    const auto fields = fields_of(line);
    const auto number = [&](std::size_t i) { return std::atoll(fields.at(i).c_str()); };
    const RecordedRow row{number(submit), fields.at(user), number(units), number(duration), number(requested)};
    if (row.units > 0 && row.duration_s > 0) rows.push_back(row);
  }
  return rows;
}

}  // namespace virga
