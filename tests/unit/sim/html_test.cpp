// The page: its size at full scale, its determinism, that foreign text stays text, and that figures stand in it.
#include <doctest/doctest.h>

#include <string>

#include "sim/report/axis.hpp"
#include "sim/report/gantt_raster.hpp"
#include "sim/report/html_report.hpp"
#include "unit/sim/easy_run.hpp"

namespace virga {
namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

void check_page(const std::string& page) {
  for (const std::string tag : {"svg", "section", "table", "div", "g", "p", "script", "text", "tr", "h1", "main"}) {
    CAPTURE(tag);
    CHECK(count_of(page, "<" + tag + ">") + count_of(page, "<" + tag + " ") == count_of(page, "</" + tag + ">"));
  }
  for (const std::string bad : {"nan", "inf ", "\"inf", "-nan", "src=", "href=", "@import", "url("}) {
    CAPTURE(bad);
    CHECK(page.find(bad) == std::string::npos);
  }
}

EasyMachine tiny_machine() {
  EasyMachine machine;
  machine.pools = {{"a", PoolKind::reserved, Money::usd(4), 2, 8}, {"b", PoolKind::on_demand, Money::usd(10), 2, 8}};
  machine.nodes_per_leaf = 2;
  machine.sample_every_s = 60;
  return machine;
}

}  // namespace

TEST_CASE("page: thousands of nodes and tens of thousands of jobs stay below 3 MB, byte for byte the same") {
  const auto run = easy_run("big", big_machine(7), big_jobs(7, 20'000));
  const auto page = html_report({run});
  MESSAGE(page.size(), " bytes");
  CHECK(page.size() < 3'000'000);
  CHECK(page == html_report({run}));
  check_page(page);
  CHECK(page.find("node failure: ") != std::string::npos);
}

TEST_CASE("page: runs side by side, with differences from the first") {
  const std::vector<EasyJob> jobs{{0, 4, 3600, 3600, "ada"}, {10, 4, 3600, 3600, "bob"}};
  auto first = easy_run("first", tiny_machine(), jobs);
  auto machine = tiny_machine();
  machine.pools[1].max_nodes = 6;
  const auto page = html_report({first, easy_run("second", machine, jobs)});
  check_page(page);
  CHECK(page.find("first against second") != std::string::npos);
  CHECK(page.find("(-100.0 %)") != std::string::npos);  // nobody waits on the larger machine
  CHECK(page.find("data-run=\"1\"") != std::string::npos);
}

TEST_CASE("page: foreign text stays text") {
  auto run = easy_run("</script><b>&\"", tiny_machine(), {{0, 1, 60, 60, "<i>eve"}, {1, 4, 9000, 60, "</script>"}});
  run.skipped = {{"<u>", 1, "\x01&"}};
  run.pools[0].name = "</script>";
  const auto page = html_report({run});
  check_page(page);
  CHECK(count_of(page, "</script>") == 1);
  CHECK(page.find("<i>eve") == std::string::npos);
  CHECK(page.find("<u>") == std::string::npos);
}

TEST_CASE("page: a run without jobs, machines or time has a page too") {
  RunRecord run;
  run.name = "nothing";
  const auto page = html_report({run});
  check_page(page);
  CHECK(page.find("No job started.") != std::string::npos);
  CHECK(page.find("No input was skipped.") != std::string::npos);
  run.to = Time::from_seconds(60);
  run.rows = {{"n1", 0, "leaf"}};
  run.pools = {{"p", PoolKind::spot, Money{}, 1, 8}};
  check_page(html_report({run}));
}

TEST_CASE("gantt: a cell takes the colour of what fills at least half of it") {
  RunRecord run;
  run.to = Time::from_seconds(100);
  run.pools = {{"p", PoolKind::on_demand, Money{}, 2, 8}};
  run.rows = {{"p1", 0, "l"}, {"p2", 0, "l"}};
  JobRecord job;
  job.id = JobId{1};
  job.units = 8;
  run.jobs = {job};
  const auto s = [](std::int64_t seconds) { return Time::from_seconds(seconds); };
  run.vms = {{VmId{1}, "p1", 0, s(0), s(0), s(10), s(100)}, {VmId{2}, "p2", 0, s(0), s(50), Time::never(), s(70)}};
  run.gangs = {{JobId{1}, s(20), s(44), {{0, 1}}}};
  const auto layout = layout_of(run);
  REQUIRE(layout.lines.size() == 2);
  const auto raster = raster_of(run, layout, {.columns = 10, .shades = false});
  std::string first, second;
  for (int column = 0; column < 10; ++column) {
    first += "-bij"[std::min<int>(raster.at(0, column), k_cell_job)];
    second += "-bij"[std::min<int>(raster.at(1, column), k_cell_job)];
  }
  CHECK(first == "bijjiiiiii");
  CHECK(second == "-----bb---");
}

TEST_CASE("axis: figures as people write them") {
  CHECK(duration_text(0) == "0 s");
  CHECK(duration_text(45) == "45 s");
  CHECK(duration_text(5400) == "90 min");
  CHECK(duration_text(12'240) == "3.4 h");
  CHECK(duration_text(864'000) == "10.0 d");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(grouped(-1000) == "-1,000");
  CHECK(money_text(Money::usd(12, 345'000)) == "$12.35");
  CHECK(money_text(Money::usd(41'721'973)) == "$41.72 M");
  CHECK(moment_text(86400 * 3 + 3660) == "day 3, 01:01");
  CHECK(counted(1, "job") == "1 job");
  CHECK(counted(2, "job") == "2 jobs");
  const auto ticks = linear_ticks(1800, 5);
  REQUIRE(ticks.size() == 4);
  CHECK(ticks.back().label == "1,500");
  CHECK(time_ticks(30 * 86400, 10).at(1).label == "day 5");
  CHECK(time_ticks(7200, 10).at(1).label == "00:30");
  CHECK(range_ticks(0.2, 0.4, 4).front().label == "0.20");
}

}  // namespace virga
