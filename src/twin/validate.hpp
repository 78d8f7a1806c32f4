// What the twin says of runs that were measured: text of a measurement file in, one row out for every row of it.
//
//   Result<Validation> v = validate(text, "training-measurements.csv");   // the error: line and column
//   v->rows[0].predicted;                                  // nothing: see skipped
//   v->summary[0].source_group == "bloom"; v->summary[0].mean_error;      // 0.05 is 5 %
//
// Two formats, told apart by their header. Training: columns model, gpu, gpus, metric, value, unit, and of the layout
// what the source states (layers, hidden, heads, seq, vocab, tp, pp, cp, ep, micro_batch, global_batch, interleave,
// seq_parallel, recompute, precision), source, source_group, network, notes; optional stack and date name the software.
// Collectives: collective, gpu, gpus, gpus_per_node, fabric, message_bytes, metric, value, unit.
//
// What a row does not state of its layout is chosen as its engineers would have: the fastest that fits. Software that
// no column names is told from the source's words (see stack_of_source in validate_training.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "twin/constants.hpp"

namespace virga::twin {

struct ValidatedRow {
  std::string source;
  std::string source_group;
  std::string model;  ///< of a collective: its name
  std::string gpu;
  std::uint32_t gpus = 0;
  std::string metric;
  std::string unit;
  double measured = 0;
  std::optional<double> predicted;
  bool outside_calibration = false;
  bool unfit = false;                  ///< it ran, but is predicted to need more memory than the GPU has
  std::optional<std::string> skipped;  ///< why there is no prediction

  /// Relative: predicted / measured - 1, of times; of rates the same for the time that they mean. 0 if skipped.
  double error() const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("source", s.source);
    v("model", s.model);
    v("gpu", s.gpu);
    v("gpus", s.gpus);
    v("metric", s.metric);
    v("unit", s.unit);
    v("measured", s.measured);
    v("predicted", s.predicted);
    v("outside_calibration", s.outside_calibration);
    v("skipped", s.skipped);
  }
};

/// Absolute relative errors of the predicted rows of one group, and of one kind of metric.
struct ValidationSummary {
  std::string source_group;
  std::string metric;
  std::uint32_t rows = 0;  ///< predicted
  std::uint32_t skipped = 0;
  std::uint32_t outside = 0;  ///< of the predicted, outside of the calibrated range
  double mean_error = 0;
  double median_error = 0;
  double worst_error = 0;
  double bias = 0;  ///< mean of the signed errors

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("source_group", s.source_group);
    v("metric", s.metric);
    v("rows", s.rows);
    v("skipped", s.skipped);
    v("outside_calibration", s.outside);
    v("mean_error", s.mean_error);
    v("median_error", s.median_error);
    v("worst_error", s.worst_error);
    v("bias", s.bias);
  }
};

struct Validation {
  std::vector<ValidatedRow> rows;  ///< as in the file
  std::vector<ValidationSummary> summary;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("rows", s.rows);
    v("summary", s.summary);
  }
};

/// The numbers to predict with; the fitter changes them, everybody else leaves them alone.
struct Assumptions {
  Calibration calibration;
  std::array<Stack, k_stacks.size()> stacks = k_stacks;
};

/// `name` is for error messages. Code::invalid for a file of neither format, or a line that cannot be read.
Result<Validation> validate(std::string_view text, std::string_view name, const Assumptions& assumptions = {});

/// As a table for people: the summary, and each row when `all` is set.
std::string validation_text(const Validation& validation, bool all);

}  // namespace virga::twin
