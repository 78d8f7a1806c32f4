// One page that needs nothing else: what the plan is, the pipeline over one iteration, the terms, time against cost.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/verbs/plan_report.hpp"
#include "twin/schedule.hpp"
#include "wire/encodings.hpp"

namespace virga {
namespace {

constexpr double k_width = 1160;
constexpr std::size_t k_boxes_most = 24'000;  ///< of the timeline; about 1 MB
constexpr double k_gib = 1073741824.0;

constexpr std::string_view k_style = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6675;--grid:#e3e7ec;--f:#3b6fb6;
--b:#3aa17e;--idle:#f1e7d3;--hot:#c2352b;--dot:#e9a13b}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e5eaf0;--soft:#98a4b3;--grid:#2a323d;
--f:#5b8fd6;--b:#4db892;--idle:#3a3427;--hot:#ff7b6e;--dot:#e0a04a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:27px;line-height:1.2;margin:0 0 4px}h2{font-size:18px;margin:0 0 2px}
.note{color:var(--soft);margin:2px 0 10px;font-size:13.5px}
section{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:16px 20px;margin-top:18px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:12px 14px}
.tile b{font-size:22px}.tile p{margin:2px 0 0;font-size:12.5px;color:var(--soft)}
svg{display:block;width:100%;height:auto}text{font-size:12px;fill:var(--soft)}.end{text-anchor:end}
.mid{text-anchor:middle}.ink{fill:var(--ink)}.f{fill:var(--f)}.b{fill:var(--b)}.idle{fill:var(--idle)}
.f2{fill:var(--f);opacity:.72}.b2{fill:var(--b);opacity:.72}.hot{fill:var(--hot)}.dot{fill:var(--dot)}
.grid{stroke:var(--grid)}.line{fill:none;stroke:var(--f);stroke-width:1.6}
pre{overflow-x:auto;font-size:12.5px;line-height:1.4}table{border-collapse:collapse;font-size:13.5px}
td,th{padding:3px 14px 3px 0;text-align:left}
)css";

std::string section(std::string_view title, std::string_view note, const std::string& body) {
  return fmt::format("<section><h2>{}</h2><p class=\"note\">{}</p>\n{}</section>\n", title, html_escaped(note), body);
}

std::string tile(const std::string& value, std::string_view label) {
  return fmt::format("<div class=\"tile\"><b>{}</b><p>{}</p></div>\n", html_escaped(value), label);
}

std::string open_svg(double height, std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\">\n", k_width, height, label);
}

/// The schedule's shape; fewer micro batches than there are where the picture would be too large.
twin::ScheduleShape shape_of(const PlanReport& r, bool& shortened) {
  const twin::Layout& l = r.layout;
  twin::ScheduleShape shape{.stages = l.pp, .chunks = l.interleave, .micro_batches = l.micro_batches()};
  const std::size_t each = std::size_t{2} * l.pp * l.interleave;
  const auto most = static_cast<std::uint32_t>(std::max<std::size_t>(k_boxes_most / each, 2));
  shortened = shape.micro_batches > most;
  if (shortened) shape.micro_batches = most;
  if (l.interleave > 1) shape.micro_batches = std::max(shape.micro_batches / l.pp, 1U) * l.pp;
  const twin::Terms& t = r.prediction.terms;
  const double pipeline = r.prediction.seconds - t.data - t.optimizer - t.step;
  const double m = l.micro_batches();
  const double both = pipeline / (m + (l.pp - 1.0) / l.interleave);
  // A backward pass is two forward ones, and does the forward one again where that is recomputed.
  const double backward = l.recompute == twin::Recompute::full ? 3.0 / 4 : 2.0 / 3;
  shape.forward_s = both * (1 - backward);
  shape.backward_s = both * backward;
  return shape;
}

