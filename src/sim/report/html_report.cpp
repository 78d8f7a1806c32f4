#include "sim/report/html_report.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "sim/report/cost_plot.hpp"
#include "sim/report/gantt_plot.hpp"
#include "sim/report/gantt_raster.hpp"
#include "sim/report/metrics.hpp"
#include "sim/report/page_style.hpp"
#include "sim/report/plot.hpp"
#include "sim/report/report_tables.hpp"
#include "sim/report/series_plots.hpp"
#include "sim/report/wait_plot.hpp"
#include "wire/encodings.hpp"

namespace virga {
namespace {

std::string section(std::string_view title, std::string_view explanation, const std::string& body,
                    std::string_view css_class = {}) {
  return fmt::format("<section class=\"{}\"><h2>{}</h2><p class=\"note\">{}</p>\n{}</section>\n", css_class,
                     html_escaped(title), html_escaped(explanation), body);
}

std::string subtitle(const RunRecord& run, const RunMetrics& m) {
  std::string text =
      fmt::format("{} on {}, {} simulated", counted(static_cast<double>(m.jobs), "job"),
                  counted(static_cast<double>(run.capacity_units()), run.unit), duration_text(seconds_of(run.span())));
  if (m.jobs_ended < m.jobs) {
    text += fmt::format("; {} did not end", counted(static_cast<double>(m.jobs - m.jobs_ended), "job"));
  }
  if (!run.policy.empty()) text += fmt::format(" · policy {}", run.policy);
  text += fmt::format(" · seed {}", run.seed);
  for (const auto& trace : run.traces) text += fmt::format(" · trace {}", trace);
  if (!run.version.empty()) text += fmt::format(" · version {}", run.version);
  return fmt::format("<p class=\"sub\">{}</p>\n", html_escaped(text));
}

std::string column_text(const RunRecord& run, int columns) { return duration_text(seconds_of(run.span()) / columns); }

std::string gantt_section(const RunRecord& run, std::size_t index) {
  const auto layout = layout_of(run);
  const auto line =
      layout.nodes_per_line > 1 ? fmt::format("{} nodes", layout.nodes_per_line) : std::string("one node");
  return section("Gangs on their nodes",
                 fmt::format("A line of the picture is {}, a column about {}; a cell takes the colour of what filled "
                             "at least half of it, and stays empty where no VM existed for that long. Stripes at the "
                             "left are leaf switches. Drag to zoom in time, double click for all of it.",
                             line, column_text(run, k_gantt_columns)),
                 gantt_plot(run, index), "gantt");
}

std::string run_sections(const RunRecord& run, std::size_t index) {
  std::string html = gantt_section(run, index);
  html += section("The queue", fmt::format("Means over {} each.", column_text(run, k_columns)), queue_plot(run, index));
  const auto scale = units_per_vm(run) > 1
                         ? fmt::format(" The lines count {}s as VMs of {:.0f}.", run.unit, units_per_vm(run))
                         : std::string();
  html += section("Machines",
                  fmt::format("VMs that exist, booting ones included, by pool; means over {} each.{}",
                              column_text(run, k_columns), scale),
                  vm_plot(run, index));
  return html;
}

std::string run_tables(const RunRecord& run, const RunMetrics& m) {
  std::string html =
      section("Waits by size of job", "Each row is scaled to its own highest bar. Waits end with the first start.",
              wait_plot(run));
  html += section("The ten longest waits", "With the reason that held longest.", longest_waits_html(run));
  html +=
      section("Pools", "Reserved pools are paid for over the whole span; other VMs from grant to release. List prices.",
              pools_html(run, m));
  html += section("Faults", "Each kind with its first case.", faults_html(run));
  html += section("Skipped inputs", "What could not be simulated, and why.", skipped_html(run));
  return html;
}

std::string cost_section(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics) {
  const auto plot = cost_plot(runs, metrics);
  if (plot.empty()) return {};
  const auto& m = metrics.front();
  const bool mixed = m.prices.reserved < m.prices.on_demand;
  const auto capacity =
      mixed ? fmt::format("with its cheapest mix of reserved ({} per {}-hour) and on-demand ({}) capacity",
                          money_text(m.prices.reserved), runs.front().unit, money_text(m.prices.on_demand))
            : fmt::format("at {} per {}-hour", money_text(m.prices.on_demand), runs.front().unit);
  return section("Cost against wait",
                 fmt::format("Small dots: the same jobs poured like water into machines of constant capacity, each {}. "
                             "Large dots: the runs. VMs that boot or idle make a run dearer than the curve; spot VMs, "
                             "which the curve leaves out, make it cheaper.",
                             capacity),
                 plot);
}

/// Inside a script element no text may look like a tag.
std::string for_script(std::string json) {
  std::string out;
  for (const char c : json) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string script_data(const std::vector<RunRecord>& runs) {
  std::string json = "const RUNS=[";
  for (const auto& run : runs) {
    if (&run != &runs.front()) json += ',';
    json += fmt::format(R"({{"span":{:.3f},"series":{},"gantt":{}}})", seconds_of(run.span()), series_json(run),
                        gantt_json(run));
  }
  return for_script(json + "];");
}

}  // namespace

std::string html_report(const std::vector<RunRecord>& runs) {
  VIRGA_ASSERT(!runs.empty(), "a report without a run");
  std::vector<RunMetrics> metrics;
  for (const auto& run : runs) metrics.push_back(metrics_of(run));
  std::string title;
  for (const auto& run : runs) title += (title.empty() ? "" : " against ") + run.name;
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{1}</style></head>\n"
      "<body><main><h1>{0}</h1>\n",
      html_escaped(title), k_page_style);
  page += subtitle(runs.front(), metrics.front());
  page += tiles_html(runs.front(), metrics.front());
  if (runs.size() > 1) {
    page += section("Side by side", "The tiles above are those of the first run.", compare_html(runs, metrics));
  }
  page += cost_section(runs, metrics);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs.size() > 1) page += fmt::format("<h1 style=\"margin-top:34px\">{}</h1>\n", html_escaped(runs[i].name));
    if (i > 0) page += subtitle(runs[i], metrics[i]);
    page += run_sections(runs[i], i);
    page += run_tables(runs[i], metrics[i]);
  }
  page +=
      "<footer>Bounds are made from the jobs that ended. Work-weighted wait and makespan: no schedule on the capacity "
      "of "
      "all pools, however clever, is below them. No-wait cost: the least for reserved and on-demand capacity if no job "
      "may wait; a run that waits, or has spot VMs, may cost less. Floor: no run is below it.</footer>\n";
  page += fmt::format("</main><div id=\"tip\"></div><script>{}{}</script></body></html>\n", script_data(runs),
                      k_page_script);
  return page;
}

}  // namespace virga
