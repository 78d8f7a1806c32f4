// Options of sbatch and srun, and the jobs that they become.
#include "cli/job_options.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <time.h>

#include <cstring>
#include <set>

#include "cli/batch_script.hpp"
#include "cli/job_spec.hpp"
#include "wire/slurm_text.hpp"

using namespace std::string_literals;

namespace {

using virga::JobOptions;
using virga::JobSpec;
using virga::Result;

Result<JobOptions> parsed(const std::vector<std::string>& args, bool of_srun = false) {
  JobOptions options;
  const virga::JobOptionTable& table = of_srun ? virga::srun_table() : virga::sbatch_table();
  auto rest = virga::parse_options(of_srun ? virga::k_srun : virga::k_sbatch,
                                   std::span<const virga::Option<JobOptions>>(table), args, options, {.warn = false});
  if (!rest) return virga::unexpected(rest.error());
  return options;
}

JobSpec spec_of(const std::vector<std::string>& args, const virga::Config* config = nullptr) {
  Result<JobOptions> options = parsed(args);
  REQUIRE(options);
  virga::JobContext context;
  context.current_dir = "/data";
  context.default_name = "job.sh";
  Result<JobSpec> spec = virga::job_spec_from(*options, context, config);
  REQUIRE(spec);
  return *spec;
}

std::string error_of(const std::vector<std::string>& args) {
  Result<JobOptions> options = parsed(args);
  return options ? "" : options.error().message;
}

virga::Config one_pool(std::uint32_t cpus, std::uint32_t gpus) {
  virga::Config config;
  virga::Pool pool;
  pool.name = "nd";
  pool.sku.resources = {cpus, gpus, 1000ULL << 30};
  config.pools.push_back(pool);
  virga::Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  config.partitions.push_back(partition);
  return config;
}

}  // namespace

TEST_CASE("the usual options make the job that Slurm would make") {
  JobSpec spec = spec_of({"-N",
                          "4",
                          "--ntasks-per-node=2",
                          "-c3",
                          "--gres=gpu:h100:8",
                          "--mem=4G",
                          "-t",
                          "1:00:00",
                          "-J",
                          "x y",
                          "-p",
                          "main",
                          "-o",
                          "o-%j",
                          "-H",
                          "--comment=hi",
                          "-D",
                          "sub",
                          "--exclusive",
                          "--open-mode=append",
                          "--signal=B:USR1@10",
                          "--no-requeue",
                          "-A",
                          "acct"});
  CHECK(spec.nodes == 4);
  CHECK(spec.tasks == 8);
  CHECK(spec.tasks_per_node == 2);
  CHECK(spec.cpus_per_task == 3);
  CHECK(spec.per_node.cpus == 6);
  CHECK(spec.per_node.gpus == 8);
  CHECK(spec.per_node.memory_bytes == 4ULL << 30);
  CHECK(spec.time_limit == virga::Duration::seconds(3600));
  CHECK(spec.name == "x y");
  CHECK(spec.work_dir == "/data/sub");
  CHECK(spec.std_out == "o-%j");
  CHECK(spec.held);
  CHECK(spec.exclusive);
  CHECK(spec.append_output);
  CHECK(spec.warning.signal == 10);
  CHECK(spec.warning.batch_shell_only);
  CHECK(spec.warning.before_end == virga::Duration::seconds(10));
  CHECK_FALSE(spec.requeue);
  CHECK(spec.account == "acct");
}

TEST_CASE("without options a job is one task on one node") {
  JobSpec spec = spec_of({});
  CHECK(spec.nodes == 1);
  CHECK(spec.tasks == 1);
  CHECK(spec.per_node.cpus == 1);
  CHECK(spec.name == "job.sh");
  CHECK(spec.time_limit.is_infinite());
  CHECK(spec.requeue);
}

TEST_CASE("nodes follow from tasks and GPUs when -N is not given") {
  const virga::Config config = one_pool(8, 4);
  CHECK(spec_of({"-n", "20"}, &config).nodes == 3);
  CHECK(spec_of({"-n", "8"}, &config).nodes == 1);
  CHECK(spec_of({"-n", "4", "-c", "4"}, &config).nodes == 2);
  CHECK(spec_of({"-n", "6", "--ntasks-per-node=2"}).nodes == 3);
  JobSpec gpus = spec_of({"-G", "8"}, &config);
  CHECK(gpus.nodes == 2);
  CHECK(gpus.per_node.gpus == 4);
  CHECK(spec_of({"--mem=0"}, &config).per_node.memory_bytes == 1000ULL << 30);
  CHECK(spec_of({"-N", "4", "-n", "2"}).nodes == 2);
}

