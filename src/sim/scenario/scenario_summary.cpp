#include "sim/scenario/scenario_summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/axis.hpp"

namespace virga {
namespace {

std::string number(std::uint64_t n) { return grouped(static_cast<double>(n)); }

std::string counts_text(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [what, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", number(count), what);
  }
  return text.empty() ? "none" : text;
}

/// Jobs that came to their end, by how.
std::string ends_text(const RunRecord& run) {
  std::map<std::string, std::uint64_t> ends;
  for (const JobRecord& job : run.jobs) ++ends[std::string(name_of(job.state))];
  return counts_text(ends);
}

/// The first job that did not come to its end, and why.
std::string left_text(const RunRecord& run) {
  const auto left =
      std::find_if(run.jobs.begin(), run.jobs.end(), [](const JobRecord& job) { return !is_final(job.state); });
  if (left == run.jobs.end()) return "none";
  return fmt::format("first job {}, {}: {}{}{}", left->id.value, name_of(left->state), name_of(left->wait_reason),
                     left->wait_detail.empty() ? "" : ": ", left->wait_detail);
}

std::string pools_text(const RunRecord& run) {
  std::string text;
  for (const PoolRecord& pool : run.pools) {
    text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", number(pool.max_nodes), pool.name, name_of(pool.kind));
  }
  return text;
}

/// The figures that two runs are compared by; the first column's width is that of the names.
using Figures = std::vector<std::pair<std::string, std::string>>;

Figures figures_of(const RunRecord& run, const RunMetrics& m) {
  Figures figures;
  const auto add = [&](const char* name, std::string value) { figures.emplace_back(name, std::move(value)); };
  add("machine",
      fmt::format("{} in nodes: {}", counted(static_cast<double>(run.capacity_units()), run.unit), pools_text(run)));
  add("jobs", fmt::format("{}, of which {} ended", number(m.jobs), number(m.jobs_ended)));
  add("ends", ends_text(run));
  add("not ended", left_text(run));
  add("skipped", counts_text(m.skipped));
  add("time simulated", duration_text(static_cast<double>(run.span().whole_seconds())));
  add("mean wait", duration_text(m.wait.mean_s));
  add("median, 95 %, longest", fmt::format("{}, {}, {}", duration_text(m.wait.median_s), duration_text(m.wait.p95_s),
                                           duration_text(m.wait.max_s)));
  add("work-weighted wait",
      fmt::format("{}; bound {}", duration_text(m.area_weighted_wait_s), duration_text(m.area_weighted_wait_bound_s)));
  add("mean bounded slowdown", fmt::format("{:.2f}", m.mean_bsld10));
  add("utilisation", fmt::format("{}; while jobs wait {}", percent_text(m.utilisation),
                                 m.utilisation_queued ? percent_text(*m.utilisation_queued) : "no queue"));
  if (m.has_prices) {
    add("cost", money_text(m.cost));
    add("least without waiting", money_text(m.zero_wait.cost));
    for (const PoolCost& pool : m.pool_costs) figures.emplace_back("  pool " + pool.pool, money_text(pool.cost));
  }
  add("leaves above least", fmt::format("{} over {} jobs", number(m.excess_leaves), number(m.jobs_above_least_leaves)));
  add("restarts", number(m.restarts));
  add("work lost", fmt::format("{} node-hours", grouped(m.lost_node_hours)));
  add("VMs", fmt::format("{}, {} evicted, {} min of gangs that never ran", number(m.vms), number(m.evictions),
                         grouped(m.wasted_vm_minutes)));
  add("faults", counts_text(m.faults));
  return figures;
}

std::size_t columns_of(const std::string& text) {  // UTF-8: bytes that continue a letter take no room
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t columns = columns_of(text);
  return text + std::string(width > columns ? width - columns : 0, ' ');
}

constexpr std::size_t k_name_width = 24;

}  // namespace

std::string scenario_summary(const RunRecord& run, const RunMetrics& m, const ScenarioStats& stats) {
  std::string text = padded("scenario", k_name_width) + run.name + "\n";
  text += padded("policy", k_name_width) + run.policy + "\n";
  for (const auto& [name, value] : figures_of(run, m)) text += padded(name, k_name_width) + value + "\n";
  text += padded("events", k_name_width) +
          fmt::format("{}; the cloud refused {} reservations\n", number(stats.events), number(stats.refusals));
  return text;
}

std::string comparison_text(const std::vector<RunRecord>& runs, const std::vector<RunMetrics>& metrics) {
  std::vector<std::string> names{"scenario"};
  std::vector<std::vector<std::string>> columns;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    columns.push_back({runs[i].name});
    std::size_t row = 1;
    for (auto& [name, value] : figures_of(runs[i], metrics[i])) {
      // Pools differ from run to run: a row that a run does not have stays empty in it.
      auto known = std::find(names.begin(), names.end(), name);
      if (known == names.end()) {
        known = names.insert(names.begin() + static_cast<std::ptrdiff_t>(std::min(row, names.size())), name);
        const auto at = known - names.begin();
        for (std::size_t c = 0; c < i; ++c) columns[c].insert(columns[c].begin() + at, "");
      }
      row = static_cast<std::size_t>(known - names.begin()) + 1;
      if (columns[i].size() < row) columns[i].resize(row);
      columns[i][row - 1] = std::move(value);
    }
    columns[i].resize(names.size());
  }
  std::string text;
  for (std::size_t row = 0; row < names.size(); ++row) {
    std::string line = padded(names[row], k_name_width);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      std::size_t width = 0;
      for (const std::string& cell : columns[c]) width = std::max(width, columns_of(cell));
      line += c + 1 < columns.size() ? padded(columns[c][row], width + 2) : columns[c][row];
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace virga
