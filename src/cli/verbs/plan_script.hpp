// What the launchers' parts of a batch script have in common (plan_script.cpp puts it together).
//
// Names of flags and fields, and the rules between them, are held against those of the launchers by
// tests/plan/flags_test.py.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/verbs/plan_report.hpp"

namespace virga {

/// Shell arrays with the trainer's arguments, and the call of the trainer.
std::string megatron_script(const PlanReport& report);
std::string bridge_script(const PlanReport& report);

inline std::uint64_t save_every(const PlanReport& r) {
  const double interval = r.point.run.interval_s > 0 ? r.point.run.interval_s : 3600;
  return static_cast<std::uint64_t>(std::max(1.0, std::floor(interval / r.prediction.seconds + 0.5)));
}

inline std::uint64_t steps(const PlanReport& r) {
  const double tokens = r.request.tokens;
  return tokens > 0 ? static_cast<std::uint64_t>(twin::steps_of(tokens, *r.request.model, r.layout.global_batch)) : 100;
}

inline std::uint32_t expert_tensor(const twin::Layout& l) { return l.ep >= l.tp ? 1 : l.tp / l.ep; }

/// How many layers the last stage has where they cannot be dealt evenly; 0: they can.
inline std::uint32_t short_last_stage(const PlanReport& r) {
  const std::uint32_t layers = r.request.model->layers;
  const std::uint32_t pp = r.layout.pp;
  if (pp == 1 || layers % pp == 0 || (layers + 2) % pp == 0) return 0;
  return twin::stage_layers(layers, pp).last;
}

inline bool counts_embedding_as_layer(const PlanReport& r) {
  const std::uint32_t chunks = r.layout.pp * r.layout.interleave;
  return r.layout.pp > 1 && r.request.model->layers % chunks != 0 && (r.request.model->layers + 2) % chunks == 0;
}

/// The lines of a shell array.
class Lines {
 public:
  void add(std::string line) { lines_.push_back(std::move(line)); }
  template <class... T>
  void add(fmt::format_string<T...> format, T&&... values) {
    lines_.push_back(fmt::format(format, std::forward<T>(values)...));
  }
  /// As the elements of a shell array.
  std::string array(std::string_view name) const {
    std::string text = fmt::format("{}=(\n", name);
    for (const std::string& line : lines_) text += "  " + line + "\n";
    return text + ")\n";
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace virga
