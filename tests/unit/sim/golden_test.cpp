// Recorded workloads, start for start and figure for figure as published. Skipped where the data are not at hand.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>

#include "sim/flat/metrics.hpp"
#include "sim/flat/trace_mode.hpp"
#include "wire/text_file.hpp"
#include "workloads.hpp"

namespace virga::test {

namespace {

/// The value of a key in one flat JSON object; strings without their quotes.
std::string value_of(const std::string& json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":");
  REQUIRE(at != std::string::npos);
  std::string value = json.substr(at + key.size() + 3);
  value = value.substr(0, value.find_first_of(",}"));
  std::erase(value, '"');
  return value;
}

TraceMode mode_of(const std::string& folder, const std::string& golden) {
  TraceMode mode;
  mode.trace = folder + "/traces/" + value_of(golden, "trace");
  mode.units = std::stoll(value_of(golden, "units"));
  mode.unit_column = *enum_from_name<UnitColumn>(value_of(golden, "unit_col"));
  mode.policy = *enum_from_name<QueuePolicy>(value_of(golden, "policy"));
  mode.pass = *enum_from_name<FlatPass>(value_of(golden, "pass"));
  mode.estimates = *enum_from_name<FlatEstimates>(value_of(golden, "estimates"));
  return mode;
}

}  // namespace

TEST_CASE("all published figures of recorded workloads") {
  const auto folder = shared_data();
  if (!folder) {
    MESSAGE("skipped: no recorded workloads; VIRGA_SHARED_DATA names their folder");
    return;
  }
  Result<std::string> lines = read_text_file(*folder + "/easy-golden/metrics.jsonl");
  REQUIRE(lines);
  std::size_t compared = 0;
  for (std::size_t at = 0; at < lines->size();) {
    std::string golden = lines->substr(at, lines->find('\n', at) - at);
    at += golden.size() + 1;
    std::erase(golden, ' ');
    TraceMode mode = mode_of(*folder, golden);
    mode.json = "-";
    Result<std::string> got = run_trace_mode(mode);
    REQUIRE(got);
    // Ours has the same keys first, then more.
    CHECK(got->substr(0, golden.size() - 1) == golden.substr(0, golden.size() - 1));
    CHECK(value_of(*got, "promises_broken") == "0");
    ++compared;
  }
  CHECK(compared == 9);
}

TEST_CASE("KTH under EASY, start for start") {
  const auto folder = shared_data();
  if (!folder) {
    MESSAGE("skipped: no recorded workloads; VIRGA_SHARED_DATA names their folder");
    return;
  }
  char scratch[] = "/tmp/virga-sim-test-XXXXXX";
  REQUIRE(mkdtemp(scratch) != nullptr);
  const std::string ours = std::string(scratch) + "/starts.csv.gz";
  const std::string kth = *folder + "/traces/kth-sp2-1996.csv.gz";
  REQUIRE(run_trace_mode({.trace = kth, .units = 100, .starts = ours, .json = "-"}));
  Result<std::string> got = read_text_file(ours);
  Result<std::string> golden = read_text_file(*folder + "/easy-golden/kth-sp2-1996.p100.easy.starts.csv.gz");
  REQUIRE(got);
  REQUIRE(golden);
  std::erase(*golden, '\r');
  const bool same = *got == *golden;
  CHECK(same);
  std::filesystem::remove_all(scratch);
}

TEST_CASE("recorded workloads: nobody starts later than was first promised, the bound holds") {
  const auto folder = shared_data();
  if (!folder) {
    MESSAGE("skipped: no recorded workloads; VIRGA_SHARED_DATA names their folder");
    return;
  }
  struct Recorded {
    std::string name;
    std::int64_t units;
    UnitColumn column;
  };
  for (const auto& recorded :
       {Recorded{"kth-sp2-1996", 100, UnitColumn::cpus}, Recorded{"philly-2017", 768, UnitColumn::gpus},
        Recorded{"llnl-atlas-2006", 9216, UnitColumn::cpus}}) {
    const std::string name = recorded.name;  // clang 14 cannot capture a structured binding
    const std::int64_t units = recorded.units;
    Result<Trace> trace =
        read_trace({.path = *folder + "/traces/" + name + ".csv.gz", .unit_column = recorded.column, .units = units});
    REQUIRE(trace);
    for (const auto policy :
         {QueuePolicy::easy, QueuePolicy::easy_sjbf, QueuePolicy::conservative, QueuePolicy::virga}) {
      if (policy == QueuePolicy::conservative && units > 100) continue;  // slow without optimisation
      INFO(name, " ", name_of(policy));
      const FlatOptions options{.units = units, .policy = policy, .estimates = FlatEstimates::exact};
      const FlatMetrics m = measure_flat(trace->jobs, simulate_flat(trace->jobs, options), units);
      CHECK(m.promises > 0);
      CHECK(m.promises_broken == 0);
      CHECK(m.area_weighted_wait_ratio >= 1);
    }
  }
}

}  // namespace virga::test
