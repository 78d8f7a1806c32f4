#include "sim/report/wait_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "sim/report/metrics.hpp"
#include "sim/report/plot.hpp"

namespace virga {
namespace {

constexpr double k_left = 150;
constexpr double k_right = 250;  ///< room for the figures beside the bars
constexpr double k_row = 58;
constexpr int k_bins_a_decade = 3;

struct SizeWaits {
  std::vector<double> sorted_s;
  std::vector<std::size_t> bins;
};

/// 0: below a second.
std::size_t bin_of(double wait_s, std::size_t bins) {
  if (wait_s < 1) return 0;
  const auto bin = 1 + static_cast<std::size_t>(std::log10(wait_s) * k_bins_a_decade + 1e-9);
  return std::min(bin, bins - 1);
}

void draw_row(Svg& svg, const SizeWaits& waits, double bottom, double bin_width, const std::string& css_class) {
  const auto most = *std::max_element(waits.bins.begin(), waits.bins.end());
  const auto count = static_cast<double>(waits.sorted_s.size());
  for (std::size_t bin = 0; bin < waits.bins.size(); ++bin) {
    if (waits.bins[bin] == 0) continue;
    const double height =
        std::max(1.0, (k_row - 14) * static_cast<double>(waits.bins[bin]) / static_cast<double>(most));
    const auto edge = [](std::size_t b) { return std::pow(10.0, static_cast<double>(b) / k_bins_a_decade); };
    const auto range = bin == 0 ? std::string("less than 1 s")
                                : fmt::format("{} to {}", duration_text(edge(bin - 1)), duration_text(edge(bin)));
    svg.rect(k_left + static_cast<double>(bin) * bin_width + 1, bottom - height, bin_width - 2, height,
             "fill " + css_class,
             fmt::format("{}: {} ({})", range, counted(static_cast<double>(waits.bins[bin]), "job"),
                         percent_text(static_cast<double>(waits.bins[bin]) / count)));
  }
  svg.text(k_plot_width - k_right + 14, bottom - 22, "tick", counted(count, "job"));
  svg.text(k_plot_width - k_right + 14, bottom - 6, "tick",
           fmt::format("median {}, 95 % within {}", duration_text(quantile(waits.sorted_s, 0.5)),
                       duration_text(quantile(waits.sorted_s, 0.95))));
}

}  // namespace

std::string wait_plot(const RunRecord& run) {
  std::array<SizeWaits, k_size_classes> sizes;
  double most_s = 60;
  for (const auto& job : run.jobs) {
    if (!job.started()) continue;
    sizes[size_class(job.units)].sorted_s.push_back(wait_seconds(job));
    most_s = std::max(most_s, wait_seconds(job));
  }
  const auto bins = 2 + static_cast<std::size_t>(std::log10(most_s) * k_bins_a_decade);
  const double bin_width = (k_plot_width - k_left - k_right) / static_cast<double>(bins);
  std::size_t rows = 0;
  for (auto& size : sizes) {
    if (size.sorted_s.empty()) continue;
    ++rows;
    std::sort(size.sorted_s.begin(), size.sorted_s.end());
    size.bins.assign(bins, 0);
    for (const double wait : size.sorted_s) ++size.bins[bin_of(wait, bins)];
  }
  if (rows == 0) return "<p class=\"note\">No job started.</p>\n";
  const double bottom = 4 + k_row * static_cast<double>(rows);
  Svg svg(k_plot_width, bottom + 42, R"( class="plot")");
  const auto tick = [&](double x, const std::string& label) {
    svg.line(x, 4, x, bottom + 4, "grid");
    svg.text(x, bottom + 18, "tick mid", label);
  };
  svg.text(k_left + bin_width / 2, bottom + 18, "tick mid", "none");
  for (const auto& t : log_time_ticks(most_s)) {
    const bool room = t.at > 1 || bin_width > 60;  // beside "none"
    tick(k_left + bin_width * (1 + std::log10(t.at) * k_bins_a_decade), room ? t.label : std::string());
  }
  svg.text(k_left + (k_plot_width - k_left - k_right) / 2, bottom + 37, "tick mid",
           "wait from submission to the first start (logarithmic)");
  double y = 4;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].sorted_s.empty()) continue;
    y += k_row;
    svg.line(k_left, y, k_plot_width - k_right, y, "axis");
    svg.text(k_left - 12, y - 6, "tick end", size_class_label(i, run.unit));
    draw_row(svg, sizes[i], y, bin_width, fmt::format("s{}a", i));
  }
  return svg.take();
}

}  // namespace virga
