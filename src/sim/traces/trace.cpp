#include "sim/traces/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/text_file.hpp"

namespace virga {

namespace {

constexpr std::size_t k_jobs_max = 50'000'000;

Status overlay(Trace& trace, const TraceOptions& options) {
  const std::size_t once = trace.jobs.size();
  if (once * options.overlay > k_jobs_max) {
    return fail(Code::exhausted, fmt::format("--overlay {}: {} jobs; at most {} are replayed", options.overlay,
                                             once * options.overlay, k_jobs_max));
  }
  trace.copies = options.overlay;
  trace.jobs.reserve(once * options.overlay);
  for (std::uint32_t copy = 1; copy < options.overlay; ++copy) {
    for (std::size_t i = 0; i < once; ++i) {
      TraceJob job = trace.jobs[i];
      job.copy = copy;
      job.submit_s += copy * k_overlay_shift_s;
      trace.jobs.push_back(job);
    }
  }
  return {};
}

}  // namespace

void add_row(Trace& trace, const TraceRow& row, std::int64_t units_max) {
  ++trace.rows;
  auto skip = [&](Skip why) { ++trace.skipped[static_cast<std::size_t>(why)]; };
  if (!row.units_known) return skip(Skip::units_unknown);
  if (row.units_fractional) return skip(Skip::units_fractional);
  if (row.units <= 0) return skip(Skip::no_units);
  if (row.units > units_max) return skip(Skip::too_wide);
  if (!row.duration_known) return skip(Skip::duration_unknown);
  if (row.duration_s <= 0) return skip(Skip::no_duration);
  trace.jobs.push_back({.submit_s = row.submit_s,
                        .duration_s = row.duration_s,
                        .estimate_s = std::max(row.requested_s, row.duration_s),
                        .units = static_cast<std::uint32_t>(row.units),
                        .copy = 0,
                        .id = row.id});
}

Result<Trace> read_trace(const TraceOptions& options) {
  std::string_view name = options.path;
  if (name.ends_with(".gz")) name.remove_suffix(3);
  const bool is_swf = name.ends_with(".swf");
  if (!is_swf && !name.ends_with(".csv")) {
    return fail(Code::invalid,
                options.path + ": not a known kind of trace; its name must end in .csv, .csv.gz, .swf or .swf.gz");
  }
  Result<std::string> text = read_text_file(options.path);
  if (!text) return unexpected(text.error());
  Trace trace;
  trace.text = std::make_unique<const std::string>(*std::move(text));
  if (Status read = is_swf ? read_swf_trace(trace, options) : read_csv_trace(trace, options); !read) {
    return unexpected(read.error());
  }
  if (Status laid = overlay(trace, options); !laid) return unexpected(laid.error());
  const auto earlier = [](const TraceJob& a, const TraceJob& b) { return a.submit_s < b.submit_s; };
  if (!std::is_sorted(trace.jobs.begin(), trace.jobs.end(), earlier)) {
    std::stable_sort(trace.jobs.begin(), trace.jobs.end(), earlier);
  }
  return trace;
}

}  // namespace virga
