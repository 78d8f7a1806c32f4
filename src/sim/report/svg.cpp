#include "sim/report/svg.hpp"

#include <fmt/format.h>

#include <utility>

#include "wire/encodings.hpp"

namespace virga {

std::string svg_number(double value) {
  auto text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

Svg::Svg(double width, double height, std::string_view attributes) {
  text_ = fmt::format(R"(<svg viewBox="0 0 {0} {1}" width="{0}" height="{1}"{2}>)", svg_number(width),
                      svg_number(height), attributes);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css_class) {
  text_ += fmt::format(R"(<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>)", svg_number(x1), svg_number(y1),
                       svg_number(x2), svg_number(y2), css_class);
}

void Svg::rect(double x, double y, double width, double height, std::string_view css_class, std::string_view title) {
  text_ += fmt::format(R"(<rect x="{}" y="{}" width="{}" height="{}" class="{}")", svg_number(x), svg_number(y),
                       svg_number(width), svg_number(height), css_class);
  text_ += title.empty() ? "/>" : fmt::format("><title>{}</title></rect>", html_escaped(title));
}

void Svg::circle(double x, double y, double radius, std::string_view css_class, std::string_view title) {
  text_ += fmt::format(R"(<circle cx="{}" cy="{}" r="{}" class="{}")", svg_number(x), svg_number(y), svg_number(radius),
                       css_class);
  text_ += title.empty() ? "/>" : fmt::format("><title>{}</title></circle>", html_escaped(title));
}

void Svg::text(double x, double y, std::string_view css_class, std::string_view text) {
  text_ += fmt::format(R"(<text x="{}" y="{}" class="{}">{}</text>)", svg_number(x), svg_number(y), css_class,
                       html_escaped(text));
}

void Svg::path(std::string_view data, std::string_view css_class) {
  if (data.empty()) return;
  text_ += fmt::format(R"(<path d="{}" class="{}"/>)", data, css_class);
}

std::string Svg::take() {
  text_ += "</svg>\n";
  return std::move(text_);
}

}  // namespace virga
