// What a node makes of a task's binding, and of what its prolog printed.
#include <doctest/doctest.h>

#include "engines/local/task_binding.hpp"
#include "engines/local/task_scripts.hpp"

namespace virga {
namespace {

using Numbers = std::vector<std::uint32_t>;

TEST_CASE("processors of a task") {
  const Numbers usable = {4, 5, 6, 7};
  TaskBinding b;
  CHECK(cpus_of_task(b, 0, usable).empty());
  b.cpus = "rank";
  CHECK(cpus_of_task(b, 1, usable) == Numbers{5});
  b.cpus = "map_cpu";
  b.cpu_list = {"3", "0"};
  CHECK(cpus_of_task(b, 0, usable) == Numbers{7});
  CHECK(cpus_of_task(b, 3, usable) == Numbers{4});
  b.cpus = "mask_cpu";
  b.cpu_list = {"3", "c", "30"};
  CHECK(cpus_of_task(b, 1, usable) == Numbers{6, 7});
  CHECK(cpus_of_task(b, 2, usable) == Numbers{4, 5});  // counted round
  CHECK(cpu_report(b, "n1", 2, 1, 77, {0, 5}) == "cpu-bind=MASK - n1, task  2  1 [77]: mask 0x21 set\n");
}

TEST_CASE("GPUs of a task") {
  TaskBinding b;
  CHECK(gpus_of_task(b, 0, "2,3") == "2,3");
  b.gpus = "single";
  b.gpu_list = {"2"};
  CHECK(gpus_of_task(b, 1, "2,3") == "2");
  CHECK(gpus_of_task(b, 2, "2,3") == "3");
  b.gpus = "per_task";
  CHECK(gpus_of_task(b, 1, "0,1,2,3") == "2,3");
  b.gpus = "map_gpu";
  b.gpu_list = {"1", "0"};
  CHECK(gpus_of_task(b, 0, "2,3") == "3");
  b.gpus = "mask_gpu";
  b.gpu_list = {"3"};
  CHECK(gpus_of_task(b, 5, "2,3") == "2,3");
  CHECK(gpus_of_task(b, 0, "") == "");
}

TEST_CASE("what a prolog prints changes the task") {
  const PrologOrders orders =
      read_prolog_output("export A=a=b  c\nexport B\nunset C\nprint  two\nprint\nprintx\n  export D=1\nend");
  CHECK(orders.print == "two\n");
  std::vector<std::string> environment = {"C=1", "E=2"};
  orders.apply(environment);
  CHECK(environment == std::vector<std::string>{"A=a=b  c", "E=2"});
}

}  // namespace
}  // namespace virga
