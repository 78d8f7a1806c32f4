// --multi-prog, --distribution and --cpu-bind: what their texts mean. Expected values are what srun of Slurm 22.05.8
// makes of them, where it can be seen there (tests/slurm/srun_programs.test, srun_binding.test).
#include "cli/step_programs.hpp"

#include <doctest/doctest.h>

#include "cli/step_binding.hpp"
#include "cli/step_distribution.hpp"
#include "cli/step_hosts.hpp"
#include "wire/slurm_env.hpp"

namespace virga {
namespace {

using namespace std::string_literals;
using Words = std::vector<std::string>;

TEST_CASE("programs by ranks, ranges and the others") {
  const auto programs =
      parse_step_programs("# no\n\n0,2 a %t %o\n1 b 'c  d' e\\ f %% %x. '%t'\n* rest \\\n%o\n", "m", 5, {"more"});
  REQUIRE(programs);
  CHECK((*programs)[0] == Words{"a", "0", "0", "more"});
  CHECK((*programs)[2] == Words{"a", "2", "1", "more"});
  CHECK((*programs)[1] == Words{"b", "c  d", "e f", "", ".", "%t", "more"});
  CHECK((*programs)[4] == Words{"rest", "4", "more"});
}

TEST_CASE("programs: what is wrong with a file") {
  const auto error = [](std::string_view text) { return parse_step_programs(text, "m", 2, {}).error().message; };
  CHECK(error("0 a\n") == "Configuration file m invalid, no record for task id 1");
  CHECK(error("0 a\n0-1 b\n") == "Duplicate record for task 0\nLine 2 of configuration file m invalid");
  CHECK(error("0-2 a\n") == "Invalid task id, 2 >= ntasks\nLine 1 of configuration file m invalid");
  CHECK(error("* a\n0 b\n").starts_with("Task range specification with asterisk must be last\n"));
  CHECK(error("1-0 a\n").starts_with("Invalid task range, 1-0\n"));
  CHECK(error("0\n") == "Line 1 of configuration file m invalid");
  const auto open = parse_step_programs("* echo 'a\n", "m", 1, {"x"});
  REQUIRE(open);
  CHECK((*open)[0].empty());
}

TEST_CASE("distributions") {
  CHECK(parse_distribution("plane=3", "")->plane_size == 3);
  CHECK(parse_distribution("plane", "2")->plane_size == 2);
  CHECK_FALSE(parse_distribution("plane", ""));
  CHECK(parse_distribution("*:*", "")->text == "block:cyclic");
  CHECK(parse_distribution("cyclic:fcyclic,pack", "")->kind == TaskDistribution::cyclic);
  CHECK(parse_distribution("cyclic:fcyclic,pack", "")->text == "cyclic:fcyclic,pack");
  CHECK_FALSE(parse_distribution("fcyclic", ""));
  CHECK_FALSE(parse_distribution("block:wrong", ""));
  CHECK(parse_distribution("arbitrary", "")->kind == TaskDistribution::arbitrary);
}

TEST_CASE("planes keep within what nodes have room for") {
  using Tasks = std::vector<std::vector<std::uint32_t>>;
  CHECK(number_planes(8, 2, 3, 4) == Tasks{{0, 1, 2, 6}, {3, 4, 5, 7}});
  CHECK(number_planes(9, 3, 2, 3) == Tasks{{0, 1, 6}, {2, 3, 7}, {4, 5, 8}});
  CHECK(number_planes(6, 2, 2, 4) == Tasks{{0, 1, 4, 5}, {2, 3}});
  CHECK(number_planes(5, 2, 2, 1) == Tasks{{0, 1, 4}, {2, 3}});  // overcommitted: no limit
}

TEST_CASE("arbitrary: a node for each task") {
  JobOptions o;
  o.distribution = "arbitrary";
  CHECK(take_task_nodes(o, std::nullopt, nullptr).error().message == "invalid number of tasks (-n 0)");
  o.node_list = {"b", "a", "b"};
  CHECK_FALSE(take_task_nodes(o, 4U, nullptr));
  const auto nodes = take_task_nodes(o, std::nullopt, nullptr);
  REQUIRE(nodes);
  CHECK(*nodes == Words{"b", "a", "b"});
  CHECK(o.node_list == Words{"a", "b"});
  CHECK(o.tasks == 3U);
  CHECK(o.nodes == 2U);
}

TEST_CASE("bindings to processors") {
  const auto told = [](std::string_view text, NodeShare share = {2, 2, 4}) {
    const auto wish = parse_cpu_bind(text);
    REQUIRE(wish);
    const Words all = cpu_bind_variables(*wish, work_out(*wish, share));
    return all.empty() ? ""s : all[0];
  };
  CHECK(told("none") == "SLURM_CPU_BIND=quiet,none");
  CHECK(told("map_cpu:0,1,quiet") == "SLURM_CPU_BIND=quiet,map_cpu:0,1");
  CHECK(told("mask_cpu:0x3*2") == "SLURM_CPU_BIND=quiet,mask_cpu:3,3");
  CHECK(told("v") == "SLURM_CPU_BIND=verbose");
  CHECK(told("quiet") == "");
  CHECK(told("cores") == "SLURM_CPU_BIND=quiet,mask_cpu:0x3,0xc");
  CHECK(told("cores", {3, 1, 20}) == "SLURM_CPU_BIND=quiet,mask_cpu:0x1,0x2,0x4");
  CHECK(told("sockets,v", {3, 1, 20}) == "SLURM_CPU_BIND=verbose,mask_cpu:0xfffff");
  CHECK(parse_cpu_bind("x,cores").error().message == "unrecognized --cpu-bind argument \"x\"");
  CHECK(parse_cpu_bind("map_cpu").error().message == "missing list for \"--cpu-bind=map_cpu:<list>\"");
  CHECK(parse_cpu_bind("map_cpu:x").error().message == "Failed to validate number: x, the offending character is x");
  TaskBinding gpus;
  CHECK(parse_gpu_bind("closest", gpus));
  CHECK(gpus.gpus == "");
  CHECK(parse_gpu_bind("v,mask_gpu:0x3,4", gpus));
  CHECK(gpus.gpu_list == Words{"3", "4"});
  CHECK(parse_gpu_bind("wrong", gpus).error().message == "Invalid --gpu-bind argument: gpu:wrong");
}

}  // namespace
}  // namespace virga
