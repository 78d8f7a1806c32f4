// Slurm's own accounts: what sacct prints, when it is asked, and what is told.
#include "engines/slurm/accounts.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/temp_dir.hpp"
#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using slurm::Accounts;
using slurm::AccountsOptions;
using slurm::parse_accounts;
using slurm::parse_cpu_time;
using std::chrono::milliseconds;

Duration ms(std::int64_t n) { return Duration{n * 1'000'000}; }

/// A sacct that prints a file with '#' where the mark belongs, once the file is there, and counts its calls.
class FakeSacct {
 public:
  FakeSacct() {
    std::ofstream(folder_ / "sacct") << "#!/bin/sh\n"
                                        "echo \"$*\" >> " +
                                            (folder_ / "calls") +
                                            "\n"
                                            "[ -e " +
                                            (folder_ / "answer") +
                                            " ] || { echo 'sacct: error: Connection refused' >&2; exit 1; }\n"
                                            "for word; do case $word in --delimiter=*) mark=${word#*=} ;; esac; done\n"
                                            "sed \"s/#/$mark/g\" " +
                                            (folder_ / "answer") + "\n";
    chmod((folder_ / "sacct").c_str(), 0755);
  }
  AccountsOptions options() const {
    return {{"PATH=" + folder_.path() + ":/usr/bin:/bin"}, folder_ / "usage", [this] {
              std::ofstream(folder_ / "kept") << "x";
              return Status();
            }};
  }
  void answer(const std::string& text) const {
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", folder_ / "answer");
  }
  std::string calls() const { return read_file(folder_ / "calls"); }
  bool was_kept() const { return std::filesystem::exists(folder_ / "kept"); }
  std::string usage(const std::string& name) const { return read_file(folder_ / "usage/" + name); }

 private:
  test::TempDir folder_;
};

}  // namespace

