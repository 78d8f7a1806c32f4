// Following a job's output: what grows, and what begins anew when the job is requeued.
#include "cli/verbs/log_file.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace virga::test {

TEST_CASE("log file: what was added is read once, and a file that was cut from its beginning") {
  std::string folder = "/tmp/virga-log-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  JobSpec spec;
  spec.work_dir = folder;
  spec.std_out = "out.txt";
  Job job;
  job.spec = spec;
  const std::string path = folder + "/out.txt";
  {
    LogFile log(job);
    CHECK(log.read_more().empty());
    CHECK_FALSE(log.found());
    std::ofstream(path) << "step 1\nstep 2\n";
    CHECK(log.read_more() == "step 1\nstep 2\n");
    CHECK(log.read_more().empty());
    std::ofstream(path, std::ios::app) << "step 3\n";
    CHECK(log.read_more() == "step 3\n");
    std::ofstream(path, std::ios::trunc) << "resumed\n";
    CHECK(log.read_more() == "resumed\n");
    CHECK(log.read_more().empty());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace virga::test
