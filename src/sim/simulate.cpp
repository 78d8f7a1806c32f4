#include "sim/simulate.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sim/flat/trace_mode.hpp"
#include "sim/reproduce/journal_mode.hpp"
#include "sim/scenario/scenario_mode.hpp"
#include "sim/world/simulate_seeds.hpp"
#include "wire/error_codes.hpp"

namespace virga {

namespace {

/// Pools and overlays of a size that 32-bit units and 64-bit unit-seconds hold.
constexpr std::int64_t k_units_max = 1'000'000'000;
constexpr std::uint32_t k_overlay_max = 10'000;

/// What the parser fills in: names become enum values afterwards.
struct Arguments {
  TraceMode trace;
  std::string scenario;
  std::vector<std::string> compare;
  SimulateOptions seeds;
  std::string journal;
  std::string html;
  std::string unit_column{name_of(UnitColumn::cpus)};
  std::string policy{name_of(QueuePolicy::easy)};
  std::string pass{name_of(FlatPass::time)};
  std::string estimates{name_of(FlatEstimates::request)};
};

int complain(const Error& error) {
  fmt::print(stderr, "virga simulate: {}\n", error.message);
  return exit_code(error.code);
}

template <NamedEnum E>
CLI::Option* add_names(CLI::App& app, const std::string& name, std::string& value, const std::string& what) {
  const std::vector<std::string> names(std::begin(EnumNames<E>::names), std::end(EnumNames<E>::names));
  return app.add_option(name, value, what)->check(CLI::IsMember(names))->capture_default_str();
}

void describe(CLI::App& app, Arguments& args) {
  TraceMode& t = args.trace;
  app.add_option("--scenario", args.scenario, "a described supercomputer, its jobs and its faults")
      ->type_name("FILE.toml");
  app.add_option("--compare", args.compare, "two such files, side by side")->type_name("A.toml B.toml")->expected(2);
  app.add_option("--trace", t.trace, "a recorded workload: .csv or .swf, also .gz")->type_name("FILE");
  app.add_option("--units", t.units, "size of the flat pool, of one copy of the trace")
      ->check(CLI::Range(std::int64_t{1}, k_units_max));
  add_names<UnitColumn>(app, "--unit-column", args.unit_column, "the trace's column that counts as units");
  const std::vector<CLI::Option*> of_flat = {
      add_names<QueuePolicy>(app, "--policy", args.policy,
                             "who may start, and who may overtake; virga: easy, by due time"),
      add_names<FlatPass>(app, "--pass", args.pass, "one pass a second with events, or one after every event"),
      add_names<FlatEstimates>(app, "--estimates", args.estimates,
                               "run times the scheduler knows: requested or true ones"),
      app.add_option("--starts", t.starts, "write job_id,submit_s,start_s,end_s; gzip'ed if the name ends in .gz")
          ->type_name("OUT.csv[.gz]"),
      app.get_option("--units")};
  app.add_option("--overlay", t.overlay, "lay so many copies over each other, on so many times the units")
      ->check(CLI::Range(std::uint32_t{1}, k_overlay_max));
  app.add_option("--json", t.json, "write the figures as JSON, '-' to standard output, instead of a table")
      ->type_name("FILE");
  CLI::Option* html = app.add_option("--html", args.html, "write the report's page here, not into NAME.html");
  html->type_name("FILE");
  for (CLI::Option* option : of_flat) {
    option->excludes("--scenario")->excludes("--compare");
  }
  app.add_option("--journal", args.journal, "a recorded run, once more: does the controller decide the same?")
      ->type_name("PATH")
      ->excludes("--scenario")
      ->excludes("--compare")
      ->excludes("--trace")
      ->excludes("--html");
  app.add_option("--seed", args.seeds.first, "a drawn supercomputer, week and faults, with all invariants checked")
      ->excludes("--scenario")
      ->excludes("--compare")
      ->excludes("--trace")
      ->excludes("--journal");
  app.add_option("--seeds", args.seeds.count, "so many of them, from --seed on")->needs("--seed");
  app.add_flag("--verbose", args.seeds.verbose, "with --seed: one line for whatever happens")->needs("--seed");
  app.get_option("--compare")->excludes("--scenario")->excludes("--trace");
}

int answer(const Result<std::string>& report) {
  if (!report) return complain(report.error());
  fmt::print("{}", *report);
  // Half an answer must not pass for a whole one.
  if (std::fflush(stdout) != 0) return complain({Code::exhausted, "the output cannot be written"});
  return 0;
}

int simulate_trace(const Arguments& args) {
  const TraceMode& t = args.trace;
  if (t.units == 0) {
    return complain({Code::invalid, "--trace needs --units N, or --scenario FILE.toml, to say what it runs on"});
  }
  if (!args.html.empty()) return complain({Code::invalid, "--html belongs to --scenario and --compare"});
  if (t.units * t.overlay > k_units_max) {
    return complain(
        {Code::invalid, fmt::format("--units {} times --overlay {} is more than {}", t.units, t.overlay, k_units_max)});
  }
  return answer(run_trace_mode(t));
}

int simulate_journal(const Arguments& args, const JournalOpener& open) {
  const Result<JournalOutput> output = run_journal_mode({.journal = args.journal, .json = args.trace.json}, open);
  if (!output) {
    complain(output.error());
    return 2;  // whatever it is: there is nothing to compare
  }
  const int code = answer(output->text);
  return code != 0 || output->reproduced ? code : 1;
}

int simulate_scenario(const Arguments& args, bool column_given) {
  ScenarioMode mode{.files = args.compare, .html = args.html, .json = args.trace.json};
  if (mode.files.empty()) mode.files.push_back(args.scenario);
  mode.trace = args.trace.trace;
  mode.overlay = args.trace.overlay;
  if (mode.trace.empty() && (column_given || mode.overlay > 1)) {
    return complain({Code::invalid, "--unit-column and --overlay need --trace FILE: they say how to read it"});
  }
  if (column_given) mode.unit_column = args.trace.unit_column;
  const Result<ScenarioOutput> output = run_scenario_mode(mode);
  if (!output) return complain(output.error());
  const int code = answer(output->text);
  fmt::print(stderr, "{}", output->notes);
  return code;
}

}  // namespace

int simulate_main(int argc, char** argv, const JournalOpener& open_journal) {
  Arguments args;
  CLI::App app(
      "What if: recorded workloads and described supercomputers, with the decision code that also runs in "
      "production.",
      "virga simulate");
  describe(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& wrong) {
    return complain({Code::invalid, fmt::format("{} (see 'virga simulate --help')", wrong.what())});
  }
  TraceMode& t = args.trace;
  t.unit_column = *enum_from_name<UnitColumn>(args.unit_column);
  t.policy = *enum_from_name<QueuePolicy>(args.policy);
  t.pass = *enum_from_name<FlatPass>(args.pass);
  t.estimates = *enum_from_name<FlatEstimates>(args.estimates);
  if (!args.scenario.empty() || !args.compare.empty()) {
    return simulate_scenario(args, app.count("--unit-column") > 0);
  }
  if (!t.trace.empty()) return simulate_trace(args);
  if (!args.journal.empty()) return simulate_journal(args, open_journal);
  if (app.count("--seed") > 0) {
    return simulate_seeds(args.seeds, [](const std::string& line) { fmt::print("{}\n", line); });
  }
  return complain(
      {Code::invalid,
       "nothing to simulate; give --scenario FILE.toml, --compare A.toml B.toml, --journal PATH, --seed N, or "
       "--trace FILE with --units N"});
}

}  // namespace virga
