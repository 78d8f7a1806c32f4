// srun outside of a job on real Slurm: what Slurm's srun is told, and how the script of an allocation keeps its nodes.
#include "cli/slurm_hold.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "cli/job_options.hpp"
#include "support/temp_dir.hpp"
#include "wire/command.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// An instance's folder, and commands of a Slurm that knows how the job's steps ended.
class Site {
 public:
  Site() {
    std::filesystem::create_directories(home().slurm() + "/holds");
    std::filesystem::create_directory(folder_ / "bin");
    program("squeue", "exit 0");
    steps_ended("0:0");
  }
  Home home() const { return {folder_ / "home"}; }
  void program(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / ("bin/" + name)) << "#!/bin/sh\n" << text << "\n";
    chmod((folder_ / ("bin/" + name)).c_str(), 0755);
  }
  void steps_ended(const std::string& how) const {
    program("scontrol", "echo '   ExitCode=9:9'; echo '   DerivedExitCode=" + how + "'");
  }
  std::string file(const std::string& name) const { return folder_ / name; }
  void wait_for(const std::string& path) const {
    while (access(path.c_str(), F_OK) != 0) usleep(5'000);
  }
  /// The exit code of an allocation's script, as Slurm would run it.
  int run_script() const {
    return run_command({"sh", file("script")},
                       {"PATH=" + file("bin") + ":/usr/bin:/bin", "SLURM_JOB_ID=4711", "SLURM_CONF=/x/job.conf"},
                       std::chrono::seconds(60))
        .exit_code;
  }
  int run(const LaunchPayload& payload) const {
    std::ofstream(file("script")) << payload.script;
    return run_script();
  }
  bool has_files() const { return !std::filesystem::is_empty(home().slurm() + "/holds"); }

 private:
  test::TempDir folder_;
};

}  // namespace

TEST_CASE("slurm srun: options about the step go to Slurm's srun, those about the allocation do not") {
  std::vector<OptionInfo> rows;
  for (const auto& option : srun_table()) rows.push_back(option.info);
  const auto parsed = parse_rows(k_srun, rows,
                                 {"-N2", "-n", "4", "-p", "main", "-l", "--time=5", "--kill-on-bad-exit", "-K0",
                                  "--output=x y.%t", "--pty", "--cpu-bind=none", "-w", "nd1,nd2", "cat", "-n"},
                                 {});
  REQUIRE(parsed);
  CHECK(slurm_step_arguments(*parsed, rows) ==
        std::vector<std::string>{"--label", "--kill-on-bad-exit", "--kill-on-bad-exit=0", "--output=x y.%t", "--pty",
                                 "--cpu-bind=none", "--nodelist=nd1,nd2"});
  CHECK(parsed->operands == std::vector<std::string>{"cat", "-n"});
}

TEST_CASE("slurm srun: nothing of another job is in its environment") {
  Job job;
  job.id = {17};
  const auto env = slurm_step_environment(
      {4711, "/var/lib/virga/slurm-west/job.conf"}, job, {"/var/lib/virga"}, "/opt/virga/bin",
      {"PATH=/opt/virga/bin:/usr/bin", "A=1", "SLURM_JOB_ID=3", "SLURM_NTASKS=9", "SLURM_CONF=/x", "SLURM_LABELIO=1"});
  for (const char* there : {"PATH=/usr/bin:/opt/virga/bin", "A=1", "SLURM_LABELIO=1", "VIRGA_JOB_ID=17",
                            "SLURM_CONF=/var/lib/virga/slurm-west/job.conf"}) {
    CAPTURE(there);
    CHECK(has(env, there));
  }
  for (const char* gone : {"SLURM_JOB_ID=3", "SLURM_NTASKS=9", "SLURM_CONF=/x"}) {
    CAPTURE(gone);
    CHECK_FALSE(has(env, gone));
  }
}

TEST_CASE("slurm srun: an allocation ends with Slurm's srun, as its steps have ended") {
  const Site site;
  CHECK(runs_on_slurm(site.home()));
  CHECK_FALSE(runs_on_slurm({"/nowhere"}));
  const std::string told = site.file("told");
  const std::string go = site.file("go");
  site.program("srun", "{ echo \"$*\"; cat \"$SLURM_HOSTFILE\"; } > new; mv new '" + told + "'; while [ ! -e '" + go +
                           "' ]; do sleep 0.02; done");
  Job job;
  job.id = {17};
  job.spec.edit().nodes = 2;
  job.spec.edit().tasks = 2;
  job.spec.edit().per_node.cpus = 1;
  job.nodes = std::vector<JobNode>{{VmId{1}, "nd2", {}}, {VmId{2}, "nd1", {}}};
  struct Case {
    const char* steps;
    bool killed;
    int code;
  };
  for (const Case& c :
       {Case{"0:0", false, 0}, Case{"3:0", false, 3}, Case{"0:15", false, 128 + 15}, Case{"0:9", true, 128 + 9}}) {
    CAPTURE(c.steps);
    site.steps_ended(c.steps);
    std::filesystem::remove(go);
    std::filesystem::remove(told);
    const pid_t client = fork();
    if (client == 0) {
      setenv("PATH", (site.file("bin") + ":/usr/bin:/bin").c_str(), 1);
      auto hold = SlurmHold::make(site.home());
      std::ofstream(site.file("new")) << hold->payload({}, 022).script;
      std::filesystem::rename(site.file("new"), site.file("script"));
      const auto known = hold->wait([] { return false; });
      const Error error = hold->become_srun(*known, job, {"--label", "cat"}, "/opt/virga/bin");
      std::fprintf(stderr, "%s\n", error.message.c_str());
      _exit(1);
    }
    REQUIRE(client > 0);
    site.wait_for(site.file("script"));
    int ended = -1;
    std::thread script([&] { ended = site.run_script(); });
    site.wait_for(told);
    CHECK(ended == -1);
    if (c.killed) kill(client, SIGKILL);
    std::ofstream(go) << "go";
    waitpid(client, nullptr, 0);
    script.join();
    CHECK(ended == c.code);
    CHECK_FALSE(site.has_files());
    std::filesystem::remove(site.file("script"));
  }
  CHECK(*read_text_file(told) == "--jobid=4711 --nodes=2 --ntasks=2 --label cat\nnd2\nnd1\n");
}

TEST_CASE("slurm srun: where no step was begun, the allocation has failed, and nothing is left") {
  const Site site;
  std::optional<SlurmHold> hold(*SlurmHold::make(site.home()));
  const LaunchPayload payload = hold->payload({}, 022);
  int ended = -1;
  std::thread script([&] { ended = site.run(payload); });
  CHECK(hold->wait([] { return false; }));
  hold.reset();
  script.join();
  CHECK(ended == 1);
  CHECK_FALSE(site.has_files());
  CHECK(site.run(payload) != 0);  // a client that is gone before its script begins
  SlurmHold other = *SlurmHold::make(site.home());
  CHECK_FALSE(other.wait([] { return true; }));
}

}  // namespace virga
