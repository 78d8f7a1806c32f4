// The verb's mode of scenarios: files in, files out, and mistakes told with their places.
#include "sim/scenario/scenario_mode.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "sim/simulate.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

const std::string k_machine =
    "[pool.nd]\ncloud = \"sim\"\nmax_nodes = 16\nboot_time = \"1m\"\n[partition.main]\npools = [\"nd\"]\n";
const std::string k_jobs =
    "[workload]\nspan = \"6h\"\n[workload.mix.a]\nleast_gpus = 1\nmost_gpus = 32\nmedian = \"5m\"\nlongest = \"1h\"\n";

/// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() {
    static int count = 0;
    const auto self = std::filesystem::read_symlink("/proc/self").string();
    path_ = std::filesystem::temp_directory_path() / ("virga-scenario-" + self + "-" + std::to_string(++count));
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string at(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(at(name)) << text;
    return at(name);
  }
  std::string read(const std::string& name) const {
    const auto text = read_text_file(at(name));
    return text ? *text : text.error().message;
  }

 private:
  std::filesystem::path path_;
};

/// The message, without the folder's name, of a file that must be refused.
std::string refusal_of(const std::string& text) {
  const Folder folder;
  const auto out = run_scenario_mode({.files = {folder.write("s.toml", text)}});
  REQUIRE_FALSE(out);
  CHECK(out.error().code == Code::invalid);
  std::string message = out.error().message;
  for (auto at = message.find(folder.at("")); at != std::string::npos; at = message.find(folder.at(""))) {
    message.erase(at, folder.at("").size());
  }
  return message;
}

}  // namespace

TEST_CASE("scenario mode: a run gives a summary, a page and figures") {
  const Folder folder;
  const auto out = run_scenario_mode({.files = {folder.write("s.toml", k_machine + k_jobs)},
                                      .html = folder.at("p.html"),
                                      .json = folder.at("f.json")});
  if (!out) FAIL(out.error().message);
  CHECK(out->text.find("jobs                    25, of which 25 ended\n") != std::string::npos);
  CHECK(out->text.find("128 GPUs in nodes: 16 nd on-demand") != std::string::npos);
  CHECK(out->notes.find("report: " + folder.at("p.html")) != std::string::npos);
  CHECK(out->notes.find("figures: " + folder.at("f.json")) != std::string::npos);
  CHECK(folder.read("p.html").find("<title>s</title>") != std::string::npos);
  CHECK(folder.read("f.json").find("{\"name\":\"s\",") == 0);
}

TEST_CASE("scenario mode: with --json - the figures are all that is printed") {
  const Folder folder;
  const auto out = run_scenario_mode(
      {.files = {folder.write("s.toml", k_machine + k_jobs)}, .html = folder.at("p.html"), .json = "-"});
  REQUIRE(out);
  CHECK(out->text.front() == '{');
  CHECK(out->text.find('\n') == out->text.size() - 1);
  CHECK(out->notes.find("figures") == std::string::npos);
}

TEST_CASE("scenario mode: two runs stand side by side, each pool with its cost") {
  const Folder folder;
  const std::string other =
      "[pool.nd]\ncloud = \"sim\"\nmax_nodes = 8\n[pool.more]\ncloud = \"sim\"\nmax_nodes = 8\npurchase = \"spot\"\n"
      "[partition.main]\npools = [\"nd\", \"more\"]\n";
  const auto out =
      run_scenario_mode({.files = {folder.write("a.toml", k_machine + k_jobs), folder.write("b.toml", other + k_jobs)},
                         .html = folder.at("ab.html"),
                         .json = folder.at("ab.json")});
  if (!out) FAIL(out.error().message);
  std::istringstream lines(out->text);
  std::string line;
  std::size_t second = 0;
  bool more = false;
  while (std::getline(lines, line)) {
    if (line.starts_with("scenario ")) second = line.find('b');
    if (line.starts_with("  pool more")) {
      more = true;
      CHECK(line.find('$') == second);  // the first run has no such pool
    }
    if (line.starts_with("jobs ")) CHECK(line.find("25, of which", second) == second);
  }
  CHECK(more);
  CHECK(folder.read("ab.html").find("<title>a against b</title>") != std::string::npos);
  CHECK(folder.read("ab.json").find("[{\"name\":\"a\",") == 0);
  CHECK(folder.read("ab.json").find("{\"name\":\"b\",") != std::string::npos);
}

TEST_CASE("scenario mode: a trace's jobs take the place of the workload") {
  const Folder folder;
  const std::string trace = folder.write("t.csv",
                                         "job_id,submit_s,duration_s,requested_time_s,gpus\n"
                                         "1,1000,600,900,12\n2,1060,300,,4\n3,1070,300,400,4000\n4,1080,0,,8\n");
  ScenarioMode mode{.files = {folder.write("s.toml", k_machine)},
                    .trace = trace,
                    .unit_column = UnitColumn::gpus,
                    .html = folder.at("p.html"),
                    .json = folder.at("f.json")};
  const auto out = run_scenario_mode(mode);
  if (!out) FAIL(out.error().message);
  CHECK(out->text.find("jobs                    2, of which 2 ended\n") != std::string::npos);
  CHECK(out->text.find("skipped                 1 no_duration, 1 too_wide\n") != std::string::npos);
  CHECK(folder.read("f.json").find("\"traces\":[\"t.csv\"]") != std::string::npos);
  mode.unit_column = UnitColumn::cpus;
  const auto refused = run_scenario_mode(mode);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("write gpus or nodes") != std::string::npos);
}

