#include "sim/report/plot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/encodings.hpp"

namespace virga {

double seconds_of(Duration d) { return static_cast<double>(d.ns) / 1e9; }

std::string time_plot_attributes(std::size_t index, double top, double height) {
  return fmt::format(R"( class="plot time" data-run="{}" data-top="{}" data-height="{}")", index, svg_number(top),
                     svg_number(height));
}

void open_zoom(Svg& svg, double top, double height) {
  const auto width = svg_number(k_data_width);
  svg.raw(fmt::format(R"(<svg class="zoom" x="{0}" y="{1}" width="{2}" height="{3}" viewBox="0 0 {2} {3}" )"
                      R"(preserveAspectRatio="none">)",
                      svg_number(k_plot_left), svg_number(top), width, svg_number(height)));
}

void close_zoom(Svg& svg) { svg.raw("</svg>"); }

void draw_y_axis(Svg& svg, const PlotFrame& frame, const std::vector<Tick>& ticks, std::string_view title) {
  for (const auto& tick : ticks) {
    const double y = frame.y(tick.at);
    svg.line(k_plot_left, y, k_plot_width - k_plot_right, y, "grid");
    svg.text(k_plot_left - 7, y + 4, "tick end", tick.label);
  }
  svg.raw(fmt::format(R"svg(<text transform="translate(14 {}) rotate(-90)" class="tick mid">{}</text>)svg",
                      svg_number(frame.top + frame.height / 2), html_escaped(title)));
}

void draw_time_axis(Svg& svg, const RunRecord& run, double top, double bottom) {
  const double span = seconds_of(run.span());
  svg.raw(R"(<g class="times">)");
  for (const auto& tick : time_ticks(span, 10)) {
    const double x = k_plot_left + (span > 0 ? tick.at / span : 0) * k_data_width;
    svg.line(x, top, x, bottom + 4, "grid");
    svg.text(x, bottom + 18, x > k_plot_width - 40 ? "tick end" : "tick mid", tick.label);
  }
  svg.raw("</g>");
  svg.line(k_plot_left, bottom, k_plot_width - k_plot_right, bottom, "axis");
}

void draw_legend(Svg& svg, double y, const std::vector<LegendEntry>& entries) {
  double x = k_plot_left;
  for (const auto& entry : entries) {
    if (entry.is_line) {
      svg.line(x, y - 4, x + 18, y - 4, "line " + entry.css_class);
    } else {
      svg.rect(x, y - 10, 18, 11, "fill " + entry.css_class);
    }
    svg.text(x + 24, y, "tick", entry.label);
    x += 24 + 6.6 * static_cast<double>(entry.label.size()) + 22;
  }
}

std::vector<double> columns_of(const RunRecord& run, const std::function<double(const SeriesSample&)>& value) {
  std::vector<double> sums(k_columns, 0);
  const double span = seconds_of(run.span());
  if (span <= 0) return sums;
  const double width = span / k_columns;
  for (std::size_t i = 0; i < run.series.size(); ++i) {
    const auto& sample = run.series[i];
    const double from = std::max(0.0, seconds_of(sample.at - run.from)) / width;
    const Time next = i + 1 < run.series.size() ? run.series[i + 1].at : run.to;
    const double to = std::min<double>(k_columns, seconds_of(next - run.from) / width);
    const double v = value(sample);
    for (auto column = static_cast<std::size_t>(from); static_cast<double>(column) < to; ++column) {
      const auto left = static_cast<double>(column);
      sums[column] += v * (std::min(to, left + 1) - std::max(from, left));
    }
  }
  return sums;
}

std::string line_path(const PlotFrame& frame, const std::vector<double>& values) {
  std::string data;
  const double width = k_data_width / static_cast<double>(std::max<std::size_t>(1, values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    data += fmt::format("{}{} {}", i == 0 ? "M" : "L", svg_number((static_cast<double>(i) + 0.5) * width),
                        svg_number(frame.y_inside(values[i])));
  }
  return data;
}

std::string band_path(const PlotFrame& frame, const std::vector<double>& low, const std::vector<double>& high) {
  std::string data;
  const double width = k_data_width / static_cast<double>(std::max<std::size_t>(1, high.size()));
  for (std::size_t i = 0; i < high.size(); ++i) {
    data += fmt::format("{}{} {}", i == 0 ? "M" : "L", svg_number(static_cast<double>(i) * width),
                        svg_number(frame.y_inside(high[i])));
    data += fmt::format("H{}", svg_number(static_cast<double>(i + 1) * width));
  }
  for (std::size_t i = low.size(); i-- > 0;) {
    data += fmt::format("L{} {}", svg_number(static_cast<double>(i + 1) * width), svg_number(frame.y_inside(low[i])));
    data += fmt::format("H{}", svg_number(static_cast<double>(i) * width));
  }
  return data.empty() ? data : data + "z";
}

std::size_t size_class(std::uint64_t units) {
  std::size_t index = 0;
  for (std::uint64_t most = 1; units > most && index + 1 < k_size_classes; most *= 8) ++index;
  return index;
}

std::string size_class_label(std::size_t index, const std::string& unit) {
  if (index == 0) return "1 " + unit;
  std::uint64_t most = 1;
  for (std::size_t i = 0; i < index; ++i) most *= 8;
  const auto least = static_cast<double>(most / 8 + 1);
  if (index + 1 == k_size_classes) return fmt::format("{} {}s and more", grouped(least), unit);
  return fmt::format("{} to {} {}s", grouped(least), grouped(static_cast<double>(most)), unit);
}

}  // namespace virga
