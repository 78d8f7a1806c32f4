#include "wire/machine_paths.hpp"

#include "wire/csv_table.hpp"

namespace virga {
namespace {

constexpr std::string_view k_mark = "#virga-machine-path ";

}  // namespace

std::string machine_path_line(const std::string& path) {
  if (!path.starts_with('/') || path.find_first_of("\r\n") != std::string::npos) return "";
  return std::string(k_mark) + path + "\n";
}

std::vector<std::string> machine_paths(std::string_view script) {
  std::vector<std::string> paths;
  while (!script.empty()) {
    std::string_view line = take_until(script, '\n');
    if (!line.starts_with(k_mark)) continue;
    line.remove_prefix(k_mark.size());
    if (line.starts_with('/')) paths.emplace_back(line);
  }
  return paths;
}

}  // namespace virga
