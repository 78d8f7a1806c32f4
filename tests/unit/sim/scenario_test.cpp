// Scenarios: what is read, how mistakes are told, and that the workload is what the section says.
#include "sim/scenario/scenario.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "sim/scenario/workload.hpp"
#include "wire/config_toml.hpp"

namespace virga {
namespace {

std::string eagle_text() {
  auto folder = std::filesystem::read_symlink("/proc/self/exe");
  while (folder != folder.root_path() && !std::filesystem::exists(folder / "examples/scenarios")) {
    folder = folder.parent_path();
  }
  std::ifstream file(folder / "examples/scenarios/eagle.toml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string mistakes_of(const std::string& text) {
  const auto scenario = parse_scenario(text, "s.toml");
  REQUIRE_FALSE(scenario);
  CHECK(scenario.error().code == Code::invalid);
  return scenario.error().message;
}

const std::string k_mix = "[workload.mix.a]\nleast_gpus = 1\nmost_gpus = 8\n";

}  // namespace

TEST_CASE("scenario: eagle reads, and its workload has the sizes and the rhythm that it names") {
  const auto scenario = parse_scenario(eagle_text(), "eagle.toml");
  if (!scenario) FAIL(scenario.error().message);
  const auto& w = scenario->workload;
  CHECK(w.mixes.size() == 5);
  CHECK(w.mixes.front().name == "notebook");
  CHECK(w.tenants.size() == 4);
  CHECK(scenario->faults.spot_notice == Duration::seconds(30));
  CHECK(scenario->faults.node_mtbf == Duration::minutes(900 * 1440));
  const auto jobs = make_workload(w);
  CHECK(jobs.size() == 27'000);
  std::map<std::uint32_t, int> by_gpus;
  int night = 0, noon = 0, weekend = 0;
  double gpu_seconds = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& job = jobs[i];
    if (i > 0) REQUIRE(jobs[i - 1].submit <= job.submit);
    REQUIRE(job.submit < Time{} + w.span);
    REQUIRE(job.duration <= job.limit);
    REQUIRE(job.duration > Duration{});
    REQUIRE(job.gpus_per_node <= 8);
    ++by_gpus[job.nodes * job.gpus_per_node];
    const auto hour = job.submit.whole_seconds() / 3600 % 24;
    if (hour == 3) ++night;
    if (hour == 15) ++noon;
    if (job.submit.whole_seconds() / 86400 % 7 >= 5) ++weekend;
    gpu_seconds +=
        static_cast<double>(job.nodes * job.gpus_per_node) * static_cast<double>(job.duration.whole_seconds());
  }
  CHECK(by_gpus.begin()->first == 1);
  CHECK(by_gpus.rbegin()->first == 4096);
  CHECK(by_gpus.size() == 13);  // every power of two
  CHECK(100 * night / noon > 30);
  CHECK(100 * night / noon < 42);
  CHECK(weekend > 3000);  // 8 of 30 days at 40 %: about 3,400 of 27,000
  CHECK(weekend < 3900);
  const double load = gpu_seconds / (14'400.0 * 30 * 86400);
  MESSAGE("eagle's load: ", load, " of 14,400 GPUs");
  CHECK(load > 0.6);
  CHECK(load < 1.1);
}

TEST_CASE("workload: the same seed gives the same jobs, another seed others") {
  auto scenario = parse_scenario("[workload]\nspan = \"2d\"\njobs_per_day = 50\nusers = 9\n" + k_mix, "s.toml");
  REQUIRE(scenario);
  const auto text = [](const std::vector<SimJob>& jobs) {
    std::string all;
    for (const auto& job : jobs) {
      all += std::to_string(job.submit.ns) + job.user + std::to_string(job.nodes * 100 + job.gpus_per_node) +
             std::to_string(job.duration.ns) + ' ';
    }
    return all;
  };
  const auto first = text(make_workload(scenario->workload));
  CHECK(first == text(make_workload(scenario->workload)));
  scenario->workload.seed = 2;
  CHECK(first != text(make_workload(scenario->workload)));
}

TEST_CASE("workload: durations have the median and the tail of the section") {
  auto scenario = parse_scenario("[workload]\nspan = \"10d\"\njobs_per_day = 4000\n" + k_mix +
                                     "median = \"10m\"\nlongest = \"100d\"\ntail_percent = 50\n",
                                 "s.toml");
  REQUIRE(scenario);
  const auto jobs = make_workload(scenario->workload);
  const auto above = [&](std::int64_t s) {
    return 1000 * std::count_if(jobs.begin(), jobs.end(), [&](auto& j) { return j.duration.whole_seconds() > s; }) /
           static_cast<std::int64_t>(jobs.size());
  };
  CHECK(std::abs(above(600) - 500) < 12);   // the median
  CHECK(std::abs(above(1200) - 250) < 12);  // then each doubling halves what is left
  CHECK(std::abs(above(4800) - 62) < 12);
}

TEST_CASE("scenario: mistakes are told with their places, all of them") {
  const auto text = mistakes_of(
      "[workload]\nspan = 30\njobs_per_dya = 5\n[workload.mix.a]\nleast_gpus = 3\n"
      "most_gpus = 2\n[faults]\nnode_mtbf = \"soon\"\nspot_notice = \"-3s\"\n");
  MESSAGE(text);
  CHECK(text.find("s.toml:2:8: workload.span: 30 has no unit") != std::string::npos);
  CHECK(text.find("s.toml:3:1: unknown key \"jobs_per_dya\" in [workload]; did you mean \"jobs_per_day\"?") !=
        std::string::npos);
  CHECK(text.find("s.toml:5:14: workload.mix.a.least_gpus: 3 is no power of two") != std::string::npos);
  CHECK(text.find("s.toml:6:13: workload.mix.a.most_gpus: 2 is less than least_gpus") != std::string::npos);
  CHECK(text.find("s.toml:8:13: faults.node_mtbf:") != std::string::npos);
  CHECK(text.find("s.toml:9:15: faults.spot_notice:") != std::string::npos);
  CHECK(mistakes_of("[cluster]\n").find("no [workload]") != std::string::npos);
  CHECK(mistakes_of("[workload]\n").find("no kind of jobs") != std::string::npos);
  CHECK(mistakes_of("workload = 3\n").find("s.toml:1:12: workload: 3 is a whole number") != std::string::npos);
  CHECK(mistakes_of("a = [\n").find("s.toml:") == 0);
  CHECK(mistakes_of("[[=\n").find("s.toml:1:1: no TOML") == 0);
}

TEST_CASE("scenario: the rest is a virga.toml whose lines keep their numbers") {
  const auto scenario = parse_scenario("[workload]\nusers = 3\n" + k_mix +
                                           "[cluster]\nname = \"x\"\n[faults]\nseed = 2\n"
                                           "[cluster2]\n",
                                       "s.toml");
  REQUIRE(scenario);
  CHECK(scenario->config_text == "\n\n\n\n\n[cluster]\nname = \"x\"\n\n\n[cluster2]\n");
  const auto config = parse_config(scenario->config_text, "s.toml", {});
  REQUIRE_FALSE(config);
  CHECK(config.error().message.find("s.toml:10:") == 0);
}

}  // namespace virga
