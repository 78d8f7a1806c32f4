#include "sim/report/report_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "sim/report/plot.hpp"
#include "wire/encodings.hpp"

namespace virga {
namespace {

std::string ratio_text(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.2f}×", *ratio) : std::string("no ratio");
}

struct Tile {
  std::string label;
  std::string value;
  std::string note;  ///< the bound, or what belongs to the figure
};

std::vector<Tile> time_tiles(const RunMetrics& m) {
  const auto bound = m.area_weighted_wait_bound_s > 0
                         ? fmt::format("bound {}; this is {} it", duration_text(m.area_weighted_wait_bound_s),
                                       ratio_text(m.wait_ratio()))
                         : std::string("bound 0 s: the machine is large enough");
  return {
      {"Mean wait", duration_text(m.wait.mean_s),
       fmt::format("median {}, 95 % within {}, longest {}", duration_text(m.wait.median_s), duration_text(m.wait.p95_s),
                   duration_text(m.wait.max_s))},
      {"Work-weighted wait", duration_text(m.area_weighted_wait_s), bound},
      {"Bounded slowdown", fmt::format("{:.2f}", m.mean_bsld10), "mean; at best 1; runs below 10 s count as 10 s"},
      {"Utilisation with a queue", m.utilisation_queued ? percent_text(*m.utilisation_queued) : "no queue",
       fmt::format("{} over the whole makespan", percent_text(m.utilisation))},
      {"Makespan", duration_text(m.makespan_s), fmt::format("bound {}", duration_text(m.makespan_bound_s))},
  };
}

std::vector<Tile> machine_tiles(const RunRecord& run, const RunMetrics& m) {
  std::uint64_t faults = 0;
  for (const auto& [kind, count] : m.faults) faults += count;
  std::vector<Tile> tiles;
  if (m.has_prices) {
    tiles.push_back({"Cost", money_text(m.cost),
                     fmt::format("no-wait bound {} ({}), floor {}", money_text(m.zero_wait.cost),
                                 ratio_text(m.cost_ratio()), money_text(m.floor))});
  }
  const auto share = m.jobs_with_leaves == 0
                         ? 0.0
                         : static_cast<double>(m.jobs_above_least_leaves) / static_cast<double>(m.jobs_with_leaves);
  tiles.push_back({"Leaf switches above least", grouped(static_cast<double>(m.excess_leaves)),
                   m.jobs_with_leaves == 0
                       ? "no placement recorded"
                       : fmt::format("{} of jobs span more than their size needs", percent_text(share))});
  tiles.push_back({"Work lost", fmt::format("{} node-h", grouped(m.lost_node_hours)),
                   fmt::format("{}, {}, {}", counted(static_cast<double>(m.restarts), "restart"),
                               counted(static_cast<double>(m.preemptions), "preemption"),
                               counted(static_cast<double>(faults), "fault"))});
  tiles.push_back({"VM time wasted", fmt::format("{} min", grouped(m.wasted_vm_minutes)),
                   fmt::format("on gangs that never ran; {}, {} evicted", counted(static_cast<double>(m.vms), "VM"),
                               grouped(static_cast<double>(m.evictions)))});
  tiles.push_back({"Nobody would wait on", counted(static_cast<double>(m.zero_wait_capacity), run.unit),
                   fmt::format("this machine has {}", grouped(static_cast<double>(run.capacity_units())))});
  return tiles;
}

std::string table_html(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                       std::size_t first_number) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  const auto cells = [&](const std::vector<std::string>& texts, const char* tag) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      html += fmt::format("<{0}{1}>{2}</{0}>", tag, i >= first_number ? " class=\"n\"" : "", html_escaped(texts[i]));
    }
  };
  cells(head, "th");
  html += "</tr></thead><tbody>";
  for (const auto& row : rows) {
    html += "<tr>";
    cells(row, "td");
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string note(std::string_view text) { return fmt::format("<p class=\"note\">{}</p>\n", html_escaped(text)); }

struct Figure {
  std::string label;
  std::function<double(const RunMetrics&)> value;
  std::function<std::string(double)> text;
};

std::vector<Figure> compared_figures(bool with_prices) {
  const auto plain = [](double v) { return grouped(v); };
  std::vector<Figure> figures{
      {"jobs ended", [](auto& m) { return static_cast<double>(m.jobs_ended); }, plain},
      {"mean wait", [](auto& m) { return m.wait.mean_s; }, duration_text},
      {"95 % wait at most", [](auto& m) { return m.wait.p95_s; }, duration_text},
      {"longest wait", [](auto& m) { return m.wait.max_s; }, duration_text},
      {"work-weighted wait", [](auto& m) { return m.area_weighted_wait_s; }, duration_text},
      {"its bound", [](auto& m) { return m.area_weighted_wait_bound_s; }, duration_text},
      {"mean bounded slowdown", [](auto& m) { return m.mean_bsld10; },
       [](double v) { return fmt::format("{:.2f}", v); }},
      {"utilisation with a queue", [](auto& m) { return m.utilisation_queued.value_or(0); }, percent_text},
      {"makespan", [](auto& m) { return m.makespan_s; }, duration_text},
      {"leaf switches above least", [](auto& m) { return static_cast<double>(m.excess_leaves); }, plain},
      {"restarts", [](auto& m) { return static_cast<double>(m.restarts); }, plain},
      {"preemptions", [](auto& m) { return static_cast<double>(m.preemptions); }, plain},
      {"lost node-hours", [](auto& m) { return m.lost_node_hours; }, plain},
  };
  if (!with_prices) return figures;
  const auto money = [](double v) { return money_text(Money{static_cast<std::int64_t>(v)}); };
  figures.push_back({"cost", [](auto& m) { return static_cast<double>(m.cost.micro_usd); }, money});
  figures.push_back(
      {"its bound without waiting", [](auto& m) { return static_cast<double>(m.zero_wait.cost.micro_usd); }, money});
  return figures;
}

}  // namespace

