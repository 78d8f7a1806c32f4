// What fills each cell of the Gantt picture.
//
//   GanttLayout layout = layout_of(run);
//   GanttRaster raster = raster_of(run, layout, {.columns = 1040, .shades = true});
//   raster.at(line, column);           // 0: nothing; k_cell_booting, k_cell_idle; from k_cell_job on: jobs
#pragma once

#include <cstdint>
#include <vector>

#include "sim/report/plot.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

constexpr std::uint8_t k_cell_empty = 0;
constexpr std::uint8_t k_cell_booting = 1;
constexpr std::uint8_t k_cell_idle = 2;
constexpr std::uint8_t k_cell_job = 3;  ///< + 2 * size class + shade
constexpr std::size_t k_cell_kinds = k_cell_job + 2 * k_size_classes;

/// `nodes_per_line` rows share a line of pixels; pools stand apart.
struct GanttLayout {
  std::uint32_t nodes_per_line = 1;
  double line_height = 1;
  struct Line {
    double y = 0;  ///< of its top
    std::uint32_t first_row = 0;
    std::uint32_t rows = 0;
  };
  std::vector<Line> lines;
  std::vector<std::uint32_t> line_of_row;
  double height = 0;
};

GanttLayout layout_of(const RunRecord& run);

struct RasterOptions {
  int columns = 1040;
  bool shades = true;
};

struct GanttRaster {
  int columns = 0;
  std::vector<std::uint8_t> cells;

  std::uint8_t at(std::size_t line, int column) const {
    return cells[line * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column)];
  }
};

GanttRaster raster_of(const RunRecord& run, const GanttLayout& layout, RasterOptions options);

}  // namespace virga