std::string timeline(const PlanReport& r) {
  bool shortened = false;
  const twin::ScheduleShape shape = shape_of(r, shortened);
  const twin::Schedule schedule = twin::make_schedule(shape);
  const twin::Terms& t = r.prediction.terms;
  const double tail = t.data + t.optimizer + t.step;
  const double total = schedule.seconds + tail;
  const double left = 62;
  const double scale = (k_width - left) / total;
  const double row = std::clamp(420.0 / shape.stages, 7.0, 34.0);
  const double bottom = row * shape.stages;
  std::string svg = open_svg(bottom + 40, "pipeline stages over time");
  svg += fmt::format("<rect x=\"{}\" y=\"0\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"idle\"/>\n", left,
                     schedule.seconds * scale, bottom);
  static constexpr std::string_view k_classes[2][2] = {{"b", "b2"}, {"f", "f2"}};
  std::string paths[2][2];
  for (const twin::Work& work : schedule.work) {
    paths[work.forward ? 1 : 0][(work.micro_batch + work.chunk) % 2] +=
        fmt::format("M{:.1f} {:.1f}h{:.2f}v{:.1f}h-{:.2f}z", left + work.begin_s * scale, work.stage * row,
                    (work.end_s - work.begin_s) * scale, row * 0.88, (work.end_s - work.begin_s) * scale);
  }
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 2; ++k) svg += fmt::format("<path class=\"{}\" d=\"{}\"/>\n", k_classes[i][k], paths[i][k]);
  }
  svg += fmt::format(
      "<rect x=\"{:.1f}\" y=\"0\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"hot\"><title>data parallel "
      "traffic, optimizer, step: {:.3f} s</title></rect>\n",
      left + schedule.seconds * scale, tail * scale, bottom - row * 0.12, tail);
  const std::uint32_t each = std::max(1U, static_cast<std::uint32_t>(14 / row + 0.99));
  for (std::uint32_t stage = 0; stage < shape.stages; stage += each) {
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" class=\"end\">{}</text>\n", left - 8, stage * row + row / 2 + 4,
                       stage == 0 ? "stage 0" : fmt::format("{}", stage));
  }
  for (int i = 0; i <= 5; ++i) {
    const double x = left + (k_width - left) * i / 5;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\">{:.2f} s</text>\n", x, bottom + 20,
                       i == 0   ? ""
                       : i == 5 ? "end"
                                : "mid",
                       total * i / 5);
  }
  const std::string note = fmt::format(
      "Blue forward, green backward{}, light where a stage waits (the bubble), red at the end: gradients and weights "
      "between data ranks, optimizer, step.{}",
      r.layout.recompute == twin::Recompute::full ? " with recomputation" : "",
      shortened ? fmt::format(" Drawn are {} of {} micro batches; the others repeat the middle.", shape.micro_batches,
                              r.layout.micro_batches())
                : "");
  return section("One iteration", note, svg + "</svg>\n");
}

std::string terms(const PlanReport& r) {
  constexpr double k_row = 26;
  const auto all = terms_of(r.prediction.terms);
  std::string svg = open_svg(k_row * all.size(), "terms of the step");
  double y = 0;
  for (const auto& [term, seconds] : all) {
    const double share = seconds / r.prediction.seconds;
    svg += fmt::format(
        "<text x=\"82\" y=\"{:.0f}\" class=\"end ink\">{}</text><rect x=\"92\" y=\"{:.0f}\" "
        "width=\"{:.1f}\" height=\"18\" class=\"{}\"/><text x=\"{:.1f}\" y=\"{:.0f}\">{:.3f} s, {:.1f} "
        "%</text>\n",
        y + 14, name_of(term), y, std::max(share, 0.0) * 900, term == r.prediction.binding ? "hot" : "f",
        100 + std::max(share, 0.0) * 900, y + 14, seconds, share * 100);
    y += k_row;
  }
  return section("Where the time goes", fmt::format("Of {:.2f} s. The bottleneck is red.", r.prediction.seconds),
                 svg + "</svg>\n");
}

/// About a quarter of `most`, as people like ticks: 1, 2 or 5 times a power of ten.
double tick_step(double most) {
  double step = 1e-6;
  while (step * 10 <= most / 4) step *= 10;
  for (const double factor : {5.0, 2.0}) {
    if (step * factor <= most / 4) return step * factor;
  }
  return step;
}

/// Time and money of a point: of the run, or of a step.
std::pair<double, double> place_of(const PlanReport& r, const twin::PlanPoint& point) {
  if (r.request.tokens > 0) return {point.run.wall_s / 86400, point.run.usd};
  const double hour = r.request.offers[point.offer].usd_per_node_hour * point.nodes;
  return {point.found.seconds, hour * point.found.seconds / 3600};
}

/// The frame of the plot of time against cost: time by its logarithm, as plans differ by factors.
struct Frame {
  explicit Frame(const PlanReport& r) {
    least_time = place_of(r, r.point).first;
    for (const twin::PlanPoint& point : r.plan.points) {
      const auto [time, usd] = place_of(r, point);
      least_time = std::min(least_time, time);
      most_time = std::max(most_time, time);
      most_usd = std::max(most_usd, usd);
    }
  }
  double x(double time) const {
    const double span = std::max(std::log(most_time / least_time), 1e-9);
    return k_left + 20 + std::log(time / least_time) / span * (k_width - k_left - 200);
  }
  double y(double usd) const { return 10 + (1 - usd / (most_usd * 1.05)) * (k_height - 10); }

