// Tables of squeue, sinfo, sacct and the records of scontrol; the expected lines are Slurm 22.05.8's.
#include <doctest/doctest.h>
#include <stdlib.h>
#include <time.h>

#include "cli/account_fields.hpp"
#include "cli/job_fields.hpp"
#include "cli/lookups.hpp"
#include "cli/node_table.hpp"
#include "cli/scontrol.hpp"
#include "cli/table.hpp"

using namespace std::string_literals;

namespace {

using virga::JobRow;
using virga::JobState;
using virga::Time;

constexpr const char* k_squeue_format = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";

virga::Job a_job(std::uint32_t id, JobState state) {
  setenv("TZ", "UTC", 1);
  tzset();
  virga::Job job;
  job.id = {id};
  job.state = state;
  job.spec.edit().name = "a.sh";
  job.spec.edit().partition = "main";
  job.spec.edit().per_node.cpus = 1;
  job.spec.edit().work_dir = "/w";
  job.owner.user = "root";
  job.submitted = job.eligible = Time::from_seconds(1795441886);
  if (state != JobState::pending) {
    job.started = job.submitted;
    job.nodes = {{{1}, "n1", {}}};
  }
  return job;
}

std::string table_of(std::string_view format, const std::vector<JobRow>& rows, bool header = true) {
  return virga::render(virga::parse_letter_format(format, virga::fields_of(virga::job_fields())), virga::job_fields(),
                       rows, header);
}

}  // namespace

TEST_CASE("squeue's default table") {
  virga::Job held = a_job(4, JobState::pending);
  held.reason = virga::Reason::held_user;
  virga::Job running = a_job(1, JobState::running);
  const Time now = running.started + virga::Duration::seconds(61);
  CHECK(table_of(k_squeue_format, {{&held, nullptr, now}, {&running, nullptr, now}}) ==
        "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n"
        "                 4      main     a.sh     root PD       0:00      1 (JobHeldUser)\n"
        "                 1      main     a.sh     root  R       1:01      1 n1\n");
}

TEST_CASE("squeue: waiting tasks of an array are one line, others one each") {
  std::vector<virga::Job> jobs;
  for (std::uint32_t i = 0; i < 5; ++i) {
    virga::Job task = a_job(12 + i, i == 0 ? JobState::running : JobState::pending);
    task.array_job = {12};
    task.array_task = i * 2;
    task.spec.edit().array = {{{0, 8, 2}}, 2};
    task.reason = i == 0 ? virga::Reason::none : virga::Reason::array_limit;
    jobs.push_back(task);
  }
  jobs[4].array_task = 3;
  std::vector<JobRow> rows;
  for (const virga::Job& job : jobs) rows.push_back({&job, nullptr, job.submitted});
  CHECK(table_of("%i %F %K %r", {rows[1]}, false) == "12_2 12 2 JobArrayTaskLimit\n");
  virga::join_tasks(rows);
  CHECK(table_of("%i %K %A", rows, false) == "12_0 0 12\n12_[2-4,6%2] 2-4,6%2 13\n");
}

TEST_CASE("squeue: columns of policy") {
  virga::Job job = a_job(7, JobState::pending);
  job.spec.edit().qos = "urgent";
  job.spec.edit().nice = -3;
  job.spec.edit().reservation = "course";
  job.spec.edit().dependencies = {{.kind = virga::DependencyKind::afterok, .job = {3}}};
  job.reason = virga::Reason::dependency;
  job.priority = 4711;
  CHECK(table_of("%q %y %v %E %r %Q", {{&job, nullptr, job.submitted}}, false) ==
        "urgent -3 course afterok:3(unfulfilled) Dependency 4711\n");
  const std::string record = virga::job_record(job, job.submitted, {});
  CHECK(record.find("Priority=4711 Nice=-3 Account=(null) QOS=urgent\n") != record.npos);
  CHECK(record.find("Reason=Dependency Dependency=afterok:3(unfulfilled)\n") != record.npos);
  CHECK(record.find("Reservation=course\n") != record.npos);
}