TEST_CASE("the last memory option counts") {
  CHECK(spec_of({"--mem=4G", "--mem-per-cpu=1G", "-c", "2"}).per_node.memory_bytes == 2ULL << 30);
  CHECK(spec_of({"--mem-per-cpu=1G", "--mem=4G"}).per_node.memory_bytes == 4ULL << 30);
}

TEST_CASE("wrong values are told in Slurm's words") {
  CHECK(error_of({"-N", "x"}) == "\"x\" is not a valid node count");
  CHECK(error_of({"-N", "3-2"}) == "Maximum node count 2 is less than minimum node count 3");
  CHECK(error_of({"-n", "0"}) == "Invalid numeric value \"0\" for --ntasks.");
  CHECK(error_of({"-c", "x"}) == "Invalid numeric value \"x\" for --cpus-per-task.");
  CHECK(error_of({"-t", "x"}) == "Invalid --time specification");
  CHECK(error_of({"--mem=x"}) == "Invalid --mem specification");
  CHECK(error_of({"--signal=FOO"}) == "Invalid --signal specification");
  CHECK(error_of({"--open-mode=x"}) == "Invalid --open-mode specification");
  CHECK(error_of({"--exclusive=foo"}) == "Invalid --exclusive specification");
  CHECK(error_of({"-G", "x"}).starts_with("Invalid generic resource (gres) specification"));
  CHECK(error_of({"--gres=license:1"}).starts_with("Invalid generic resource (gres) specification"));
  CHECK(error_of({"--foo"}) == "Try \"sbatch --help\" for more information");
}

TEST_CASE("every option of Slurm 22.05 has a row; what is not done says why") {
  // Out of the commands' own parsers, probed with a real Slurm.
  constexpr const char* k_sbatch_names =
      "account acctg-freq array batch bb bbf begin chdir cluster cluster-constraint clusters comment constraint "
      "container "
      "context contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot "
      "dependency "
      "distribution error exclude exclusive export export-file extra-node-info get-user-env gid gpu-bind gpu-freq gpus "
      "gpus-per-node gpus-per-socket gpus-per-task gres gres-flags help hint hold ignore-pbs input job-name "
      "kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus network "
      "nice no-kill no-requeue nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu ntasks-per-node "
      "ntasks-per-socket ntasks-per-tres open-mode output overcommit oversubscribe parsable partition power prefer "
      "priority profile propagate qos quiet reboot requeue reservation signal sockets-per-node spread-job switches "
      "tasks-per-node test-only thread-spec threads-per-core time time-min tmp uid usage use-min-nodes verbose version "
      "wait wait-all-nodes wckey wrap";
  constexpr const char* k_srun_names =
      "accel-bind account acctg-freq bb bbf bcast bcast-exclude begin chdir cluster cluster-constraint clusters "
      "comment "
      "compress constraint container context contiguous core-spec cores-per-socket cpu-bind cpu-freq cpu_bind "
      "cpus-per-gpu cpus-per-task deadline debugger-test delay-boot dependency disable-status distribution epilog "
      "error "
      "exact exclude exclusive export extra-node-info gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket "
      "gpus-per-task gres gres-flags help het-group hint hold immediate input interactive job-name jobid "
      "kill-on-bad-exit label licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus mpi "
      "msg-timeout multi-prog network nice no-allocate no-kill nodefile nodelist nodes ntasks ntasks-per-core "
      "ntasks-per-gpu ntasks-per-node ntasks-per-socket ntasks-per-tres open-mode output overcommit overlap "
      "oversubscribe pack-group partition power prefer preserve-env priority profile prolog propagate pty qos quiet "
      "quit-on-interrupt reboot relative reservation resv-ports send-libs signal slurmd-debug sockets-per-node "
      "spread-job switches task-epilog task-prolog tasks-per-node test-only thread-spec threads threads-per-core time "
      "time-min tmp uid unbuffered usage use-min-nodes verbose version wait wckey whole x11";
  for (const auto& [table, names] :
       {std::pair{&virga::sbatch_table(), k_sbatch_names}, std::pair{&virga::srun_table(), k_srun_names}}) {
    std::set<std::string> known;
    for (const auto& row : *table) {
      CHECK(known.insert(row.info.name).second);
      CHECK(std::strlen(row.info.text) > 0);
      if (row.info.support == virga::Support::done) CHECK_MESSAGE(bool(row.apply != nullptr), row.info.name);
    }
    for (const std::string& name : virga::split_list(names, ' ')) CHECK_MESSAGE(known.contains(name), name);
    CHECK(known.size() == virga::split_list(names, ' ').size());
  }
  CHECK(error_of({"--container=x"}).starts_with("--container is not supported: "));
  CHECK(error_of({"--mail-type=END", "--qos=high"}) == "");
}