  static constexpr double k_left = 124;
  static constexpr double k_height = 340;
  double least_time = 0;
  double most_time = 0;
  double most_usd = 0;
};

std::string front_axes(const PlanReport& r, const Frame& frame) {
  std::string svg;
  for (double usd = 0; usd <= frame.most_usd * 1.0001; usd += tick_step(frame.most_usd)) {
    const double y = frame.y(usd);
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" class=\"grid\"/><text x=\"{3}\" "
        "y=\"{4:.1f}\" class=\"end\">{5} USD</text>\n",
        Frame::k_left, k_width, y, Frame::k_left - 8, y + 4,
        r.request.tokens > 0 ? grouped_digits(usd) : fmt::format("{:.4g}", usd));
  }
  for (double decade = 1e-3; decade <= frame.most_time; decade *= 10) {
    for (const double time : {decade, 2 * decade, 5 * decade}) {
      if (time < frame.least_time || time > frame.most_time) continue;
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" class=\"mid\">{:.4g} {}</text>\n", frame.x(time),
                         Frame::k_height + 24, time, r.request.tokens > 0 ? "days" : "s");
    }
  }
  return svg;
}

std::string front(const PlanReport& r) {
  const Frame frame(r);
  if (frame.most_usd <= 0) return {};
  std::string svg = open_svg(Frame::k_height + 34, "time against cost") + front_axes(r, frame);
  std::string path;
  std::string points;
  int named = 0;
  for (std::size_t i = 0; i < r.plan.points.size(); ++i) {
    const twin::PlanPoint& point = r.plan.points[i];
    const bool is_chosen = r.plan.chosen == i;
    const auto [time, usd] = place_of(r, point);
    const double x = frame.x(time);
    const double y = frame.y(usd);
    if (point.on_front) path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x, y);
    const std::string label =
        fmt::format("{} x {}", grouped_digits(point.gpus), r.request.offers[point.offer].system->gpu->name);
    points +=
        fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" class=\"{}\"><title>{}: {}</title></circle>\n", x, y,
                    is_chosen        ? 7
                    : point.on_front ? 5
                                     : 3,
                    is_chosen        ? "hot"
                    : point.on_front ? "f"
                                     : "dot",
                    html_escaped(label), layout_text(point.found.layout));
    if (!point.on_front && !is_chosen) continue;
    points += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 8, y + (++named % 2 == 0 ? -8 : 18),
                          html_escaped(label));
  }
  svg += fmt::format("<path class=\"line\" d=\"{}\"/>\n", path) + points;
  return section("Time against cost", "The line joins what nothing else beats in both; red is the plan of this page.",
                 svg + "</svg>\n");
}

std::string sensitivity(const PlanReport& r) {
  std::string table = "<table><tr><th>a tenth more</th><th>less time for a sample</th></tr>\n";
  for (const twin::Sensitivity& s : r.plan.sensitivities) {
    if (s.any) table += fmt::format("<tr><td>{}</td><td>{:.1f} %</td></tr>\n", lever_text(s.lever), s.gain * 100);
  }
  return section("What would help", "Each alone, with the layout searched again.", table + "</table>\n");
}

}  // namespace

std::string plan_page(const PlanReport& r) {
  const std::string title = fmt::format("{} on {} GPUs", r.request.model->name, grouped_digits(r.point.gpus));
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body><main>\n<h1>{0}</h1>\n"
      "<p class=\"note\">{2} x {3}, {4}, software {5}: {6}</p>\n<div class=\"tiles\">\n",
      html_escaped(title), k_style, grouped_digits(r.point.nodes), html_escaped(r.system.name),
      name_of(r.layout.precision), r.request.stack->name, layout_text(r.layout));
  page += tile(fmt::format("{:.2f} s", r.prediction.seconds), "a step");
  page += tile(grouped_digits(r.tokens_per_s), "tokens a second");
  page += tile(fmt::format("{:.1f} %", r.utilisation * 100), "of the peak (MFU)");
  page += tile(fmt::format("{:.1f} GiB", r.prediction.memory.total() / k_gib),
               fmt::format("of {:.1f} GiB a GPU", r.system.gpu->hbm_bytes / k_gib));
  if (r.request.tokens > 0) {
    page += tile(fmt::format("{:.1f} days", r.point.run.wall_s / 86400), "with failures and checkpoints");
    if (r.point.run.usd > 0) page += tile(grouped_digits(r.point.run.usd) + " USD", "for the run");
  }
  page += "</div>\n" + timeline(r) + terms(r) + front(r) + sensitivity(r);
  return page + "</main></body></html>\n";
}

}  // namespace virga