TEST_CASE("scenario mode: a scenario names its trace, how it is read, and how much of the machine it wants") {
  unsetenv("VIRGA_TRACES");
  const Folder folder;
  // 40 node-minutes in the hour between the first and the last submission; at half of 16 nodes they come in 5 minutes.
  folder.write("t.csv",
               "job_id,submit_s,duration_s,requested_time_s,nodes\n"
               "1,1000,600,900,3\n2,2800,300,,1\n3,4600,300,400,1\n");
  const std::string named = "[workload]\ntrace = \"t.csv\"\nunit_column = \"nodes\"\n";
  const auto makespan_of = [&](const std::string& workload) {
    const auto out = run_scenario_mode({.files = {folder.write("s.toml", k_machine + workload)},
                                        .html = folder.at("p.html"),
                                        .json = folder.at("f.json")});
    if (!out) FAIL(out.error().message);
    const std::string json = folder.read("f.json");
    CHECK(json.find("\"traces\":[\"t.csv\"]") != std::string::npos);
    return std::stod(json.substr(json.find("\"makespan_s\":") + 13));
  };
  CHECK(makespan_of(named) == doctest::Approx(3900).epsilon(0.1));
  CHECK(makespan_of(named + "load_percent = 50\n") == doctest::Approx(660).epsilon(0.3));
  CHECK(folder.read("f.json").find("\"jobs\":3,") != std::string::npos);
  CHECK(makespan_of(named + "overlay = 2\n") == doctest::Approx(3900 + 3607).epsilon(0.1));
  CHECK(folder.read("f.json").find("\"jobs\":6,") != std::string::npos);
}

TEST_CASE("scenario mode: a trace that is not there, and keys that do not belong to one") {
  unsetenv("VIRGA_TRACES");
  CHECK(
      refusal_of(k_machine + "[workload]\ntrace = \"no-such-trace.csv\"\n") ==
      "s.toml: its jobs are those of the trace no-such-trace.csv, which is not at no-such-trace.csv; set VIRGA_TRACES "
      "to the folder that holds it, or name the file with --trace");
  CHECK(refusal_of(k_machine + "[workload]\ntrace = \"t.csv\"\nusers = 3\n").find("unknown key \"users\"") !=
        std::string::npos);
  CHECK(refusal_of(k_machine + "[workload]\ntrace = \"t.csv\"\nunit_column = \"cpus\"\n").find("s.toml:9:15:") == 0);
  CHECK(refusal_of(k_machine + "[workload]\ntrace = \"\"\n").find("names no file") != std::string::npos);
  CHECK(refusal_of(k_machine + k_jobs + "[billing]\nminimum = \"2d\"\n").find("billing.minimum") != std::string::npos);
}

TEST_CASE("scenario mode: mistakes name the file and the line") {
  CHECK(refusal_of(k_machine + k_jobs + "[pool.nd]\nmax_nodes = 3\n").find("s.toml:14:") == 0);
  CHECK(refusal_of("[pool.nd]\nsku = \"Standard_ND96\"\n[partition.main]\npools = [\"nd\"]\n" + k_jobs)
            .find("s.toml:2:7: pool.nd.sku: no SKU \"Standard_ND96\"") == 0);
  CHECK(refusal_of(k_machine + k_jobs + "colour = 3\n").find("s.toml:14:1: unknown key \"colour\"") == 0);
  CHECK(refusal_of(k_jobs + "[faults]\nquota_percent = 0\n").find("s.toml:9:17: faults.quota_percent:") == 0);
  CHECK(refusal_of(k_machine).find("no [workload]") != std::string::npos);
  const auto missing = run_scenario_mode({.files = {"no-such-file.toml"}});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "no-such-file.toml: cannot be read: No such file or directory");
  CHECK(missing.error().code == Code::invalid);
}

TEST_CASE("simulate: options that do not belong together are refused with exit code 2") {
  const auto exit_of = [](std::vector<std::string> words) {
    words.insert(words.begin(), "simulate");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return simulate_main(static_cast<int>(argv.size()), argv.data(), {});
  };
  CHECK(exit_of({}) == 2);
  CHECK(exit_of({"--trace", "t.csv"}) == 2);
  CHECK(exit_of({"--compare", "a.toml"}) == 2);
  CHECK(exit_of({"--scenario", "a.toml", "--units", "4"}) == 2);
  CHECK(exit_of({"--scenario", "a.toml", "--unit-column", "gpus"}) == 2);
  CHECK(exit_of({"--scenario", "no-such-file.toml"}) == 2);
  CHECK(exit_of({"--compare", "a.toml", "b.toml", "--scenario", "c.toml"}) == 2);
}

}  // namespace virga
