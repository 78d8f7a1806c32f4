#include "sim/report/gantt_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "sim/report/gantt_raster.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

constexpr double k_top = 34;
constexpr double k_lane = 30;  ///< height of one kind of fault
constexpr std::size_t k_lanes_max = 8;
constexpr std::size_t k_named_gangs_max = 400;

std::string cell_class(std::uint8_t kind) {
  if (kind == k_cell_booting) return "boot";
  if (kind == k_cell_idle) return "idle";
  return fmt::format("s{}{}", (kind - k_cell_job) / 2, (kind - k_cell_job) % 2 == 0 ? "a" : "b");
}

/// One path per kind of cell; each run of equal cells is a relative move and a horizontal stroke.
std::string raster_paths(const GanttRaster& raster, const GanttLayout& layout) {
  const double width = k_data_width / raster.columns;
  std::string result;
  for (std::uint8_t kind = k_cell_booting; kind < k_cell_kinds; ++kind) {
    std::string data;
    int at_column = 0;
    double at_y = 0;
    for (std::size_t line = 0; line < layout.lines.size(); ++line) {
      const double y = layout.lines[line].y + layout.line_height / 2;
      for (int column = 0; column < raster.columns;) {
        int end = column + 1;
        while (end < raster.columns && raster.at(line, end) == raster.at(line, column)) ++end;
        if (raster.at(line, column) == kind) {
          data += fmt::format("{}{} {}h{}", data.empty() ? "M" : "m", svg_number((column - at_column) * width),
                              svg_number(y - at_y), svg_number((end - column) * width));
          at_column = end;
          at_y = y;
        }
        column = end;
      }
    }
    if (data.empty()) continue;
    result += fmt::format(R"(<path d="{}" class="run {}" stroke-width="{}"/>)", data, cell_class(kind),
                          svg_number(layout.line_height));
  }
  return result;
}

/// The finest raster whose text is small enough.
std::string fitting_raster(const RunRecord& run, const GanttLayout& layout) {
  std::string paths;
  for (const RasterOptions options :
       {RasterOptions{k_gantt_columns, true}, RasterOptions{k_gantt_columns, false},
        RasterOptions{k_gantt_columns / 2, false}, RasterOptions{k_gantt_columns / 4, false}}) {
    paths = raster_paths(raster_of(run, layout, options), layout);
    if (paths.size() <= k_gantt_bytes_max) break;
  }
  return paths;
}

double x_inside(const RunRecord& run, Time t) {
  const double span = seconds_of(run.span());
  return span <= 0 ? 0 : std::clamp(seconds_of(std::min(t, run.to) - run.from) / span, 0.0, 1.0) * k_data_width;
}

/// Where a fault or a preemption ended a gang: a mark as high as its nodes. Equal marks are drawn once.
std::string failure_marks(const RunRecord& run, const GanttLayout& layout) {
  std::map<std::pair<int, int>, int> marks;  // (pixel column, top) -> bottom
  for (const auto& gang : run.gangs) {
    if (!gang.failed) continue;
    const int x = static_cast<int>(x_inside(run, gang.end));
    for (const auto& span : gang.rows) {
      if (span.count == 0 || span.first + span.count > layout.line_of_row.size()) continue;
      const auto top = layout.lines[layout.line_of_row[span.first]].y;
      const auto bottom = layout.lines[layout.line_of_row[span.first + span.count - 1]].y + layout.line_height;
      auto& low = marks[{x, static_cast<int>(top)}];
      low = std::max(low, static_cast<int>(std::max(bottom, top + 3)));
    }
  }
  std::string data;
  for (const auto& [at, bottom] : marks) data += fmt::format("M{} {}V{}", at.first, at.second, bottom);
  return data;
}

void draw_pool_labels(Svg& svg, const RunRecord& run, const GanttLayout& layout) {
  std::size_t leaf = 0;
  std::string leaf_path;
  for (std::size_t first = 0; first < layout.lines.size();) {
    const auto pool = run.rows[layout.lines[first].first_row].pool;
    std::size_t end = first;
    while (end < layout.lines.size() && run.rows[layout.lines[end].first_row].pool == pool) {
      const auto row = layout.lines[end].first_row;
      if (row > 0 && run.rows[row].leaf != run.rows[row - 1].leaf) ++leaf;
      if (leaf % 2 == 0)
        leaf_path += fmt::format("M{} {}v{}", k_plot_left - 5, svg_number(k_top + layout.lines[end].y),
                                 svg_number(layout.line_height));
      ++end;
    }
    const double middle = k_top + (layout.lines[first].y + layout.lines[end - 1].y + layout.line_height) / 2;
    const double height = layout.lines[end - 1].y - layout.lines[first].y;
    svg.text(k_plot_left - 12, middle + (height > 40 ? -3 : 4), "tick end strong", run.pools.at(pool).name);
    if (height > 40) {
      svg.text(k_plot_left - 12, middle + 12, "tick end", counted(run.pools.at(pool).max_nodes, "node"));
    }
    first = end;
  }
  svg.path(leaf_path, "leaf");
}