TEST_CASE("jobs and tasks as users name them") {
  const auto texts = [](const char* text) {
    std::string all;
    for (const virga::JobRef& ref : virga::job_refs(text)) all += (all.empty() ? "" : " ") + ref.text();
    return all;
  };
  CHECK(texts("7") == "7");
  CHECK(texts("7.batch") == "7");
  CHECK(texts("7_3") == "7_3");
  CHECK(texts("7_3.0") == "7_3");
  CHECK(texts("7_[1-3,5]") == "7_1 7_2 7_3 7_5");
  CHECK(texts("7_*") == "7");
  CHECK(texts("x") == "");
  CHECK(texts("7_x") == "");
  virga::Job task = a_job(12, JobState::pending);
  task.array_job = {12};
  task.array_task = 4;
  CHECK(virga::ref_of(task).text() == "12_4");
  CHECK(virga::JobRef{{12}}.names(task));
  CHECK_FALSE(virga::JobRef{{12}, 5}.names(task));
  task.id = {15};
  CHECK(virga::JobRef{{12}}.names(task));
  CHECK(virga::JobRef{{15}}.names(task));
  CHECK(virga::ref_of(a_job(9, JobState::pending)).text() == "9");
}

TEST_CASE("formats of -o: widths, cutting, literal text, unknown letters") {
  virga::Job job = a_job(7, JobState::running);
  job.spec.edit().name = "a_long_name";
  const std::vector<JobRow> rows{{&job, nullptr, job.started}};
  CHECK(table_of("%i|%5j|%.5u|", rows, false) == "7|a_lon| root|\n");
  CHECK(table_of("job=%i,", rows, false) == "job=7,\n");
  CHECK(table_of("%A %a %C %F %K %k %l %S %V %T", rows, false) ==
        "7 (null) 1 7 N/A (null) UNLIMITED 2026-11-23T13:51:26 2026-11-23T13:51:26 RUNNING\n");
  auto format = virga::parse_letter_format("%^", virga::fields_of(virga::job_fields()));
  REQUIRE(format.unknown.size() == 1);
  CHECK(format.unknown[0] == "^");
  CHECK(table_of("%^", rows) == "%^\n%^\n");
  CHECK(table_of("%", rows, false) == "\n");
  CHECK(table_of("%all", rows).starts_with("JOBID|JOBID|ARRAY_JOB_ID|"));
}

TEST_CASE("formats of -O") {
  virga::Job job = a_job(3, JobState::cancelled);
  const std::vector<JobRow> rows{{&job, nullptr, job.started}};
  const auto render = [&](std::string_view text) {
    return virga::render(virga::parse_name_format(text, virga::fields_of(virga::job_fields())), virga::job_fields(),
                         rows, true);
  };
  CHECK(render("JobID,State") ==
        "JOBID               STATE               \n3                   CANCELLED           \n");
  CHECK(render("jobid:|,name:10,state:.12|") == "JOBID|NAME             STATE|\n3|a.sh         CANCELLED|\n");
  auto unknown = virga::parse_name_format("foo", virga::fields_of(virga::job_fields()));
  CHECK(unknown.unknown == std::vector{"foo"s});
}

TEST_CASE("the order of squeue's rows") {
  virga::Job a = a_job(1, JobState::running), b = a_job(2, JobState::pending), c = a_job(3, JobState::pending);
  c.owner.user = "ada";
  const auto order = [&](std::string_view keys) {
    std::vector<JobRow> rows{{&a, nullptr, {}}, {&c, nullptr, {}}, {&b, nullptr, {}}};
    REQUIRE(virga::sort_jobs(rows, keys));
    std::string ids;
    for (const JobRow& row : rows) ids += std::to_string(row.job->id.value);
    return ids;
  };
  CHECK(order("P,t,-p") == "231");
  CHECK(order("i") == "123");
  CHECK(order("-i") == "321");
  CHECK(order("u,-i") == "321");
  CHECK(order("-u,i") == "123");
  c.state = JobState::failed;  // states are sorted by their names: F, PD, R
  CHECK(order("t,i") == "321");
  std::vector<JobRow> rows;
  CHECK(virga::sort_jobs(rows, "foo").error().message == "Invalid sort specification: o");
}