TEST_CASE("slurm accounts: times as sacct of 22.05.8 printed them") {
  CHECK(parse_cpu_time("00:01.078") == ms(1'078));
  CHECK(parse_cpu_time("01:02:03") == Duration::seconds(3'723));
  CHECK(parse_cpu_time("2-01:00:00") == Duration::seconds(176'400));
  CHECK(parse_cpu_time("00:00:00") == Duration{});
  for (const char* other : {"", "INVALID", "00:01.0", "5", "1:2:3:4", "-1:00", "x-00:00:01"}) {
    CAPTURE(other);
    CHECK((!parse_cpu_time(other) || parse_cpu_time(other)->ns < 0));
  }
}

TEST_CASE("slurm accounts: jobs and steps as sacct of 22.05.8 printed them") {
  const std::string mark = "|x1|";
  std::string text =
      "7#FAILED#3:0#1796078771#1796078774#2##00:01.078#00:00.162##j.sh\n"
      "7.batch#FAILED#3:0#1796078771#1796078774#1#1#00:00.019#00:00.026#11177984#batch\n"
      "7.0#COMPLETED#0:0#1796078771#1796078772#2#2#00:01.052#00:00.131#73797632#we|ird\n"
      "8.0|COMPLETED|0:0|1|1|1|1|00:09.000|00:00.000|0|name\n"
      "7.10#FAILED#1:0#1796078772#1796078773#2#2#00:00.004#00:00:00##false\n"
      "7.2#CANCELLED by 1000#0:15#1796078772#1796078773#1#1#00:00.001#00:00.004##sleep\n"
      "7.extern#COMPLETED#0:0#1796078771#1796078774#2#2#00:00:00#00:00:00##extern\n"
      "9#RUNNING#0:0#1796078771#Unknown#1##00:00:00#00:00:00##x\n"
      "10#COMPLETED#0:0#1796078771#1796078774#1##00:00:00#00:00:00##x\n"
      "10.0#RUNNING#0:0#1796078771#Unknown#1#1#00:00:00#00:00:00##x\n"
      "11.0#COMPLETED#0:0#1796078771#1796078774#1#1#00:00:00#00:00:00##x\n";
  for (std::size_t at = 0; (at = text.find('#', at)) != std::string::npos; at += mark.size()) {
    text.replace(at, 1, mark);
  }
  const auto jobs = parse_accounts(text, mark);
  REQUIRE(jobs.size() == 4);  // nothing of 8, which is a name's second line
  const slurm::AccountedJob& job = jobs.at(7);
  CHECK(job.whole);
  CHECK(job.usage.user_cpu == ms(19));
  CHECK(job.usage.system_cpu == ms(26));
  CHECK(job.usage.max_rss_bytes == 11'177'984);
  REQUIRE(job.steps.size() == 3);
  CHECK(job.steps[0].name == "we|ird");
  CHECK(job.steps[0].usage.max_rss_bytes == 73'797'632);
  CHECK(job.steps[0].state == JobState::completed);
  CHECK(job.steps[0].started == Time::from_seconds(1'796'078'771));
  CHECK((job.steps[0].nodes == 2 && job.steps[0].tasks == 2));
  CHECK(job.steps[1].id == 2);
  CHECK(job.steps[1].state == JobState::cancelled);
  CHECK(job.steps[1].exit == ExitStatus{0, 15});
  CHECK(job.steps[2].id == 10);
  CHECK(job.steps[2].exit == ExitStatus{1, 0});
  CHECK_FALSE(jobs.at(9).whole);
  CHECK_FALSE(jobs.at(10).whole);
  CHECK_FALSE(jobs.at(11).whole);  // slurmdbd has not heard of the job itself yet
}

TEST_CASE("slurm accounts: many ends are asked for at once, told when slurmdbd has all of one, and kept meanwhile") {
  const FakeSacct sacct;
  RecordingSink sink;
  {
    Accounts accounts(sacct.options(), sink);
    for (std::uint32_t job = 1; job <= 20; ++job) REQUIRE(accounts.note({{job}, 0}, 100 + job));
    CHECK(sacct.usage("7.0") == "107\n");
    REQUIRE(contract::eventually({}, [&] { return sacct.was_kept(); }));  // it does not answer yet
    const std::string calls = sacct.calls();
    CHECK(std::count(calls.begin(), calls.end(), '\n') == 1);
    sacct.answer(
        "101#COMPLETED#0:0#50#60#1##00:00:00#00:00:00##x\n101.0#COMPLETED#0:0#50#60#1#1#00:01.500#00:00:00##a\n"
        "102#COMPLETED#0:0#50#Unknown#1##00:00:00#00:00:00##x\n");
    const auto told = sink.wait_for_job<JobAccounted>({1});
    REQUIRE(told.steps.size() == 1);
    CHECK(told.steps[0].usage.user_cpu == ms(1'500));
    CHECK(sink.count<JobAccounted>() == 1);
  }
  // Who comes back tells both: what was told may not have reached the journal.
  RecordingSink second;
  sacct.answer("101#COMPLETED#0:0#50#60#1##00:00:00#00:00:00##x\n102#COMPLETED#0:0#50#61#1##00:00:00#00:00:00##x\n");
  Accounts accounts(sacct.options(), second);
  second.wait_for_job<JobAccounted>({1});
  second.wait_for_job<JobAccounted>({2});
}

TEST_CASE("slurm accounts: on a cluster with slurmdbd steps, memory and CPU time of a job are told") {
  if (!World::usable()) return;
  if (const Status there = slurm::find_database(); !there) {
    MESSAGE("skipped: " << there.error().message);
    return;
  }
  World world;
  world.accounting = true;
  RecordingSink sink;
  auto engine = world.engine(sink);
  const JobNode a = world.boot();
  const JobNode b = world.boot();
  engine_contract::wait_ready(sink, *engine, {a, b});
  const Job job = world.job(1, {a, b});
  engine->start({job},
                world.script("srun -J both -N 2 sh -c 'x=$(head -c 30000000 /dev/zero | tr \"\\0\" x); sleep 5'\n"
                             "srun -J bad -N 1 -n 1 sh -c 'exit 3'\nexit 4"));
  CHECK(sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{4, 0});
  const auto told = sink.wait_for_job<JobAccounted>(job.id);
  REQUIRE(told.steps.size() == 2);
  CHECK(told.steps[0].name == "both");
  CHECK((told.steps[0].nodes == 2 && told.steps[0].tasks == 2));
  CHECK(told.steps[0].state == JobState::completed);
  CHECK(told.steps[0].ended >= told.steps[0].started + Duration::seconds(4));
  CHECK(told.steps[0].usage.max_rss_bytes > 25'000'000);
  CHECK(told.steps[0].usage.user_cpu + told.steps[0].usage.system_cpu > Duration{});
  CHECK(told.steps[1].name == "bad");
  CHECK(told.steps[1].exit == ExitStatus{3, 0});
  // slurmdbd is away: the end is told all the same, and the steps once it is back, which somebody has to see to.
  const pid_t slurmdbd = std::atoi(read_file(world.home().slurm() + "/slurmdbd.pid").c_str());
  REQUIRE(::kill(slurmdbd, SIGKILL) == 0);
  const Job next = world.job(2, {a});
  engine->start({next}, world.script("srun -J again true"));
  CHECK(sink.wait_for_job<JobEnded>(next.id).exit.ok());
  CHECK(sink.wait_for_job<JobAccounted>(next.id).steps.size() == 1);
  engine.reset();
}

}  // namespace virga::slurm_test
