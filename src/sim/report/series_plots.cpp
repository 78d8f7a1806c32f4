#include "sim/report/series_plots.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/plot.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

double most_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

double existing(const SeriesSample& sample, std::size_t pool) {
  if (pool >= sample.pools.size()) return 0;
  const auto& p = sample.pools[pool];
  return static_cast<double>(p.booting + p.ready + p.releasing);
}

void draw_area(Svg& svg, const RunRecord& run, const PlotFrame& frame, const std::vector<double>& values,
               const std::string& css_class) {
  draw_time_axis(svg, run, frame.top, frame.bottom());
  open_zoom(svg, frame.top, frame.height);
  svg.path(band_path(frame, std::vector<double>(values.size(), 0), values), "fill soft " + css_class);
  svg.path(line_path(frame, values), "line " + css_class);
  close_zoom(svg);
}

}  // namespace

double units_per_vm(const RunRecord& run) {
  double nodes = 0;
  for (const auto& pool : run.pools) nodes += pool.max_nodes;
  return nodes == 0 ? 1 : std::max(1.0, static_cast<double>(run.capacity_units()) / nodes);
}

std::string queue_plot(const RunRecord& run, std::size_t index) {
  const auto jobs = columns_of(run, [](auto& s) { return static_cast<double>(s.queued_jobs); });
  const auto units = columns_of(run, [](auto& s) { return static_cast<double>(s.queued_units); });
  const PlotFrame above{.top = 12, .height = 110, .y_max = std::max(1.0, most_of(jobs) * 1.05)};
  const PlotFrame below{.top = 158, .height = 110, .y_max = std::max(1.0, most_of(units) * 1.05)};
  Svg svg(k_plot_width, below.bottom() + 26, time_plot_attributes(index, above.top, below.bottom() - above.top));
  draw_y_axis(svg, above, linear_ticks(above.y_max, 4), "jobs waiting");
  draw_area(svg, run, above, jobs, "a0");
  draw_y_axis(svg, below, linear_ticks(below.y_max, 4), run.unit + "s waited for");
  draw_area(svg, run, below, units, "a1");
  return svg.take();
}

std::string vm_plot(const RunRecord& run, std::size_t index) {
  const double per_vm = units_per_vm(run);
  const auto busy = columns_of(run, [&](auto& s) { return static_cast<double>(s.running_units) / per_vm; });
  const auto wanted =
      columns_of(run, [&](auto& s) { return static_cast<double>(s.running_units + s.queued_units) / per_vm; });
  std::vector<std::vector<double>> tops;
  std::vector<double> total(k_columns, 0);
  for (std::size_t pool = 0; pool < run.pools.size(); ++pool) {
    const auto values = columns_of(run, [&](auto& s) { return existing(s, pool); });
    for (std::size_t i = 0; i < total.size(); ++i) total[i] += values[i];
    tops.push_back(total);
  }
  const double capacity = static_cast<double>(run.capacity_units()) / per_vm;
  const double most = std::max({most_of(total), most_of(busy), std::min(most_of(wanted), 1.6 * capacity), 1.0});
  const PlotFrame frame{.top = 34, .height = 220, .y_max = most * 1.04};
  Svg svg(k_plot_width, frame.bottom() + 26, time_plot_attributes(index, frame.top, frame.height));
  std::vector<LegendEntry> legend;
  for (std::size_t pool = 0; pool < run.pools.size(); ++pool) {
    legend.push_back({fmt::format("p{}", pool % 6),
                      fmt::format("{} ({})", run.pools[pool].name, name_of(run.pools[pool].kind)), false});
  }
  legend.push_back({"ink", "running jobs", true});
  legend.push_back({"want", "wanted: running + waiting", true});
  draw_legend(svg, 16, legend);
  draw_y_axis(svg, frame, linear_ticks(frame.y_max, 5), "VMs");
  draw_time_axis(svg, run, frame.top, frame.bottom());
  open_zoom(svg, frame.top, frame.height);
  std::vector<double> low(k_columns, 0);
  for (std::size_t pool = 0; pool < tops.size(); ++pool) {
    svg.path(band_path(frame, low, tops[pool]), fmt::format("fill p{}", pool % 6));
    low = tops[pool];
  }
  svg.path(line_path(frame, wanted), "line want");
  svg.path(line_path(frame, busy), "line ink");
  close_zoom(svg);
  if (most_of(wanted) > frame.y_max) {
    svg.text(k_plot_width - k_plot_right - 6, frame.top - 8, "tick end",
             fmt::format("wanted peaks at {} VMs, above this picture", grouped(most_of(wanted))));
  }
  return svg.take();
}

std::string series_json(const RunRecord& run) {
  JsonWriter w;
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    std::string list = "[";
    for (const double value : values) list += (list.size() > 1 ? "," : "") + svg_number(value);
    w.begin_object();
    w("n", name);
    w.key("v");
    w.put_json(list + "]");
    w.end_object();
  };
  w.begin_array();
  add("jobs waiting", columns_of(run, [](auto& s) { return static_cast<double>(s.queued_jobs); }));
  add(run.unit + "s waited for", columns_of(run, [](auto& s) { return static_cast<double>(s.queued_units); }));
  add(run.unit + "s running", columns_of(run, [](auto& s) { return static_cast<double>(s.running_units); }));
  for (std::size_t pool = 0; pool < run.pools.size(); ++pool) {
    add("VMs of " + run.pools[pool].name, columns_of(run, [&](auto& s) { return existing(s, pool); }));
  }
  w.end_array();
  return w.take();
}

}  // namespace virga