TEST_CASE("sinfo gathers nodes that look alike") {
  virga::Config config;
  virga::Partition partition;
  partition.name = "main";
  partition.is_default = true;
  config.partitions.push_back(partition);
  std::vector<virga::SlurmNode> nodes(3);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].name = "n" + std::to_string(i + 1);
    nodes[i].partitions = {"main"};
    nodes[i].power = virga::SlurmNode::Power::on;
    nodes[i].total.cpus = 4;
  }
  nodes[2].power = virga::SlurmNode::Power::down;
  const auto render = [&](std::string_view letters, const virga::NodeGrouping& grouping) {
    auto format = virga::parse_letter_format(letters, virga::fields_of(virga::node_fields()));
    return virga::render(format, virga::node_fields(), virga::gather_rows(config, nodes, format, grouping), true);
  };
  CHECK(render("%9P %.5a %.10l %.6D %.6t %N", {}) ==
        "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n"
        "main*        up   infinite      2   idle n[1-2]\n"
        "main*        up   infinite      1  idle~ n3\n");
  CHECK(render("%9N %.6D %.9P %6t", {.one_by_one = true}) ==
        "NODELIST   NODES PARTITION STATE \n"
        "n1             1     main* idle  \n"
        "n2             1     main* idle  \n"
        "n3             1     main* idle~ \n");
  CHECK(render("%9P %.5a %.10l %.16F %N", {}) ==
        "PARTITION AVAIL  TIMELIMIT   NODES(A/I/O/T) NODELIST\n"
        "main*        up   infinite          0/3/0/3 n[1-3]\n");
  // Where no column tells partitions apart, each node is counted once.
  virga::Partition other;
  other.name = "other";
  config.partitions.push_back(other);
  for (virga::SlurmNode& node : nodes) node.partitions.push_back("other");
  CHECK(render("%N", {}) == "NODELIST\nn[1-3]\n");
  CHECK(render("%P %N", {}) == "PARTITION NODELIST\nmain* n[1-3]\nother n[1-3]\n");
  config.partitions.pop_back();
  nodes.clear();
  CHECK(render("%P %D %t %N", {}) == "PARTITION NODES STATE NODELIST\nmain* 0 n/a \n");
}