std::string tiles_html(const RunRecord& run, const RunMetrics& m) {
  auto tiles = time_tiles(m);
  for (auto& tile : machine_tiles(run, m)) tiles.push_back(std::move(tile));
  std::string html = "<div class=\"tiles\">";
  for (const auto& tile : tiles) {
    html += fmt::format("<div class=\"tile\"><h3>{}</h3><b>{}</b><p>{}</p></div>\n", html_escaped(tile.label),
                        html_escaped(tile.value), html_escaped(tile.note));
  }
  return html + "</div>\n";
}

std::string compare_html(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics) {
  std::vector<std::string> head{"figure"};
  for (const auto& run : runs) head.push_back(run.name);
  std::vector<std::vector<std::string>> rows;
  for (const auto& figure : compared_figures(metrics.front().has_prices)) {
    std::vector<std::string> row{figure.label};
    const double first = figure.value(metrics.front());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double value = figure.value(metrics[i]);
      auto text = figure.text(value);
      const double percent = first == 0 ? 0 : (value / first - 1) * 100;
      if (i > 0 && (percent > 0.05 || percent < -0.05)) text += fmt::format(" ({:+.1f} %)", percent);
      row.push_back(std::move(text));
    }
    rows.push_back(std::move(row));
  }
  return table_html(head, rows, 1) + note("Percentages: difference from the first run.");
}

std::string longest_waits_html(const RunRecord& run) {
  constexpr std::size_t k_rows = 10;
  std::vector<const JobRecord*> jobs;
  for (const auto& job : run.jobs) jobs.push_back(&job);
  const auto waited = [&](const JobRecord* job) { return std::min(job->start, run.to) - job->submit; };
  std::stable_sort(jobs.begin(), jobs.end(), [&](auto* a, auto* b) { return waited(a) > waited(b); });
  std::vector<std::vector<std::string>> rows;
  for (const auto* job : jobs) {
    if (rows.size() == k_rows || waited(job).ns <= 0) break;
    auto reason =
        job->wait_reason == Reason::none ? std::string("not recorded") : std::string(name_of(job->wait_reason));
    if (!job->wait_detail.empty()) reason += ": " + job->wait_detail;
    if (!job->started()) reason += " (did not start)";
    rows.push_back({std::to_string(job->id.value), job->user, reason,
                    counted(static_cast<double>(job->units), run.unit), grouped(job->nodes),
                    moment_text(seconds_of(job->submit - run.from)), duration_text(seconds_of(waited(job)))});
  }
  if (rows.empty()) return note("No job waited.");
  return table_html({"job", "user", "waited for", "size", "nodes", "submitted", "waited"}, rows, 3);
}

std::string skipped_html(const RunRecord& run) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& input : run.skipped) {
    rows.push_back({input.reason, input.example, grouped(static_cast<double>(input.count))});
  }
  if (rows.empty()) return note("No input was skipped.");
  return table_html({"reason", "first of them", "inputs"}, rows, 2);
}

std::string faults_html(const RunRecord& run) {
  std::map<std::string, std::pair<std::uint64_t, const FaultRecord*>> kinds;
  for (const auto& fault : run.faults) {
    auto& [count, first] = kinds[fault.kind];
    if (++count == 1) first = &fault;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [kind, found] : kinds) {
    rows.push_back({kind, found.second->what, moment_text(seconds_of(found.second->at - run.from)),
                    grouped(static_cast<double>(found.first))});
  }
  if (rows.empty()) return note("No fault happened.");
  return table_html({"fault", "first of them", "at", "faults"}, rows, 2);
}

std::string pools_html(const RunRecord& run, const RunMetrics& m) {
  std::vector<double> hours(run.pools.size(), 0);
  for (const auto& vm : run.vms) {
    if (!vm.granted.is_never()) hours.at(vm.pool) += seconds_of(std::min(vm.released, run.to) - vm.granted) / 3600;
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < run.pools.size(); ++i) {
    const auto& pool = run.pools[i];
    rows.push_back({pool.name, std::string(name_of(pool.kind)), grouped(pool.max_nodes),
                    grouped(static_cast<double>(pool.max_nodes) * pool.units_per_node),
                    money_text(pool.price_per_node_hour), grouped(hours[i]), money_text(m.pool_costs.at(i).cost)});
  }
  if (rows.empty()) return note("This run has no pools.");
  return table_html({"pool", "paid", "nodes at most", run.unit + "s", "price of a node-hour", "VM-hours", "cost"}, rows,
                    2);
}

}  // namespace virga
