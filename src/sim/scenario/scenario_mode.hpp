// `virga simulate --scenario` and `--compare`: reads the files, runs them, reports.
//
//   Result<ScenarioOutput> out = run_scenario_mode({.files = {"eagle.toml"}});           // eagle.html, eagle.json
//   run_scenario_mode({.files = {"a.toml", "b.toml"}, .html = "ab.html", .json = "-"});
//   run_scenario_mode({.files = {"eagle.toml"}, .trace = "philly.csv.gz", .unit_column = UnitColumn::gpus});
//
// With more than one file the page compares them, and the JSON is an array. With a trace its jobs take the place of
// [workload]: units are GPUs of the first pool's nodes, or its nodes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

struct ScenarioMode {
  std::vector<std::string> files;              ///< at least one
  std::string trace = {};                      ///< empty: the workload of the file
  std::optional<UnitColumn> unit_column = {};  ///< none: as the scenario says, else GPUs
  std::uint32_t overlay = 1;                   ///< more than one: instead of what the scenario says
  std::string html = {};                       ///< a file; empty: NAME.html in the working directory
  std::string json = {};                       ///< a file, or "-"; empty: NAME.json in the working directory
};

struct ScenarioOutput {
  std::string text;   ///< belongs on standard output
  std::string notes;  ///< belongs on standard error: where the files are
};

Result<ScenarioOutput> run_scenario_mode(const ScenarioMode& mode);

}  // namespace virga
