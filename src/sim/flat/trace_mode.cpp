#include "sim/flat/trace_mode.hpp"

#include <fmt/format.h>

#include <string_view>

#include "sim/flat/metrics.hpp"
#include "wire/json_codec.hpp"
#include "wire/text_file.hpp"

namespace virga {

namespace {

/// Everything a report tells about.
struct Replay {
  const TraceMode& mode;
  const Trace& trace;
  const FlatMetrics& metrics;

  std::string trace_name() const { return mode.trace.substr(mode.trace.rfind('/') + 1); }
  std::int64_t units() const { return mode.units * mode.overlay; }
};

/// Rounded, without trailing zeros but with one digit after the point: 0.689083, 7510.731, 3.0.
std::string rounded(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", value, digits);
  while (text.ends_with('0') && text[text.size() - 2] != '.') text.pop_back();
  return text;
}

std::string to_json(const Replay& r) {
  const FlatMetrics& m = r.metrics;
  JsonWriter w;
  auto number = [&w](std::string_view name, double value, int digits) {
    w.key(name);
    w.put_json(rounded(value, digits));
  };
  w.begin_object();
  w("trace", r.trace_name());
  w("units", r.units());
  w("unit_col", r.mode.unit_column);
  w("policy", r.mode.policy);
  w("jobs", m.jobs);
  number("mean_wait_s", m.mean_wait_s, 3);
  w("max_wait_s", m.max_wait_s);
  w("waited_jobs", m.waited_jobs);
  number("mean_bsld10", m.mean_bsld10, 4);
  w("makespan_s", m.makespan_s);
  number("utilisation", m.utilisation, 6);
  number("area_weighted_wait_s", m.area_weighted_wait_s, 3);
  w("pass", r.mode.pass);
  w("estimates", r.mode.estimates);
  w("overlay", r.mode.overlay);
  number("area_weighted_wait_bound_s", m.area_weighted_wait_bound_s, 3);
  number("area_weighted_wait_ratio", m.area_weighted_wait_ratio, 3);
  number("utilisation_while_queued", m.utilisation_while_queued, 6);
  w("promises", m.promises);
  w("promises_broken", m.promises_broken);
  w("rows", r.trace.rows);
  w.key("skipped");
  w.begin_object();
  for (std::size_t i = 0; i < k_skip_reasons; ++i) w(name_of(static_cast<Skip>(i)), r.trace.skipped[i]);
  w.end_object();
  w.end_object();
  return w.take() + "\n";
}

std::string skipped_text(const Trace& trace) {
  std::string text;
  for (std::size_t i = 0; i < k_skip_reasons; ++i) {
    if (trace.skipped[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", trace.skipped[i], name_of(static_cast<Skip>(i)));
  }
  return text.empty() ? "none" : text;
}

std::string to_table(const Replay& r) {
  const FlatMetrics& m = r.metrics;
  std::string text;
  auto line = [&text](std::string_view name, const std::string& value) {
    text += fmt::format("{:<24}{}\n", name, value);
  };
  line("trace", fmt::format("{}, {} rows{}", r.trace_name(), r.trace.rows,
                            r.mode.overlay > 1 ? fmt::format(", {} copies", r.mode.overlay) : ""));
  line("skipped rows", skipped_text(r.trace));
  line("pool", fmt::format("{} {}", r.units(), name_of(r.mode.unit_column)));
  line("policy", fmt::format("{}, a pass each {}, estimates: {}", name_of(r.mode.policy), name_of(r.mode.pass),
                             name_of(r.mode.estimates)));
  line("jobs", fmt::format("{}, of which {} waited", m.jobs, m.waited_jobs));
  line("mean wait", rounded(m.mean_wait_s, 3) + " s");
  line("longest wait", fmt::format("{} s", m.max_wait_s));
  line("mean bounded slowdown", rounded(m.mean_bsld10, 4));
  line("makespan", fmt::format("{} s", m.makespan_s));
  line("utilisation",
       fmt::format("{}, while jobs waited {}", rounded(m.utilisation, 6), rounded(m.utilisation_while_queued, 6)));
  line("work-weighted wait",
       fmt::format("{} s; no schedule is below {} s: {} times that", rounded(m.area_weighted_wait_s, 3),
                   rounded(m.area_weighted_wait_bound_s, 3), rounded(m.area_weighted_wait_ratio, 3)));
  line("promised starts", fmt::format("{}, of which {} came later", m.promises, m.promises_broken));
  return text;
}

std::string to_starts_csv(const Trace& trace, const FlatRun& run) {
  std::string text = "job_id,submit_s,start_s,end_s\n";
  for (std::size_t i = 0; i < trace.jobs.size(); ++i) {
    const TraceJob& job = trace.jobs[i];
    fmt::format_to(std::back_inserter(text), "{},{},{},{}\n", trace.id_of(job), job.submit_s, run.start_s[i],
                   run.start_s[i] + job.duration_s);
  }
  return text;
}

}  // namespace

Result<std::string> run_trace_mode(const TraceMode& mode) {
  const std::int64_t units = mode.units * mode.overlay;
  Result<Trace> trace =
      read_trace({.path = mode.trace, .unit_column = mode.unit_column, .units = units, .overlay = mode.overlay});
  if (!trace) return unexpected(trace.error());
  if (trace->jobs.empty()) {
    return fail(Code::invalid, fmt::format("{}: no job to replay in {} rows; skipped: {}", mode.trace, trace->rows,
                                           skipped_text(*trace)));
  }
  const FlatRun run = simulate_flat(
      trace->jobs, {.units = units, .policy = mode.policy, .pass = mode.pass, .estimates = mode.estimates});
  const FlatMetrics metrics = measure_flat(trace->jobs, run, units);
  if (!mode.starts.empty()) {
    if (Status written = write_text_file(mode.starts, to_starts_csv(*trace, run)); !written) {
      return unexpected(written.error());
    }
  }
  const Replay replay{mode, *trace, metrics};
  if (mode.json.empty()) return to_table(replay);
  if (mode.json == "-") return to_json(replay);
  if (Status written = write_text_file(mode.json, to_json(replay)); !written) return unexpected(written.error());
  return std::string();
}

}  // namespace virga
