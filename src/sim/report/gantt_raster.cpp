#include "sim/report/gantt_raster.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace virga {
namespace {

constexpr std::uint32_t k_height = 460;  ///< of all lines together, without the gaps between pools
constexpr double k_pool_gap = 8;

/// Node-columns of each kind, cell by cell.
class Shares {
 public:
  Shares(const RunRecord& run, const GanttLayout& layout, int columns)
      : run_(run),
        layout_(layout),
        columns_(columns),
        shares_(layout.lines.size() * static_cast<std::size_t>(columns)) {}

  void add(std::uint8_t kind, RowSpan rows, Time from, Time to) {
    const double span = seconds_of(run_.span());
    if (span <= 0) return;
    const double left = std::max(0.0, seconds_of(from - run_.from) / span * columns_);
    const double right = std::min<double>(columns_, seconds_of(std::min(to, run_.to) - run_.from) / span * columns_);
    const auto last_row =
        std::min<std::uint32_t>(rows.first + rows.count, static_cast<std::uint32_t>(layout_.line_of_row.size()));
    for (auto row = rows.first; row < last_row;) {
      const auto line = layout_.line_of_row[row];
      const auto line_end = layout_.lines[line].first_row + layout_.lines[line].rows;
      const auto count = std::min(last_row, line_end) - row;
      for (auto column = static_cast<int>(left); column < right; ++column) {
        const double part = std::min<double>(right, column + 1) - std::max<double>(left, column);
        cell(line, column)[kind] += static_cast<float>(part * count);
      }
      row += count;
    }
  }

  std::uint8_t winner(std::uint32_t line, int column) {
    const auto& share = cell(line, column);
    const auto half = static_cast<float>(layout_.lines[line].rows) / 2;
    float jobs = 0;
    std::uint8_t best = k_cell_job;
    for (std::uint8_t kind = k_cell_job; kind < k_cell_kinds; ++kind) {
      jobs += share[kind];
      if (share[kind] > share[best]) best = kind;
    }
    if (jobs >= half) return best;
    if (share[k_cell_booting] >= half) return k_cell_booting;
    // A VM is idle for as long as it exists and no job is on it.
    return share[k_cell_idle] >= half ? k_cell_idle : k_cell_empty;
  }

 private:
  std::array<float, k_cell_kinds>& cell(std::uint32_t line, int column) {
    return shares_[line * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column)];
  }
  const RunRecord& run_;
  const GanttLayout& layout_;
  int columns_;
  std::vector<std::array<float, k_cell_kinds>> shares_;
};

}  // namespace

GanttLayout layout_of(const RunRecord& run) {
  GanttLayout layout;
  const auto rows = static_cast<std::uint32_t>(run.rows.size());
  if (rows == 0) return layout;
  layout.nodes_per_line = (rows + k_height - 1) / k_height;
  const auto lines = (rows + layout.nodes_per_line - 1) / layout.nodes_per_line;
  layout.line_height = std::clamp<double>(k_height / lines, 1, 14);
  layout.line_of_row.resize(rows);
  double y = 0;
  for (std::uint32_t row = 0; row < rows; ++row) {
    const bool new_pool = row > 0 && run.rows[row].pool != run.rows[row - 1].pool;
    if (new_pool) y += k_pool_gap;
    if (layout.lines.empty() || new_pool || layout.lines.back().rows == layout.nodes_per_line) {
      layout.lines.push_back({y, row, 0});
      y += layout.line_height;
    }
    ++layout.lines.back().rows;
    layout.line_of_row[row] = static_cast<std::uint32_t>(layout.lines.size() - 1);
  }
  layout.height = y;
  return layout;
}

GanttRaster raster_of(const RunRecord& run, const GanttLayout& layout, RasterOptions options) {
  Shares shares(run, layout, options.columns);
  std::map<std::string, std::uint32_t> row_of;
  for (std::uint32_t row = 0; row < run.rows.size(); ++row) row_of.emplace(run.rows[row].name, row);
  for (const auto& vm : run.vms) {
    const auto found = row_of.find(vm.name);
    if (found == row_of.end() || vm.granted.is_never()) continue;
    shares.add(k_cell_booting, {found->second, 1}, vm.granted, std::min(vm.ready, vm.released));
    if (!vm.ready.is_never()) shares.add(k_cell_idle, {found->second, 1}, vm.ready, vm.released);
  }
  std::map<JobId, std::uint64_t> units;
  for (const auto& job : run.jobs) units.emplace(job.id, job.units);
  for (const auto& gang : run.gangs) {
    const auto found = units.find(gang.job);
    const auto shade = options.shades ? gang.job.value % 2 : 0;
    const auto kind = k_cell_job + 2 * size_class(found == units.end() ? 1 : found->second) + shade;
    for (const auto& span : gang.rows) shares.add(static_cast<std::uint8_t>(kind), span, gang.start, gang.end);
  }
  GanttRaster raster{options.columns, {}};
  raster.cells.reserve(layout.lines.size() * static_cast<std::size_t>(options.columns));
  for (std::uint32_t line = 0; line < layout.lines.size(); ++line) {
    for (int column = 0; column < options.columns; ++column) raster.cells.push_back(shares.winner(line, column));
  }
  return raster;
}

}  // namespace virga
