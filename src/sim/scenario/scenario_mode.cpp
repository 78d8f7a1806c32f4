#include "sim/scenario/scenario_mode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/report/html_report.hpp"
#include "sim/report/metrics.hpp"
#include "sim/scenario/scenario_run.hpp"
#include "sim/scenario/scenario_summary.hpp"
#include "sim/traces/text_file.hpp"
#include "wire/config_toml.hpp"

namespace virga {
namespace {

/// "dir/eagle.toml" is called "eagle".
std::string name_of_file(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  const auto dot = file.rfind('.');
  return dot == std::string::npos || dot == 0 ? file : file.substr(0, dot);
}

/// A trace's job on nodes of this pool.
SimJob job_of_trace(const TraceJob& from, const std::string& user, std::int64_t first_s, UnitColumn column,
                    const Pool& pool) {
  SimJob job;
  job.submit = Time::from_seconds(from.submit_s - first_s);
  job.user = user;
  job.duration = Duration::seconds(from.duration_s);
  job.limit = Duration::seconds(from.estimate_s);
  const std::uint32_t gpus = pool.sku.resources.gpus;
  if (column == UnitColumn::nodes) {
    job.nodes = from.units;
    job.gpus_per_node = gpus;
  } else {
    job.nodes = (from.units + gpus - 1) / gpus;
    job.gpus_per_node = std::min(from.units, gpus);
  }
  return job;
}

Status read_jobs_of_trace(const ScenarioMode& mode, ScenarioInput& input) {
  const Pool& pool = input.config.pools.front();
  if (mode.unit_column == UnitColumn::cpus) {
    return fail(Code::invalid, "--unit-column cpus: a scenario's machine counts GPUs or nodes; write gpus or nodes");
  }
  const bool by_gpus = mode.unit_column == UnitColumn::gpus;
  if (by_gpus && pool.sku.resources.gpus == 0) {
    return fail(Code::invalid, fmt::format("{}: {} of pool {} has no GPUs; write --unit-column nodes", mode.files[0],
                                           pool.sku.name, pool.name));
  }
  std::int64_t units = 0;
  for (const Pool& each : input.config.pools)
    units += by_gpus ? each.max_nodes * each.sku.resources.gpus : each.max_nodes;
  const Result<Trace> trace =
      read_trace({.path = mode.trace, .unit_column = mode.unit_column, .units = units, .overlay = mode.overlay});
  if (!trace) return unexpected(trace.error());
  if (trace->jobs.empty()) return fail(Code::invalid, fmt::format("{}: no job in {} rows", mode.trace, trace->rows));
  input.traces = {mode.trace.substr(mode.trace.rfind('/') + 1)};
  for (const TraceJob& job : trace->jobs) {
    input.jobs.push_back(job_of_trace(job, "trace", trace->jobs.front().submit_s, mode.unit_column, pool));
  }
  for (std::size_t i = 0; i < k_skip_reasons; ++i) {
    if (trace->skipped[i] == 0) continue;
    input.skipped.push_back({std::string(name_of(static_cast<Skip>(i))), trace->skipped[i], input.traces.front()});
  }
  return {};
}

Result<ScenarioInput> read_input(const ScenarioMode& mode, const std::string& file) {
  const Result<std::string> text = read_text_file(file);
  if (!text) return unexpected(text.error());
  const bool traced = !mode.trace.empty();
  const Result<Scenario> scenario = parse_scenario(*text, file, traced ? JobSource::trace : JobSource::workload);
  if (!scenario) return unexpected(scenario.error());
  const Result<Config> config = parse_config(scenario->config_text, file, {.plain_network = {}, .simulated = true});
  if (!config) return unexpected(config.error());
  ScenarioInput input{.name = name_of_file(file),
                      .config = *config,
                      .faults = scenario->faults,
                      .jobs = {},
                      .seed = scenario->workload.seed};
  if (!traced) {
    input.jobs = make_workload(scenario->workload);
  } else if (Status read = read_jobs_of_trace(mode, input); !read) {
    return unexpected(read.error());
  }
  return input;
}

Status write_and_note(const std::string& path, const std::string& text, const char* what, std::string& notes) {
  Status written = write_text_file(path, text);
  if (written) notes += fmt::format("{}: {} ({} KB)\n", what, path, (text.size() + 999) / 1000);
  return written;
}

}  // namespace

Result<ScenarioOutput> run_scenario_mode(const ScenarioMode& mode) {
  std::vector<ScenarioInput> inputs;
  for (const std::string& file : mode.files) {  // all of them before the first runs
    Result<ScenarioInput> input = read_input(mode, file);
    if (!input) return unexpected(input.error());
    inputs.push_back(*std::move(input));
  }
  std::vector<RunRecord> runs;
  std::vector<RunMetrics> metrics;
  ScenarioStats stats;
  std::string json;
  std::string name;
  for (const ScenarioInput& input : inputs) {
    Result<RunRecord> run = run_scenario(input, &stats);
    if (!run) return unexpected(run.error());
    metrics.push_back(metrics_of(*run));
    json += (json.empty() ? "" : ",\n ") + metrics_json(*run, metrics.back());
    name += (name.empty() ? "" : "-against-") + run->name;
    runs.push_back(*std::move(run));
  }
  json = runs.size() > 1 ? "[" + json + "]\n" : json + "\n";
  ScenarioOutput output;
  if (mode.json == "-") {
    output.text = json;
  } else {
    output.text =
        runs.size() > 1 ? comparison_text(runs, metrics) : scenario_summary(runs.front(), metrics.front(), stats);
    const std::string path = mode.json.empty() ? name + ".json" : mode.json;
    if (Status written = write_and_note(path, json, "figures", output.notes); !written) {
      return unexpected(written.error());
    }
  }
  const std::string page = mode.html.empty() ? name + ".html" : mode.html;
  if (Status written = write_and_note(page, html_report(runs), "report", output.notes); !written) {
    return unexpected(written.error());
  }
  return output;
}

}  // namespace virga