TEST_CASE("options of policy reach the job") {
  const JobSpec spec = spec_of({"--array=0-9:3%2", "-d", "afterok:12:13_4,after:7+5", "-q", "urgent", "--nice=-7",
                                "--switches=2@60", "--reservation=course"});
  CHECK(spec.array.tasks == std::vector<virga::IndexRange>{{0, 9, 3}});
  CHECK(spec.array.limit == 2);
  REQUIRE(spec.dependencies.size() == 3);
  CHECK(spec.dependencies[1].job == virga::JobId{13});
  CHECK(spec.dependencies[1].task == 4);
  CHECK(spec.dependencies[2].delay == virga::Duration::minutes(5));
  CHECK_FALSE(spec.any_dependency);
  CHECK(spec.qos == "urgent");
  CHECK(spec.nice == -7);
  CHECK(spec.switches == 2);
  CHECK(spec.switches_wait == virga::Duration::minutes(60));
  CHECK(spec.reservation == "course");
  CHECK(spec_of({"--nice"}).nice == 100);
  CHECK(spec_of({"--dependency=afterany:1?afterany:2"}).any_dependency);
  CHECK(error_of({"-d", "afterok"}).starts_with("Job dependency problem: "));
  CHECK(error_of({"-a", "9-1"}).starts_with("Invalid job array specification: "));
  CHECK(error_of({"--nice=much"}).starts_with("Invalid --nice value"));
  CHECK(error_of({"--switches=0"}).starts_with("Invalid --switches specification"));
}

TEST_CASE("--begin and --deadline count from the submission") {
  setenv("TZ", "UTC", 1);
  tzset();
  const virga::Time noon = virga::Time::from_seconds(1'767'268'800);  // 2026-01-01T12:00:00Z
  const auto spec_at_noon = [&](const std::vector<std::string>& args) {
    Result<JobOptions> options = parsed(args);
    REQUIRE(options);
    virga::JobContext context;
    context.current_dir = "/";
    context.now = noon;
    return *virga::job_spec_from(*options, context, nullptr);
  };
  CHECK(spec_at_noon({"--begin=now+1hour"}).begin == noon + virga::Duration::minutes(60));
  CHECK(spec_at_noon({"-b", "16:00"}).begin == noon + virga::Duration::minutes(240));
  CHECK(spec_at_noon({"-b", "09:00"}).begin == noon + virga::Duration::minutes(21 * 60));  // tomorrow
  CHECK(spec_at_noon({"-b", "2026-01-02T12:00"}).begin == noon + virga::Duration::minutes(24 * 60));
  CHECK_FALSE(spec_at_noon({"-b", "now"}).begin.is_set());
  CHECK_FALSE(spec_at_noon({}).begin.is_set());
  CHECK(spec_at_noon({"--deadline=18:00"}).deadline == noon + virga::Duration::minutes(360));
  CHECK(error_of({"--begin=soon"}).starts_with("Invalid --begin specification: \"soon\"; write a time such as"));
}

TEST_CASE("help and usage come from the table") {
  const auto rows = virga::rows_of(std::span<const virga::Option<JobOptions>>(virga::sbatch_table()));
  const std::string help = virga::help_text(virga::k_sbatch, rows);
  CHECK(help.starts_with("Usage: sbatch [OPTIONS...] script [args...]\n"));
  CHECK(help.find("-N, --nodes=n[-m]") != help.npos);
  CHECK(help.find("--array=indexes") != help.npos);
  CHECK(virga::usage_text(virga::k_sbatch, rows).find("[-N n[-m]]") != std::string::npos);
}

TEST_CASE("variables stand for options") {
  JobOptions options;
  const auto value_of = [](const char* name) -> const char* {
    if (std::strcmp(name, "SBATCH_PARTITION") == 0) return "gpu";
    if (std::strcmp(name, "SBATCH_TIMELIMIT") == 0) return "5";
    if (std::strcmp(name, "SBATCH_WAIT") == 0) return "";
    if (std::strcmp(name, "SBATCH_OVERCOMMIT") == 0) return "0";
    return nullptr;
  };
  REQUIRE(virga::apply_environment(virga::k_sbatch, virga::sbatch_table(), value_of, options));
  CHECK(options.partition == "gpu");
  CHECK(options.time_limit == virga::Duration::minutes(5));
  CHECK(options.wait);
  CHECK_FALSE(options.overcommit);
}

TEST_CASE("a broken variable is named") {
  JobOptions options;
  const auto value_of = [](const char* name) -> const char* {
    return std::strcmp(name, "SBATCH_TIMELIMIT") == 0 ? "soon" : nullptr;
  };
  virga::Status status = virga::apply_environment(virga::k_sbatch, virga::sbatch_table(), value_of, options);
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "SBATCH_TIMELIMIT=soon: Invalid --time specification");
}

