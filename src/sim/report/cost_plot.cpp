#include "sim/report/cost_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/report/plot.hpp"

namespace virga {
namespace {

constexpr std::size_t k_points = 60;
constexpr double k_zero_width = 70;  ///< left part of the axis, for waits below one second

struct Scale {
  double most_s = 60;

  double x(double wait_s) const {
    if (wait_s < 1) return k_plot_left + k_zero_width / 2;
    const double share = std::log10(wait_s) / std::log10(most_s);
    return k_plot_left + k_zero_width + std::min(1.0, share) * (k_data_width - k_zero_width);
  }
};

double usd(Money m) { return static_cast<double>(m.micro_usd) / 1e6; }

void draw_x_axis(Svg& svg, const PlotFrame& frame, const Scale& scale) {
  svg.line(k_plot_left + k_zero_width / 2, frame.top, k_plot_left + k_zero_width / 2, frame.bottom() + 4, "grid");
  svg.text(k_plot_left + k_zero_width / 2, frame.bottom() + 18, "tick mid", "none");
  for (const auto& tick : log_time_ticks(scale.most_s)) {
    svg.line(scale.x(tick.at), frame.top, scale.x(tick.at), frame.bottom() + 4, "grid");
    svg.text(scale.x(tick.at), frame.bottom() + 18, "tick mid", tick.label);
  }
  svg.line(k_plot_left, frame.bottom(), k_plot_width - k_plot_right, frame.bottom(), "axis");
  svg.text(k_plot_left + k_data_width / 2, frame.bottom() + 38, "tick mid",
           "work-weighted mean wait (logarithmic; below one second: none)");
}

struct Level {
  Money cost;
  std::string label;
};

/// Equal levels are one line with both names.
void draw_levels(Svg& svg, const PlotFrame& frame, std::vector<Level> levels) {
  for (std::size_t i = 0; i + 1 < levels.size();) {
    if (levels[i].cost != levels[i + 1].cost) {
      ++i;
      continue;
    }
    levels[i].label += "; " + levels[i + 1].label;
    levels.erase(levels.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  for (const auto& [cost, label] : levels) {
    if (usd(cost) > frame.y_max || usd(cost) < frame.y_min) continue;
    svg.line(k_plot_left, frame.y(usd(cost)), k_plot_width - k_plot_right, frame.y(usd(cost)), "level");
    svg.text(k_plot_width - k_plot_right - 4, frame.y(usd(cost)) - 5, "tick end halo",
             fmt::format("{}: {}", label, money_text(cost)));
  }
}

}  // namespace

std::string cost_plot(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics) {
  if (runs.empty() || !metrics.front().has_prices) return {};
  const auto& first = metrics.front();
  const auto frontier = cost_wait_frontier(demand_of(fluid_jobs(runs.front())), first.prices, k_points);
  if (frontier.empty()) return {};
  Scale scale;
  Money floor = first.floor;
  for (const auto& m : metrics) floor = std::min(floor, m.floor);
  double most = usd(first.zero_wait.all_on_demand), least = usd(floor);
  for (const auto& point : frontier) scale.most_s = std::max(scale.most_s, point.wait_s * 1.5);
  for (const auto& m : metrics) {
    scale.most_s = std::max(scale.most_s, m.area_weighted_wait_s * 1.5);
    most = std::max(most, usd(m.cost));
    least = std::min(least, usd(m.cost));
  }
  const double margin = (most - least) * 0.08 + most * 0.005;
  const PlotFrame frame{.top = 14, .height = 260, .y_max = most + margin, .y_min = std::max(0.0, least - margin)};
  Svg svg(k_plot_width, frame.bottom() + 48, R"( class="plot")");
  const bool millions = most >= 5e6;
  auto ticks = range_ticks(frame.y_min, frame.y_max, 6);
  for (auto& tick : ticks) {
    tick.label = millions ? fmt::format("{:.1f}", tick.at / 1e6) : tick.label;
  }
  draw_y_axis(svg, frame, ticks, millions ? "cost, million USD" : "cost, USD");
  draw_x_axis(svg, frame, scale);
  draw_levels(svg, frame,
              {{first.zero_wait.all_on_demand, "all on demand, no wait"},
               {first.zero_wait.cost, "best mix, no wait"},
               {floor, runs.size() > 1 ? "floor: all work at the cheapest price of any run"
                                       : "floor: all work at the cheapest price"}});
  std::string line;
  for (const auto& point : frontier) {
    line += fmt::format("{}{} {}", line.empty() ? "M" : "L", svg_number(scale.x(point.wait_s)),
                        svg_number(frame.y(usd(point.cost))));
  }
  svg.path(line, "line a1");
  for (const auto& point : frontier) {
    svg.circle(
        scale.x(point.wait_s), frame.y(usd(point.cost)), 3, "dot a1",
        fmt::format("fluid, {} of which {} reserved: waits {}, costs {}",
                    counted(static_cast<double>(point.capacity), runs.front().unit),
                    grouped(static_cast<double>(point.reserved)), duration_text(point.wait_s), money_text(point.cost)));
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const double x = scale.x(metrics[i].area_weighted_wait_s), y = frame.y(usd(metrics[i].cost));
    const auto label = fmt::format("{}: waits {}, costs {}", runs[i].name,
                                   duration_text(metrics[i].area_weighted_wait_s), money_text(metrics[i].cost));
    svg.circle(x, y, 6.5, fmt::format("point q{}", i % 6), label);
    const bool left = x > k_plot_width * 0.7;
    svg.text(x + (left ? -11 : 11), y + 4, left ? "tick end strong halo" : "tick strong halo", label);
  }
  return svg.take();
}

}  // namespace virga
