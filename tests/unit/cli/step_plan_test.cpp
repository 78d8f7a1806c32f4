// Nodes and tasks of a step. The expected layouts are what srun of Slurm 22.05.8 does in a job of 2 nodes and 4 tasks.
#include "cli/step_plan.hpp"

#include <doctest/doctest.h>

using namespace std::string_literals;

namespace {

virga::Job two_nodes() {
  virga::Job job;
  job.id = {6};
  job.spec.edit().nodes = 2;
  job.spec.edit().tasks = 4;
  job.spec.edit().per_node.cpus = 2;
  job.nodes = {{{1}, "n1", {}}, {{2}, "n2", {}}};
  return job;
}

/// As inside a job: its variables come first.
virga::JobOptions inside() {
  virga::JobOptions o;
  o.nodes = 2;
  o.tasks = 4;
  return o;
}

}  // namespace

TEST_CASE("a step takes the whole job unless told otherwise") {
  auto plan = virga::plan_step(two_nodes(), inside());
  REQUIRE(plan);
  CHECK(plan->nodes == std::vector{"n1"s, "n2"s});
  CHECK(plan->tasks == 4);
  CHECK(plan->warning == "");
}

TEST_CASE("fewer tasks than nodes take fewer nodes") {
  virga::JobOptions o = inside();
  o.tasks = 1;
  auto plan = virga::plan_step(two_nodes(), o);
  REQUIRE(plan);
  CHECK(plan->nodes == std::vector{"n1"s});
  CHECK(plan->warning == "Warning: can't run 1 processes on 2 nodes, setting nnodes to 1");
}

TEST_CASE("more than the job has is refused") {
  virga::JobOptions o = inside();
  o.nodes = 1;
  CHECK(virga::plan_step(two_nodes(), o).error().message == "More processors requested than permitted");
  o.overcommit = true;
  CHECK(virga::plan_step(two_nodes(), o));
  o = inside();
  o.nodes = 3;
  CHECK(virga::plan_step(two_nodes(), o).error().message == "More processors requested than permitted");
  o = inside();
  o.cpus_per_task = 2;
  CHECK_FALSE(virga::plan_step(two_nodes(), o));
  virga::Job exclusive = two_nodes();
  exclusive.spec.edit().exclusive = true;
  CHECK(virga::plan_step(exclusive, o));
}

TEST_CASE("nodes by name and by number") {
  virga::JobOptions o = inside();
  o.tasks = 1;
  o.node_list = {"n2"};
  auto plan = virga::plan_step(two_nodes(), o);
  REQUIRE(plan);
  CHECK(plan->nodes == std::vector{"n2"s});
  o.node_list = {"n3"};
  CHECK(virga::plan_step(two_nodes(), o).error().message == "Requested node configuration is not available");
  o.node_list.clear();
  o.relative = 1;
  plan = virga::plan_step(two_nodes(), o);
  REQUIRE(plan);
  CHECK(plan->nodes == std::vector{"n2"s});
  o.relative = 2;
  CHECK_FALSE(virga::plan_step(two_nodes(), o));
}