TEST_CASE("#SBATCH lines: quotes, comments, and where they end") {
  CHECK(virga::sbatch_lines(
            "#!/bin/sh\n#SBATCH -J \"x y\" -N 1\n# text\n\n#SBATCH --time=5 # five\ntrue\n#SBATCH -N9\n") ==
        std::vector{"-J"s, "x y"s, "-N"s, "1"s, "--time=5"s});
  CHECK(virga::sbatch_lines("#!/bin/sh\n##SBATCH -N 3\n #SBATCH -N 4\n").empty());
  CHECK(virga::sbatch_lines("#!/bin/sh\n#SBATCH-N2\n") == std::vector{"-N2"s});  // as Slurm's sbatch takes it
  CHECK(virga::sbatch_lines("#!/bin/sh\n#SBATCH -o a\\ b 'c\\d'") == std::vector{"-o"s, "a b"s, "c\\d"s});
  CHECK(virga::sbatch_lines("").empty());
}

TEST_CASE("what is no batch script is told in Slurm's words") {
  const auto wrong = [](std::string_view script) {
    virga::Status status = virga::check_batch_script(script);
    return status ? ""s : status.error().message;
  };
  CHECK(wrong("#!/bin/sh\ntrue\n") == "");
  CHECK(wrong("") == "Batch script is empty!");
  CHECK(wrong(" \n") == "Batch script contains only whitespace!");
  CHECK(wrong("echo hi\n").starts_with("This does not look like a batch script.  The first\nline must start with #!"));
  CHECK(wrong("#!/bin/sh\r\ntrue\r\n").starts_with("Batch script contains DOS line breaks (\\r\\n)\n"));
  CHECK(wrong(std::string_view("#!/bin/sh\ntrue\0\n", 16)).find("NULL character") != std::string::npos);
  CHECK(virga::read_batch_script("/nonexistent/x").error().message == "Unable to open file /nonexistent/x");
  CHECK_FALSE(virga::read_batch_script("/tmp"));
}

TEST_CASE("--export") {
  const std::vector ours{"PATH=/bin"s, "A=1"s, "B=2"s, "SLURM_CONF=x"s};
  CHECK(virga::exported_environment("ALL", ours) == ours);
  CHECK(virga::exported_environment("NONE", ours) == std::vector{"SLURM_CONF=x"s});
  CHECK(virga::exported_environment("A,C=3", ours) == std::vector{"C=3"s, "A=1"s, "SLURM_CONF=x"s});
  CHECK(virga::exported_environment("ALL,A=9", ours) == std::vector{"A=9"s, "PATH=/bin"s, "B=2"s, "SLURM_CONF=x"s});
}
