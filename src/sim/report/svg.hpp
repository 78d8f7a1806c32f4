// A picture as SVG text, to stand inside an HTML page. Colours are classes of the page's style sheet.
//
//   Svg svg(600, 200);
//   svg.line(0, 10, 600, 10, "grid");
//   svg.text(300, 190, "tick mid", "day 3");
//   page += svg.take();
//
// Lengths are CSS pixels, y grows downwards. Text is escaped; classes and path data are the program's own.
#pragma once

#include <string>
#include <string_view>

namespace virga {

/// A length with at most one decimal.
std::string svg_number(double value);

class Svg {
 public:
  /// `attributes` go into the opening tag: ` class="time" data-run="0"`.
  Svg(double width, double height, std::string_view attributes = {});

  void line(double x1, double y1, double x2, double y2, std::string_view css_class);
  void rect(double x, double y, double width, double height, std::string_view css_class, std::string_view title = {});
  void circle(double x, double y, double radius, std::string_view css_class, std::string_view title = {});
  void text(double x, double y, std::string_view css_class, std::string_view text);
  void path(std::string_view data, std::string_view css_class);
  /// SVG text as it is.
  void raw(std::string_view markup) { text_ += markup; }

  std::string take();

 private:
  std::string text_;
};

}  // namespace virga