TEST_CASE("sacct's tables") {
  virga::Job job = a_job(1, JobState::failed);
  job.spec.edit().name = "a_name_that_is_long";
  job.spec.edit().account = "root";
  job.exit = {3, 0};
  job.ended = job.started + virga::Duration::seconds(100);
  job.usage.max_rss_bytes = 1234ULL << 10;
  job.steps.push_back({});
  job.steps.back().name = "true";
  job.steps.back().nodes = 1;
  job.steps.back().tasks = 2;
  job.steps.back().state = JobState::completed;
  std::vector<virga::AccountRow> rows;
  virga::add_account_rows(job, "virga", job.ended, false, rows);
  const auto render = [&](std::string_view columns, const virga::ColumnStyle& style) {
    return virga::render_accounts(*virga::parse_account_format(columns), rows, style);
  };
  CHECK(render("jobid,jobname,partition,account,alloccpus,state,exitcode", {}) ==
        "JobID           JobName  Partition    Account  AllocCPUS      State ExitCode \n"
        "------------ ---------- ---------- ---------- ---------- ---------- -------- \n"
        "1            a_name_th+       main       root          1     FAILED      3:0 \n"
        "1.batch           batch                  root          1     FAILED      3:0 \n"
        "1.0                true                  root          1  COMPLETED      0:0 \n");
  virga::ColumnStyle parsable;
  parsable.parsable = true;
  job.steps.back().started = job.started;
  job.steps.back().ended = job.started + virga::Duration::seconds(7);
  CHECK(render("JobID,State,Elapsed,NTasks,MaxRSS", parsable) ==
        "JobID|State|Elapsed|NTasks|MaxRSS\n"
        "1|FAILED|00:01:40||\n"
        "1.batch|FAILED|00:01:40|1|1234K\n"
        "1.0|COMPLETED|00:00:07|2|\n");
  parsable.end_delimiter = true;
  parsable.header = false;
  rows.resize(1);
  CHECK(render("jobid,exit", parsable) == "1|3:0|\n");
  CHECK(render("state%-12,jobid%4", {}) == "State        JobI \n------------ ---- \nFAILED          1 \n");
  CHECK(virga::parse_account_format("foo").error().message == "Invalid field requested: \"foo\"");
  CHECK_FALSE(virga::parse_account_format("jobid%x"));
}

TEST_CASE("a cancelled job names who cancelled it") {
  virga::Job job = a_job(1, JobState::cancelled);
  job.detail = "cancelled by root";
  virga::AccountRow row{&job, nullptr, virga::AccountRow::Kind::job, "virga", {}};
  CHECK(virga::account_state(row) == "CANCELLED by 0");
}

TEST_CASE("scontrol's record of a job has Slurm's keys in its order") {
  virga::Job job = a_job(7, JobState::running);
  job.spec.edit().time_limit = virga::Duration::minutes(5);
  job.end_limit = job.started + job.spec->time_limit;
  virga::ScontrolOptions options;
  options.one_line = true;
  const std::string line = virga::job_record(job, job.started + virga::Duration::seconds(25), options);
  CHECK(line.starts_with("JobId=7 JobName=a.sh UserId=root(0) GroupId=root(0) MCS_label=N/A Priority="));
  CHECK(
      line.find("JobState=RUNNING Reason=None Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0 "
                "RunTime=00:00:25 TimeLimit=00:05:00 TimeMin=N/A SubmitTime=2026-11-23T13:51:26") != line.npos);
  CHECK(line.find(" NodeList=n1 BatchHost=n1 NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ") != line.npos);
  CHECK(line.find(" StdErr=/w/slurm-7.out StdIn=/dev/null StdOut=/w/slurm-7.out ") != line.npos);
  options.one_line = false;
  CHECK(virga::job_record(job, job.started, options).find("\n   Partition=main ") != std::string::npos);
}

TEST_CASE("words that users write") {
  CHECK(virga::job_number("7") == 7U);
  CHECK(virga::job_number("7.batch") == 7U);
  CHECK_FALSE(virga::job_number("x"));
  CHECK_FALSE(virga::job_number("0"));
  CHECK(virga::uid_of("root") == 0U);
  CHECK(virga::uid_of("1234567") == 1234567U);
  CHECK_FALSE(virga::uid_of("no_such_user"));
  CHECK(virga::parse_states("R,pd")->admits(JobState::pending));
  CHECK_FALSE(virga::parse_states("R,pd")->admits(JobState::failed));
  CHECK(virga::parse_states("all")->admits(JobState::failed));
  CHECK(virga::parse_states("FOO").error().word == "FOO");
}

TEST_CASE("node lists need no controller") {
  int exit_code = -1;
  CHECK_FALSE(virga::scontrol_show_hosts({"show", "job", "7"}, exit_code));
  CHECK_FALSE(virga::scontrol_show_hosts({"hold", "hostnames"}, exit_code));
  CHECK(virga::scontrol_show_hosts({"show", "hostnames", "n["}, exit_code));
  CHECK(exit_code == 1);
}
