#include "sim/scenario/scenario_mode.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "sim/report/html_report.hpp"
#include "sim/report/metrics.hpp"
#include "sim/scenario/scenario_run.hpp"
#include "sim/scenario/scenario_summary.hpp"
#include "wire/config_toml.hpp"
#include "wire/text_file.hpp"

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

/// A trace that a scenario names lies in the folder that the environment names, else beside the scenario.
std::string path_of_trace(const std::string& named, const std::string& scenario_file) {
  if (named.starts_with('/')) return named;
  const char* folder = std::getenv("VIRGA_TRACES");
  if (folder != nullptr && *folder != '\0') return std::string(folder) + "/" + named;
  const auto slash = scenario_file.rfind('/');
  return slash == std::string::npos ? named : scenario_file.substr(0, slash + 1) + named;
}

/// What the command line says goes before what the scenario says.
RecordedSpec source_of(const ScenarioMode& mode, const RecordedSpec& in_file, const std::string& file) {
  RecordedSpec source = in_file;
  source.file = mode.trace.empty() ? path_of_trace(in_file.file, file) : mode.trace;
  if (mode.unit_column) source.unit_column = *mode.unit_column;
  if (mode.overlay > 1) source.overlay = mode.overlay;
  return source;
}

/// Stretches all times between submissions, so that the work comes in at so many hundredths of what `units` could do.
void scale_load(std::vector<TraceJob>& jobs, std::int64_t units, std::uint32_t load_percent) {
  const std::int64_t first_s = jobs.front().submit_s;
  Wide work = 0;
  for (const TraceJob& job : jobs) work += Wide{job.units} * job.duration_s;
  const Wide possible = Wide{units} * (jobs.back().submit_s - first_s) * load_percent;
  if (possible == 0) return;
  for (TraceJob& job : jobs) {
    job.submit_s = first_s + static_cast<std::int64_t>(Wide{job.submit_s - first_s} * work * 100 / possible);
  }
}

Status read_jobs_of_trace(const RecordedSpec& source, const std::string& file, ScenarioInput& input) {
  const Pool& pool = input.config.pools.front();
  if (source.unit_column == UnitColumn::cpus) {
    return fail(Code::invalid, "--unit-column cpus: a scenario's machine counts GPUs or nodes; write gpus or nodes");
  }
  const bool by_gpus = source.unit_column == UnitColumn::gpus;
  if (by_gpus && pool.sku.resources.gpus == 0) {
    return fail(Code::invalid, fmt::format("{}: {} of pool {} has no GPUs; write --unit-column nodes", file,
                                           pool.sku.name, pool.name));
  }
  std::int64_t units = 0;
  for (const Pool& each : input.config.pools)
    units += by_gpus ? each.max_nodes * each.sku.resources.gpus : each.max_nodes;
  Result<Trace> trace =
      read_trace({.path = source.file, .unit_column = source.unit_column, .units = units, .overlay = source.overlay});
  if (!trace) return unexpected(trace.error());
  if (trace->jobs.empty()) return fail(Code::invalid, fmt::format("{}: no job in {} rows", source.file, trace->rows));
  if (source.load_percent > 0) scale_load(trace->jobs, units, source.load_percent);
  input.traces = {source.file.substr(source.file.rfind('/') + 1)};
  for (const TraceJob& job : trace->jobs) {
    input.jobs.push_back(job_of_trace(job, "trace", trace->jobs.front().submit_s, source.unit_column, pool));
    input.jobs.back().least_leaves_for = source.least_leaves_for;
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
                      .billing_minimum = scenario->billing_minimum,
                      .jobs = {},
                      .seed = scenario->workload.seed};
  const RecordedSpec& recorded = scenario->workload.recorded;
  if (!traced && recorded.file.empty()) {
    input.jobs = make_workload(scenario->workload);
    return input;
  }
  const RecordedSpec source = source_of(mode, recorded, file);
  if (!traced && ::access(source.file.c_str(), R_OK) != 0) {
    return fail(
        Code::invalid,
        fmt::format("{}: its jobs are those of the trace {}, which is not at {}; set VIRGA_TRACES to the folder "
                    "that holds it, or name the file with --trace",
                    file, recorded.file, source.file));
  }
  if (Status read = read_jobs_of_trace(source, file, input); !read) return unexpected(read.error());
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
