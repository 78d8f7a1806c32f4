// The frame that all plots share: margins, axes, legends, and how a run's series becomes columns of pixels.
//
//   PlotFrame frame{.top = 30, .height = 200, .y_max = 1800};
//   Svg svg(k_plot_width, frame.bottom() + 40);
//   draw_y_axis(svg, frame, linear_ticks(frame.y_max, 5), "VMs");
//   draw_legend(svg, 12, {{"p0", "reserved"}});
//   svg.path(line_path(frame, values), "line p0");
//
// Plots over time put their data into a nested <svg class="zoom">, which the page's script stretches in x only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/report/axis.hpp"
#include "sim/report/run_record.hpp"
#include "sim/report/svg.hpp"

namespace virga {

constexpr double k_plot_width = 1140;
constexpr double k_plot_left = 84;
constexpr double k_plot_right = 16;
constexpr double k_data_width = k_plot_width - k_plot_left - k_plot_right;
constexpr int k_columns = 520;  ///< points of a line: one every two pixels

/// y grows upwards from 0 at the bottom to y_max at the top (or from y_min).
struct PlotFrame {
  double top = 30;
  double height = 200;
  double y_max = 1;
  double y_min = 0;

  double bottom() const { return top + height; }
  /// Inside the data area: 0 is its top.
  double y_inside(double value) const {
    const double share = (value - y_min) / (y_max - y_min);
    return height * (1 - (share < 0 ? 0 : share > 1 ? 1 : share));
  }
  double y(double value) const { return top + y_inside(value); }
};

struct LegendEntry {
  std::string css_class;
  std::string label;
  bool is_line = false;
};

double seconds_of(Duration d);
/// Opening attributes of a plot over time of run `index`.
std::string time_plot_attributes(std::size_t index, double top, double height);
void open_zoom(Svg& svg, double top, double height);
void close_zoom(Svg& svg);

void draw_y_axis(Svg& svg, const PlotFrame& frame, const std::vector<Tick>& ticks, std::string_view title);
void draw_time_axis(Svg& svg, const RunRecord& run, double top, double bottom);
/// In one line at height y.
void draw_legend(Svg& svg, double y, const std::vector<LegendEntry>& entries);

/// Time-weighted mean of `value` in each of k_columns equal parts of the run's span.
std::vector<double> columns_of(const RunRecord& run, const std::function<double(const SeriesSample&)>& value);

/// Paths in the data area's own coordinates.
std::string line_path(const PlotFrame& frame, const std::vector<double>& values);
std::string band_path(const PlotFrame& frame, const std::vector<double>& low, const std::vector<double>& high);

/// Sizes of jobs, by units: 1, 2-8, 9-64, …, in eights.
constexpr std::size_t k_size_classes = 6;
std::size_t size_class(std::uint64_t units);
std::string size_class_label(std::size_t index, const std::string& unit);

}  // namespace virga
