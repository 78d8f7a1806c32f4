// Slurm's grammars of dependencies, arrays and switches: what is taken, what it means, what is refused and why.
#include "wire/slurm_policy.hpp"

#include <doctest/doctest.h>

#include <set>

namespace virga {
namespace {

std::string round_trip(std::string_view text) {
  Result<DependencyList> list = parse_dependencies(text);
  REQUIRE_MESSAGE(list.has_value(), list.error().message);
  JobSpec spec;
  spec.dependencies = list->all;
  spec.any_dependency = list->any;
  return dependencies_text(spec);
}

std::string array_round_trip(std::string_view text) {
  Result<ArraySpec> array = parse_array(text);
  REQUIRE_MESSAGE(array.has_value(), array.error().message);
  CHECK(array_mistake(*array) == nullptr);
  return array_text(*array);
}

}  // namespace

TEST_CASE("dependencies: Slurm's grammar") {
  CHECK(round_trip("afterok:12") == "afterok:12");
  CHECK(round_trip("afterok:12:13_4,after:7+5,singleton") == "afterok:12,afterok:13_4,after:7+5,singleton");
  CHECK(round_trip("afterany:1?afternotok:2:3") == "afterany:1?afternotok:2?afternotok:3");
  CHECK(round_trip("aftercorr:1") == "aftercorr:1_*");
  CHECK(round_trip("afterany:1_*") == "afterany:1");
  const Dependency after = parse_dependencies("after:7_2+90")->all.front();
  CHECK(after.kind == DependencyKind::after);
  CHECK(after.job == JobId{7});
  CHECK(after.task == 2);
  CHECK(after.delay == Duration::minutes(90));
  for (const char* bad : {"", "afterok", "afterok:", "afterok:x", "afterok:0", "afterok:-1", "afterok:1:", "12",
                          "aftercor:1", "singleton:1", "afterok:1+5", "after:1+", "after:1+x", "afterok:1_", ",",
                          "afterok:1,,afterok:2", "afterok:1,afterok:2?afterok:3", "afterok:1_x", "after:1+9999999"}) {
    CAPTURE(bad);
    Result<DependencyList> list = parse_dependencies(bad);
    REQUIRE_FALSE(list.has_value());
    CHECK(list.error().code == Code::invalid);
    CHECK(list.error().message.starts_with("Job dependency problem: "));
  }
  CHECK(parse_dependencies("aftercor:1").error().message ==
        "Job dependency problem: unknown type \"aftercor\" in \"aftercor:1\"; known are after, afterany, afterok, "
        "afternotok, aftercorr, singleton");
}

TEST_CASE("arrays: Slurm's grammar") {
  CHECK(array_round_trip("0-9") == "0-9");
  CHECK(array_round_trip("7") == "7");
  CHECK(array_round_trip("0-9:3,20%2") == "0-9:3,20%2");
  CHECK(array_round_trip("0-10:3") == "0-9:3");
  CHECK(array_round_trip("5,1-3") == "1-3,5");
  CHECK(array_round_trip("1-5,3-7,4") == "1-7");
  CHECK(array_round_trip("[1-3]") == "1-3");
  CHECK(*parse_array("77-78:7") == *parse_array("77"));
  for (const char* bad : {"", "x", "-1", "1-", "3-1", "1-9:0", "1:2", "1,", ",1", "1%", "1%0", "%4", "1-9%x", "4000001",
                          "0-200000", "1 2", "1-2-3", "4294967296"}) {
    CAPTURE(bad);
    Result<ArraySpec> array = parse_array(bad);
    REQUIRE_FALSE(array.has_value());
    CHECK(array.error().message.starts_with("Invalid job array specification"));
  }
}

TEST_CASE("arrays: tasks are numbered in order") {
  const ArraySpec array = *parse_array("0-9:3,20,30-31");
  const std::uint32_t right[] = {0, 3, 6, 9, 20, 30, 31};
  CHECK(array_task_count(array) == 7);
  for (std::uint32_t i = 0; i < 7; ++i) CHECK(nth_array_task(array, i) == right[i]);
  CHECK(nth_array_task(array, 7) == k_no_array_task);
  for (std::uint32_t i = 0; i < 7; ++i) CHECK(number_of_array_task(array, right[i]) == i);
  for (const std::uint32_t no : {1U, 10U, 19U, 21U, 32U, k_no_array_task}) CHECK(!number_of_array_task(array, no));
  CHECK(array_mistake({.tasks = {{0, 1, 0}}}) != nullptr);
  CHECK(array_mistake({.tasks = {{2, 1, 1}}}) != nullptr);
  CHECK(array_mistake({.tasks = {{0, 5, 1}, {5, 6, 1}}}) != nullptr);
  CHECK(array_mistake({.tasks = {{0, 4'000'000, 1}}}) != nullptr);
  CHECK(array_mistake({.tasks = {{0, 4'294'967'295U, 1}}}) != nullptr);
  CHECK(array_mistake({}) == nullptr);
}

TEST_CASE("arrays: a task's label") {
  Job job;
  job.id = {14};
  CHECK(job_label(job) == "14");
  job.array_job = {12};
  job.array_task = 5;
  CHECK(job_label(job) == "12_5");
}

TEST_CASE("switches") {
  CHECK(parse_switches("2")->count == 2);
  CHECK(parse_switches("2")->wait.is_infinite());
  CHECK(parse_switches("1@60")->wait == Duration::minutes(60));
  CHECK(parse_switches("1@1:00:30")->wait == Duration::seconds(3'630));
  for (const char* bad : {"", "0", "x", "@5", "1@", "1@x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_switches(bad).has_value());
  }
}

}  // namespace virga