/// Faults by kind, one lane each; marks in the same pixel are one.
void draw_fault_lanes(Svg& svg, const RunRecord& run, double top) {
  std::map<std::string, std::map<int, int>> lanes;
  std::map<std::string, std::uint64_t> counts;
  for (const auto& fault : run.faults) {
    ++lanes[fault.kind][static_cast<int>(x_inside(run, fault.at))];
    ++counts[fault.kind];
  }
  double y = top;
  std::size_t shown = 0;
  for (const auto& [kind, marks] : lanes) {
    if (shown++ == k_lanes_max) break;
    std::string data;
    for (const auto& [x, count] : marks) data += fmt::format("M{} {}v10", x, svg_number(y - top + 17));
    open_zoom(svg, top, static_cast<double>(lanes.size()) * k_lane);
    svg.path(data, "fault");
    close_zoom(svg);
    svg.text(k_plot_left, y + 13, "tick halo", fmt::format("{}: {}", kind, grouped(static_cast<double>(counts[kind]))));
    y += k_lane;
  }
}

std::size_t fault_lanes(const RunRecord& run) {
  std::map<std::string, int> kinds;
  for (const auto& fault : run.faults) ++kinds[fault.kind];
  return std::min(kinds.size(), k_lanes_max);
}

}  // namespace

std::string gantt_plot(const RunRecord& run, std::size_t index) {
  const auto layout = layout_of(run);
  if (layout.lines.empty()) return "<p class=\"note\">This run did not record its nodes.</p>\n";
  const double lanes_top = k_top + layout.height + 6;
  const double bottom = lanes_top + static_cast<double>(fault_lanes(run)) * k_lane;
  Svg svg(k_plot_width, bottom + 26, time_plot_attributes(index, k_top, layout.height));
  std::vector<LegendEntry> legend;
  std::vector<bool> used(k_size_classes, false);
  for (const auto& job : run.jobs) used[size_class(job.units)] = true;
  for (std::size_t i = 0; i < k_size_classes; ++i) {
    if (used[i]) legend.push_back({fmt::format("s{}a", i), size_class_label(i, run.unit), false});
  }
  legend.push_back({"idle", "idle VM", false});
  legend.push_back({"boot", "booting", false});
  legend.push_back({"fault", "gang failed", true});
  draw_legend(svg, 16, legend);
  draw_time_axis(svg, run, k_top, bottom);
  draw_pool_labels(svg, run, layout);
  open_zoom(svg, k_top, layout.height);
  svg.raw(fitting_raster(run, layout));
  svg.path(failure_marks(run, layout), "fault");
  close_zoom(svg);
  draw_fault_lanes(svg, run, lanes_top);
  return svg.take();
}

std::string gantt_json(const RunRecord& run) {
  const auto layout = layout_of(run);
  std::map<JobId, const JobRecord*> jobs;
  for (const auto& job : run.jobs) jobs.emplace(job.id, &job);
  std::vector<const GangRun*> gangs;
  for (const auto& gang : run.gangs) gangs.push_back(&gang);
  const auto area = [&](const GangRun* gang) {
    double nodes = 0;
    for (const auto& span : gang->rows) nodes += span.count;
    return nodes * seconds_of(std::min(gang->end, run.to) - gang->start);
  };
  std::stable_sort(gangs.begin(), gangs.end(), [&](auto* a, auto* b) { return area(a) > area(b); });
  if (gangs.size() > k_named_gangs_max) gangs.resize(k_named_gangs_max);
  JsonWriter w;
  w.begin_object();
  w.key("rows");
  w.begin_array();
  for (const auto& line : layout.lines) w.put(run.rows[line.first_row].name);
  w.end_array();
  w.key("y");
  w.begin_array();
  for (const auto& line : layout.lines) w.put_json(svg_number(line.y));
  w.end_array();
  w.key("gangs");
  w.begin_array();
  for (const auto* gang : gangs) {
    const auto found = jobs.find(gang->job);
    if (found == jobs.end()) continue;
    const auto& job = *found->second;
    w.begin_array();
    w.put_json(svg_number(x_inside(run, gang->start)));
    w.put_json(svg_number(x_inside(run, gang->end)));
    w.put(fmt::format("job {}, {}: {} on {}, {}{}", job.id.value, job.user,
                      counted(static_cast<double>(job.units), run.unit), counted(job.nodes, "node"),
                      duration_text(seconds_of(std::min(gang->end, run.to) - gang->start)),
                      gang->failed ? ", failed" : ""));
    for (const auto& span : gang->rows) {
      if (span.count == 0 || span.first + span.count > layout.line_of_row.size()) continue;
      w.put(layout.line_of_row[span.first]);
      w.put(layout.line_of_row[span.first + span.count - 1]);
    }
    w.end_array();
  }
  w.end_array();
  w.end_object();
  return w.take();
}

}  // namespace virga
