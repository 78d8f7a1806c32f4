// The pieces that need no Slurm: what its listings say, what a submission is, what the ledger keeps.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "engines/slurm/batch_script.hpp"
#include "engines/slurm/bootstrap.hpp"
#include "engines/slurm/cluster.hpp"
#include "engines/slurm/conf.hpp"
#include "engines/slurm/ledger.hpp"
#include "engines/slurm/listing.hpp"
#include "support/temp_dir.hpp"
#include "wire/command.hpp"
#include "wire/slurm_steps.hpp"
#include "wire/text_file.hpp"

namespace virga::slurm {
namespace {

Job job_on(const std::vector<std::string>& names) {
  Job job;
  job.id = {17};
  job.owner = {1000, 1000, "ada", false};
  job.spec.edit().name = "train";
  job.spec.edit().work_dir = "/data";
  job.spec.edit().nodes = static_cast<std::uint32_t>(names.size());
  job.spec.edit().tasks = job.spec->nodes;
  job.spec.edit().per_node = {2, 0, 1ULL << 30};
  std::vector<JobNode> nodes;
  for (const std::string& name : names) nodes.push_back({VmId{nodes.size() + 40}, name, {}});
  job.nodes = std::move(nodes);
  return job;
}

SubmissionSite site() {
  SubmissionSite site;
  site.environment.home = {"/var/lib/virga"};
  site.environment.checkpoints = "/var/lib/virga/checkpoints";
  site.environment.cluster_name = "virga";
  site.environment.bin_dir = "/opt/virga/bin";
  site.partition = "virga";
  return site;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

TEST_CASE("slurm listing: jobs, as squeue of 22.05.8 printed them") {
  const auto jobs = parse_jobs(
      "50000013|FAILED|1792|65534|nobody|virga|n1|NonZeroExitCode|0|(null)|\n"
      "50000014|FAILED|15|65534|nobody|virga|n1|JobLaunchFailure|0|(null)|\n"
      "50000016|FAILED|4021|65534|nobody|virga|n1|JobLaunchFailure|0|(null)|\n"
      "50000017|RUNNING|0|65534|nobody|virga|n[1-2]|None|-1|virga:a|b:3.1|\n"
      "50000018|PENDING|0|65534|nobody|virga||JobHeldUser|-1|virga:x:17.0|\n"
      "50000019|PENDING|0|0|root|virga_direct||None|0||\n"
      "50000020|COMPLETING|0|0|root|virga_direct|n1|None|10|(null)|\n"
      "50000021|CANCELLED|0|65534|nobody|virga||JobHeldUser|0|(null)|\n"
      "squeue: something else\n");
  REQUIRE(jobs.size() == 8);
  CHECK(jobs[0].exit == ExitStatus{7, 0});
  CHECK(jobs[0].stage == JobStage::over);
  CHECK_FALSE(jobs[0].never_ran());
  CHECK(jobs[1].exit == ExitStatus{0, 15});
  CHECK_FALSE(jobs[1].never_ran());  // Slurm says "launch failure" of whatever a signal ended
  CHECK(jobs[2].never_ran());
  CHECK(jobs[3].stage == JobStage::running);
  CHECK(jobs[3].comment == "virga:a|b:3.1");
  CHECK(jobs[3].uid == 65534);
  CHECK(jobs[3].user == "nobody");
  CHECK(jobs[3].nodes == "n[1-2]");
  CHECK(jobs[5].partition == "virga_direct");
  CHECK(jobs[5].nodes.empty());
  CHECK(jobs[4].stage == JobStage::held);
  CHECK(jobs[5].stage == JobStage::waiting);
  CHECK(jobs[6].stage == JobStage::completing);
  CHECK(jobs[7].stage == JobStage::over);
}

TEST_CASE("slurm listing: nodes, as sinfo of 22.05.8 printed them") {
  const auto nodes = parse_nodes(
      "n1|idle|virga_virga_1|10.1.0.1|none|\n"
      "n1|idle|virga_virga_1|10.1.0.1|none|\n"  // once for every partition
      "n2|mixed*|big,virga_virga_22,ib|10.1.0.2|none|\n"
      "n3|down|virga_virga_3|10.1.0.3|given back|\n"
      "site7|allocated|(null)|192.0.2.7|none|\n"
      "n4|completing|virga_virga_4|10.1.0.4|none|\n"
      "n5|idle|virga,virga_other_5|10.1.0.5|none|\n",
      "virga");
  REQUIRE(nodes.size() == 6);
  CHECK_FALSE(nodes[5].vm);  // another Virga's
  CHECK((nodes[0].usable && nodes[0].vm == VmId{1}));
  CHECK(nodes[1].vm == VmId{22});
  CHECK_FALSE(nodes[1].answers);
  CHECK_FALSE(nodes[1].usable);
  CHECK(nodes[2].state == "down");
  CHECK(nodes[2].reason == "given back");
  CHECK_FALSE(nodes[3].vm);
  CHECK(nodes[4].usable);
  CHECK(job_conf("ClusterName=x", {nodes[0], nodes[3]}) == "ClusterName=x\nNodeName=n1 NodeAddr=10.1.0.1\n");
}

TEST_CASE("slurm listing: a job's key goes into a comment and back") {
  const JobKey key{{17}, 3};
  CHECK(comment_of("virga", key) == "virga:virga:17.3");
  CHECK(key_of("virga:virga:17.3", "virga") == key);
  for (const char* other : {"", "(null)", "virga:other:17.3", "virga:virga2:17.3", "virga:virga:17", "virga:virga:x.3",
                            "virga:virga:17.3x", "virga:virga:17.", "my virga:virga:17.3"}) {
    CAPTURE(other);
    CHECK_FALSE(key_of(other, "virga"));
  }
}

TEST_CASE("slurm listing: a value of Slurm's configuration") {
  const std::string config =
      "Configuration data as of 2026-11-30T20:00:00\nGresTypes               = gpu\n"
      "StateSaveLocation       = /var/lib/slurm ctld\nPrologFlags             = \n";
  CHECK(config_value(config, "GresTypes") == "gpu");
  CHECK(config_value(config, "StateSaveLocation") == "/var/lib/slurm ctld");
  CHECK(config_value(config, "PrologFlags").empty());
  CHECK(config_value(config, "Gres").empty());
  CHECK(config_value("", "GresTypes").empty());
}

TEST_CASE("slurm ledger: an end is written once, and outlasts the one who wrote it") {
  const test::TempDir folder;
  const JobKey key{{17}, 0};
  {
    const Ledger ledger(folder.path());
    CHECK_FALSE(ledger.find(key));
    CHECK_FALSE(ledger.may_have(key));
    REQUIRE(ledger.note_submitted(key));
    CHECK(ledger.may_have(key));
    CHECK_FALSE(ledger.find(key)->released);
    REQUIRE(ledger.note_released(key));
    REQUIRE(ledger.note_submitted(key));
    CHECK(ledger.find(key)->released);
    CHECK_FALSE(ledger.find(key)->ended);
    REQUIRE(ledger.note_ended(key, {7, 0}, false));
  }
  const Ledger ledger(folder.path());
  REQUIRE(ledger.note_ended(key, {0, 9}, true));
  REQUIRE(ledger.note_submitted(key));
  const auto entry = ledger.find(key);
  REQUIRE(entry);
  CHECK(entry->ended);
  CHECK(entry->exit == ExitStatus{7, 0});
  CHECK_FALSE(entry->never_ran);
  CHECK_FALSE(ledger.find({{17}, 1}));
  ledger.forget(key);
  CHECK_FALSE(ledger.find(key));
  REQUIRE(write_text_file(folder.path() + "/17.0", "ended 7"));  // half a line
  CHECK_FALSE(ledger.find(key));
  CHECK(ledger.may_have(key));
  CHECK_FALSE(Ledger(folder.path() + "/none").note_submitted(key));
}

TEST_CASE("slurm submission: bound to its nodes, in rank order, and without what sbatch would do again") {
  Job job = job_on({"nd-3", "nd-1"});
  job.spec.edit().std_out = "50%-%j.log";
  LaunchPayload payload;
  payload.script = "#!/bin/bash\n#SBATCH --array=0-9\ntrue";
  const Submission made = submission_of(job, payload, site(), "virga:virga:17.0");
  for (const char* option :
       {"--hold", "--no-requeue", "--nodelist=nd-[3,1]", "--nodes=2-2", "--ntasks=2", "--mincpus=2", "--mem=1024M",
        "--batch=virga_virga_40", "--constraint=virga_virga_40|virga", "--uid=1000", "--gid=1000",
        "--comment=virga:virga:17.0", "--chdir=/data", "--output=/data/50%%-17.log"}) {
    CAPTURE(option);
    CHECK(has(made.options, option));
  }
  // sbatch reads #SBATCH lines up to the first command: ours is before the user's.
  CHECK(made.script.find("umask") < made.script.find("#SBATCH"));
  CHECK(host_file(job) == "nd-3\nnd-1\nnd-3\nnd-1\n");
  job.spec.edit().per_node.gpus = 8;
  CHECK_FALSE(has(submission_of(job, payload, site(), "c").options, "--gres=gpu:8"));
  SubmissionSite with_gpus = site();
  with_gpus.counts_gpus = true;
  CHECK(has(submission_of(job, payload, with_gpus, "c").options, "--gres=gpu:8"));
  job.spec.edit().tasks = 3;
  CHECK(host_file(job).starts_with("nd-3\nnd-3\nnd-1\n"));

  const Submission single = submission_of(job_on({"nd-1"}), payload, site(), "c");
  CHECK(single.script.find("HOSTFILE") == std::string::npos);
}

TEST_CASE("slurm submission: a gang of a thousand nodes keeps within what Slurm takes") {
  std::vector<std::string> names;
  for (int i = 1; i <= 1000; ++i) names.push_back("nd-" + std::to_string(i));
  const Submission made = submission_of(job_on(names), LaunchPayload{}, site(), "c");
  for (const std::string& option : made.options) {
    if (option.starts_with("--constraint=")) CHECK(option.size() < 1024);  // job_create_request() of 22.05
  }
  CHECK(has(made.options, "--nodelist=nd-[1-1000]"));
}

TEST_CASE("slurm submission: no Virga's commands, by whatever way, are in PATH before Slurm's") {
  const test::TempDir folder;
  for (const char* const installation : {"ours", "another"}) {
    const std::string bin = folder / installation;
    std::filesystem::create_directory(bin);
    std::ofstream(bin + "/virga");
    std::filesystem::create_symlink("virga", bin + "/srun");
  }
  std::filesystem::create_symlink(folder / "ours", folder / "link");
  std::filesystem::create_directory(folder / "slurm");
  std::ofstream(folder / "slurm/srun");
  EnvironmentSite there = site().environment;
  there.bin_dir = folder / "ours";
  const std::string path = (folder / "link") + ":" + (folder / "another") + ":" + (folder / "slurm") + ":/none";
  const auto variables = script_environment(job_on({"nd-1"}), {"PATH=" + path}, there);
  CHECK(has(variables, "PATH=" + (folder / "slurm") + ":/none:" + (folder / "ours")));
}

TEST_CASE("slurm submission: the environment is the submitter's, and Slurm's own variables stay Slurm's") {
  const auto variables = script_environment(
      job_on({"nd-3", "nd-1"}),
      {"PATH=/opt/virga/bin:/usr/bin", "A=1", "SLURM_JOB_ID=99", "SBATCH_PARTITION=x", "SLURM_CONF=/elsewhere"},
      site().environment);
  CHECK(has(variables, "A=1"));
  CHECK(has(variables, "PATH=/usr/bin:/opt/virga/bin"));
  CHECK(has(variables, "VIRGA_JOB_ID=17"));
  CHECK(has(variables, "SLURM_JOB_NODELIST=nd-[3,1]"));
  CHECK(has(variables, "SLURM_DISTRIBUTION=arbitrary"));
  for (const std::string& variable : variables) {
    CHECK_FALSE(variable.starts_with("SLURM_JOB_ID="));
    CHECK_FALSE(variable.starts_with("SLURM_CONF="));
    CHECK_FALSE(variable.starts_with("SBATCH_"));
  }
}

TEST_CASE("slurm submission: the script becomes the user's, byte for byte") {
  const test::TempDir folder;
  LaunchPayload payload;
  payload.script =
      "#!/bin/sh\necho \"$0|$1|$2|$WORD|$VIRGA_JOB_ID\"; cat \"$SLURM_HOSTFILE\" \"$SLURM_HOSTFILE\"; umask\n"
      "cat <<'VIRGA_END'\nit's $here\nVIRGA_END\nexit 3\n";
  payload.environment = {"WORD=it's a \"word\"\nof two lines", "PATH=/usr/bin:/bin"};
  payload.umask = 077;
  const Submission made = submission_of(job_on({"b", "a"}), payload, site(), "c");
  const std::string path = folder.path() + "/slurm_script";
  REQUIRE(write_text_file(path, made.script));
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const CommandEnd end =
      run_command({path, "x", "y z"}, {"PATH=/usr/bin:/bin", "TMPDIR=" + folder.path()}, std::chrono::seconds(20));
  CHECK(end.exit_code == 3);
  CHECK(end.err == "");
  CHECK(end.out == path + "|x|y z|it's a \"word\"\nof two lines|17\nb\na\nb\na\nb\na\nb\na\n0077\nit's $here\n");
  CHECK(*read_text_file(path) == payload.script);
  const auto files = std::filesystem::directory_iterator(folder.path());
  CHECK(std::distance(std::filesystem::begin(files), std::filesystem::end(files)) == 1);  // the host file has no name
}

TEST_CASE("slurm commands: the host cloud, which reaps orphans of other sessions, leaves them alone") {
  const CommandEnd end = run_command({"sh", "-c", "cut -d' ' -f6 /proc/self/stat; exit 3"}, {"PATH=/usr/bin:/bin"},
                                     std::chrono::seconds(20));
  CHECK(end.out == std::to_string(getsid(0)) + "\n");
  CHECK(end.exit_code == 3);
}

TEST_CASE("slurm bootstrap and conf name what belongs to this instance") {
  const std::string script = bootstrap_script({"/var/lib/virga/slurm", "virga", "nd-1", VmId{7}, {96, 8, 2ULL << 30}});
  CHECK(script.starts_with("#!/bin/sh\n"));
  CHECK(script.find("slurmd -D -Z -N 'nd-1'") != std::string::npos);
  CHECK(script.find("CPUs=96 RealMemory=2048 Feature=virga,virga_virga_7 Gres=gpu:8") != std::string::npos);
  CHECK(script.find("File=$gpus[0-7]") != std::string::npos);
  const std::string without = bootstrap_script({"/v/slurm", "virga", "nd-1", VmId{7}, {96, 0, 2ULL << 30}});
  CHECK(without.find("gpu") == std::string::npos);
  // A node that Slurm has as another VM's is waited for; then it is made this one's.
  CHECK(script.find("    *virga_virga_7*) ;;\n    *virga_virga_*) sleep $pause; continue ;;\n") != std::string::npos);
  CHECK(script.find("availablefeatures=virga,virga_virga_7 activefeatures=virga,virga_virga_7") != std::string::npos);
  const std::string conf = conf_text({"virga", "ctl", "10.1.2.3", 20001, "root", "/var/lib/virga/slurm", "virga"});
  CHECK(conf.find("SlurmctldHost=ctl(10.1.2.3)\nSlurmctldPort=20001\n") != std::string::npos);
  CHECK(conf.find("JobRequeue=0\n") != std::string::npos);
  CHECK(conf.find("PartitionName=virga Nodes=virga PriorityTier=100 ") != std::string::npos);
  CHECK(conf.find("PartitionName=virga_direct Nodes=virga Default=YES MaxTime=INFINITE State=UP\n") !=
        std::string::npos);
  CHECK(
      node_conf_of_site("ClusterName=site\nslurmctldhost=head(192.0.2.1) # main\nSlurmdSpoolDir=/var/spool/slurmd\nX=1",
                        "10.1.2.3", "/v/slurm") ==
      "# Made by virgad from the site's slurm.conf when it starts: changes are lost.\n"
      "ClusterName=site\nSlurmctldHost=head(10.1.2.3)\nX=1\n"
      "SlurmdSpoolDir=/v/slurm/spool/%n\nSlurmdPidFile=/v/slurm/spool/%n.pid\n"
      "SlurmdLogFile=/v/slurm/log/slurmd.%n.log\n");
}

TEST_CASE("a home that a cluster cannot live in is refused before anything is started") {
  const test::TempDir folder;  // private, as mkdtemp() makes it
  const auto refusal = [](const std::string& home) {
    const auto cluster = Cluster::prepare({Home{home}, "virga", "/usr/bin/virga-node", "10.77.250.1"});
    return cluster ? std::string() : cluster.error().message;
  };
  CHECK(refusal(folder.path() + "/home").find("the folder " + folder.path() + " is private") == 0);
  CHECK(refusal("/var/lib/two words").find("cannot be written in slurm.conf") != std::string::npos);
}

}  // namespace virga::slurm
