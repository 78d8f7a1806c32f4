// Names of output files, with what Slurm 22.05 makes of the same patterns.
#include "wire/output_pattern.hpp"

#include <doctest/doctest.h>

namespace virga {

TEST_CASE("output pattern: batch scripts") {
  OutputNames names{
      .job = 2, .job_name = "e2.sh", .user = "root", .node = "n1", .node_index = 0, .step = {}, .task = 0};
  auto expand = [&](const char* pattern) { return expand_output_pattern(pattern, names); };
  CHECK(expand("o2-%4j-%x-%u-%N-%n-%t-%s-%A-%a-%%-%8N-%J-%b-%q.out") ==
        "o2-0002-e2.sh-root-n1-0-0-batch-2-4294967294-%-n1-2-%b-%q.out");
  CHECK(expand("slurm-%j.out") == "slurm-2.out");
  CHECK(expand("%99j") == "0000000002");
  CHECK(expand("100%") == "100%");
  CHECK(expand("%4") == "%4");
  CHECK(expand("") == "");
  CHECK(expand("x-%j-%%-\\\\.out") == "x-%j-%%-.out");
}

TEST_CASE("output pattern: tasks of an array") {
  Job job;
  job.id = {14};
  CHECK(expand_output_pattern(default_output_pattern(job), output_names_of(job)) == "slurm-14.out");
  CHECK(expand_output_pattern("%A_%a", output_names_of(job)) == "14_4294967294");
  job.array_job = {12};
  job.array_task = 2;
  CHECK(expand_output_pattern(default_output_pattern(job), output_names_of(job)) == "slurm-12_2.out");
  CHECK(expand_output_pattern("%4a-%A-%j", output_names_of(job)) == "0002-12-14");
}

TEST_CASE("output pattern: steps") {
  OutputNames names{.job = 12, .job_name = "j", .user = "u", .node = "nd-2", .node_index = 1, .step = 3, .task = 7};
  CHECK(expand_output_pattern("%J/%s/%3t/%n/%N", names) == "12.3/3/007/1/nd-2");
  CHECK(output_pattern_is_per_task("a-%t"));
  CHECK(output_pattern_is_per_task("a-%4n"));
  CHECK(output_pattern_is_per_task("%N"));
  CHECK_FALSE(output_pattern_is_per_task("a-%j-%%t"));
  CHECK_FALSE(output_pattern_is_per_task("a\\%t"));
}

}  // namespace virga
