#include "twin/validate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "twin/validate_rows.hpp"

namespace virga::twin {

namespace {

double magnitude(double value) { return value < 0 ? -value : value; }

/// More is faster: the error is told of the time that the rate means.
bool is_rate(std::string_view unit) {
  return unit == "TFLOP/s" || unit == "tokens/s" || unit == "GB/s" || unit == "Gb/s" || unit == "ratio";
}

ValidationSummary summary_of(const std::vector<ValidatedRow>& rows, std::string_view group, std::string_view metric) {
  ValidationSummary summary;
  summary.source_group = group;
  summary.metric = metric;
  std::vector<double> errors;
  for (const ValidatedRow& row : rows) {
    if (row.source_group != group || row.metric != metric) continue;
    if (!row.predicted) {
      ++summary.skipped;
      continue;
    }
    errors.push_back(magnitude(row.error()));
    summary.bias += row.error();
    summary.mean_error += errors.back();
    summary.outside += row.outside_calibration ? 1 : 0;
  }
  summary.rows = static_cast<std::uint32_t>(errors.size());
  if (errors.empty()) return summary;
  std::sort(errors.begin(), errors.end());
  const double count = static_cast<double>(errors.size());
  summary.mean_error /= count;
  summary.bias /= count;
  summary.worst_error = errors.back();
  summary.median_error = (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]) / 2;
  return summary;
}

void summarise(Validation& validation) {
  std::vector<std::pair<std::string, std::string>> seen;
  for (const ValidatedRow& row : validation.rows) {
    std::pair<std::string, std::string> key{row.source_group, row.metric};
    if (std::find(seen.begin(), seen.end(), key) == seen.end()) seen.push_back(std::move(key));
  }
  for (const auto& [group, metric] : seen) validation.summary.push_back(summary_of(validation.rows, group, metric));
}

}  // namespace

double ValidatedRow::error() const {
  if (!predicted || measured == 0 || *predicted == 0) return 0;
  return is_rate(unit) || metric == "mfu" || metric == "hfu" ? measured / *predicted - 1 : *predicted / measured - 1;
}

Result<Validation> validate(std::string_view text, std::string_view name, const Assumptions& assumptions) {
  CsvReader csv(text);
  const bool collective = csv.column("message_bytes") != CsvReader::npos;
  for (const std::string_view needed : {"gpu", "gpus", "metric", "value", "unit"}) {
    if (csv.column(needed) == CsvReader::npos) {
      return fail(Code::invalid, fmt::format("{}: its header has no column \"{}\"", name, needed));
    }
  }
  if (!collective && csv.column("model") == CsvReader::npos) {
    return fail(Code::invalid, fmt::format("{}: its header has neither \"model\" nor \"message_bytes\"", name));
  }
  Validation validation;
  while (csv.next()) {
    RowReader reader(csv);
    ValidatedRow row;
    row.source = reader.text("source");
    row.source_group = reader.text("source_group");
    row.model = reader.text(collective ? "collective" : "model");
    row.gpu = reader.text("gpu");
    row.gpus = reader.number<std::uint32_t>("gpus");
    row.metric = reader.text("metric");
    row.unit = reader.text("unit");
    row.measured = reader.number<double>("value");
    if (reader.wrong().empty()) {
      if (collective) {
        predict_collective(reader, row);
      } else {
        predict_training(reader, assumptions, row);
      }
    }
    if (!reader.wrong().empty()) {
      return fail(Code::invalid, fmt::format("{}, line {}: {} \"{}\" is no number", name, csv.line(), reader.wrong(),
                                             reader.text(reader.wrong())));
    }
    validation.rows.push_back(std::move(row));
  }
  if (csv.ragged_line() > 0) {
    return fail(Code::invalid, fmt::format("{}, line {}: more fields than the header has, or a quote that does not end",
                                           name, csv.ragged_line()));
  }
  if (validation.rows.empty()) return fail(Code::invalid, fmt::format("{}: no measurements in it", name));
  summarise(validation);
  return validation;
}

std::string validation_text(const Validation& validation, bool all) {
  std::string text;
  if (all) {
    for (const ValidatedRow& row : validation.rows) {
      text += fmt::format("{:<22} {:<24} {:<16} {:>6} {:<32} {:>12.5g} ", row.source_group, row.model, row.gpu,
                          row.gpus, row.metric, row.measured);
      if (row.predicted) {
        text += fmt::format("{:>12.5g} {:>+7.1f} %{}\n", *row.predicted, 100 * row.error(),
                            row.outside_calibration ? "  outside of the calibrated range" : "");
      } else {
        text += fmt::format("     skipped: {}\n", *row.skipped);
      }
    }
    text += '\n';
  }
  text += fmt::format("{:<22} {:<38} {:>5} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8}\n", "source", "metric", "rows",
                      "outside", "skipped", "mean", "median", "worst", "bias");
  for (const ValidationSummary& s : validation.summary) {
    text += fmt::format("{:<22} {:<38} {:>5} {:>7} {:>7} ", s.source_group, s.metric, s.rows, s.outside, s.skipped);
    text += s.rows == 0 ? std::string("       -        -        -        -\n")
                        : fmt::format("{:>6.1f} % {:>6.1f} % {:>6.1f} % {:>+6.1f} %\n", 100 * s.mean_error,
                                      100 * s.median_error, 100 * s.worst_error, 100 * s.bias);
  }
  return text;
}

}  // namespace virga::twin
