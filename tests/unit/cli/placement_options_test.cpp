// Options about nodes, processors and licences: their values, and the jobs that they make.
#include <doctest/doctest.h>

#include "cli/job_placement_options.hpp"
#include "cli/job_spec.hpp"

namespace {

using virga::JobOptions;
using virga::JobSpec;
using virga::Result;

/// The job of these options on a pool of 4 nodes with 8 processors and 4 GPUs each; or what is wrong with them.
Result<JobSpec> job_of(const std::vector<std::string>& args) {
  JobOptions options;
  const std::span<const virga::Option<JobOptions>> table(virga::sbatch_table());
  const auto rest = virga::parse_options(virga::k_sbatch, table, args, options, {.warn = false});
  if (!rest) return virga::unexpected(rest.error());
  virga::Config config;
  virga::Pool pool;
  pool.name = "nd";
  pool.max_nodes = 4;
  pool.sku.resources = {8, 4, 1ULL << 40};
  config.pools.push_back(pool);
  virga::Partition partition;
  partition.pools = {"nd"};
  partition.is_default = true;
  config.partitions.push_back(partition);
  virga::JobContext context;
  context.current_dir = "/data";
  return virga::job_spec_from(options, context, &config);
}

std::string error_of(const std::vector<std::string>& args) {
  const Result<JobSpec> spec = job_of(args);
  return spec ? "" : spec.error().message;
}

}  // namespace

TEST_CASE("nodes that are named count as asked for, unless more are") {
  CHECK(job_of({"-w", "n[1-3]"})->nodes == 3);
  CHECK(job_of({"-w", "n[1-3]", "-N4"})->nodes == 4);
  CHECK(job_of({"-w", "n[1-2],n7"})->placement.nodes == std::vector<std::string>{"n1", "n2", "n7"});
  CHECK(job_of({"-x", "n[1-2]"})->placement.exclude == std::vector<std::string>{"n1", "n2"});
  CHECK(error_of({"-w", "n[1-2]", "-N1"}) == "invalid number of nodes (-N 2-1)");
  CHECK(error_of({"-w", "n[1"}) != "");
  CHECK(error_of({"-F", "/nonexistent/file"}).ends_with("Invalid --nodefile node file"));
}

TEST_CASE("licences: counts, separators, and names that occur twice") {
  const auto licenses = virga::parse_licenses("a:2,b;a=3,c:0");
  REQUIRE(licenses);
  CHECK(*licenses == std::vector<virga::License>{{"a", 5}, {"b", 1}});
  CHECK_FALSE(virga::parse_licenses("a:x"));
  CHECK_FALSE(virga::parse_licenses(":2"));
}

TEST_CASE("a node has one socket, whose cores have one thread") {
  CHECK(error_of({"-B", "1:8:1"}) == "");
  CHECK(error_of({"-B", "*:2"}) == "");
  CHECK(error_of({"--cores-per-socket=8", "--sockets-per-node=1", "--threads-per-core=1"}) == "");
  for (const char* more : {"--cores-per-socket=9", "--sockets-per-node=2", "--threads-per-core=2"}) {
    CHECK(error_of({more}).starts_with("Requested node configuration is not available: Socket, core and/or thread"));
  }
  CHECK(error_of({"-B", "1:2:3:4"}) == "Invalid --extra-node-info specification");
  CHECK(job_of({"-n4", "--ntasks-per-socket=2"})->nodes == 2);
  CHECK(job_of({"-n4", "--hint=memory_bound"})->nodes == 4);
  CHECK(error_of({"--hint=foo"}) == "unrecognized --hint argument \"foo\", see --hint=help");
}

TEST_CASE("tasks follow from GPUs, or GPUs from tasks") {
  CHECK(job_of({"-G4", "--ntasks-per-gpu=2"})->tasks == 8);
  CHECK(job_of({"-N2", "--gpus-per-node=4", "--ntasks-per-gpu=1"})->tasks == 8);
  CHECK(job_of({"-n8", "--ntasks-per-tres=gpu:2"})->per_node.gpus == 4);
  CHECK(error_of({"--ntasks-per-gpu=2"}).starts_with("gres_job_state_validate: --ntasks-per-tres needs"));
  CHECK(job_of({"--gpus-per-socket=2"})->per_node.gpus == 2);
}

TEST_CASE("a job is spread over as many nodes as it has tasks and the pool has") {
  CHECK(job_of({"-n3", "--spread-job"})->nodes == 3);
  CHECK(job_of({"-n9", "--spread-job"})->nodes == 4);
  CHECK(job_of({"-n4", "-N2", "--spread-job"})->nodes == 2);
}

TEST_CASE("the rest of the wishes reaches the job") {
  const Result<JobSpec> spec = job_of({"-C", "a&b", "--prefer=c", "--batch=a", "--contiguous", "--tmp=2G", "-L", "m:2",
                                       "--time-min=5", "-t", "10", "--kill-on-invalid-dep=yes", "--wckey=blue"});
  REQUIRE(spec);
  CHECK(spec->placement.features == "a&b");
  CHECK(spec->placement.prefer == "c");
  CHECK(spec->placement.batch_features == "a");
  CHECK(spec->placement.contiguous);
  CHECK(spec->placement.tmp_bytes == 2ULL << 30);
  CHECK(spec->licenses == std::vector<virga::License>{{"m", 2}});
  CHECK(spec->time_min == virga::Duration::minutes(5));
  CHECK(spec->kill_on_invalid_dep);
  CHECK(spec->wckey == "blue");
  CHECK(error_of({"--kill-on-invalid-dep=maybe"}) == "Invalid --kill-on-invalid-dep specification");
  CHECK(error_of({"--mem-bind=foo"}) == "unrecognized --mem-bind argument \"foo\"");
  CHECK(error_of({"--distribution=foo"}) == "Invalid --distribution specification");
  CHECK(error_of({"--gres-flags=foo"}) == "Invalid --gres-flags specification");
  CHECK(error_of({"--propagate=FOO"}) == "Bad rlimit name: FOO\n--propagate=FOO is not valid.");
  CHECK(error_of({"--propagate=CORE,RLIMIT_NOFILE,NONE"}) == "");
}
