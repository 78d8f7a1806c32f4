// What mails about jobs say, and documents in YAML.
#include "wire/slurm_mail.hpp"

#include <doctest/doctest.h>

#include "wire/slurm_policy.hpp"
#include "wire/slurm_yaml.hpp"

namespace virga {
namespace {

Job job_seven() {
  Job job;
  job.id = {7};
  job.spec.edit().name = "x";
  job.owner.user = "me";
  job.submitted = Time::from_seconds(100);
  job.started = Time::from_seconds(101);
  job.state = JobState::running;
  return job;
}

}  // namespace

TEST_CASE("mails: what their subjects say") {
  Job job = job_seven();
  const Time now = Time::from_seconds(111);
  CHECK(mail_subject(job, k_mail_begin, now) == "Slurm Job_id=7 Name=x Began, Queued time 00:00:01");
  CHECK(mail_subject(job, k_mail_time_80, now) == "Slurm Job_id=7 Name=x Reached 80% of time limit, Run time 00:00:10");
  job.state = JobState::failed;
  job.ended = Time::from_seconds(106);
  job.exit.code = 3;
  CHECK(mail_subject(job, k_mail_fail, now) == "Slurm Job_id=7 Name=x Failed, Run time 00:00:05, FAILED, ExitCode 3");
  job.array_job = {5};
  job.array_task = 2;
  CHECK(mail_subject(job, k_mail_end, now) == "Slurm Array Summary Job_id=5_* (7) Name=x Ended");
  job.spec.edit().mail_types = k_mail_array_tasks;
  CHECK(mail_subject(job, k_mail_requeue, now) == "Slurm Array Task Job_id=5_2 (7) Name=x Requeued, Run time 00:00:05");
  CHECK(mail_receiver(job) == "me");
  job.spec.edit().mail_user = "you@example.org";
  CHECK(mail_receiver(job) == "you@example.org");
}

TEST_CASE("mails: words of --mail-type") {
  CHECK(parse_mail_types("begin,END") == (k_mail_begin | k_mail_end));
  CHECK(parse_mail_types("BEGIN,NONE") == 0U);
  CHECK_FALSE(parse_mail_types("SOME").has_value());
  CHECK(mail_types_text(*parse_mail_types("ALL")) == "INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT");
  CHECK(mail_types_text(0) == "NONE");
}

TEST_CASE("YAML as Slurm writes it") {
  CHECK(slurm_yaml(R"({"a": [1, null], "b": {"c": true, "d": [], "e": {}}, "f": ""})") ==
        "%YAML 1.1\n--- !!map\n!!str a: !!seq\n- !!int 1\n- !!null null\n!!str b: !!map\n  !!str c: !!bool true\n"
        "  !!str d: !!seq []\n  !!str e: !!map {}\n!!str f: !!str\n...\n");
  CHECK(slurm_yaml(R"({"a": [{"b": "x #1", "c": "it's: so"}, {"b": "p\nq"}]})") ==
        "%YAML 1.1\n--- !!map\n!!str a: !!seq\n- !!map\n  !!str b: !!str 'x #1'\n  !!str c: !!str 'it''s: so'\n"
        "- !!map\n  !!str b: !!str \"p\\nq\"\n...\n");
  CHECK(slurm_yaml(R"({"a": {"b": ["n1"]}})") ==
        "%YAML 1.1\n--- !!map\n!!str a: !!map\n  !!str b: !!seq\n  - !!str n1\n...\n");
  CHECK(slurm_yaml(R"({"a": ""})", true) == "%YAML 1.1\n--- !!map\n!!str a: !!null null\n...\n");
}

TEST_CASE("mail: neither names nor addresses of jobs do anything but be read") {
  Job job;
  job.id = {7};
  job.spec.edit().name = "x\nBcc: all@example.org\x1b[2J";
  CHECK(mail_subject(job, k_mail_requeue, {}) == "Slurm Job_id=7 Name=x?Bcc: all@example.org?[2J Requeued");
  for (const char* good : {"ada", "ada@example.org", "ada,grace+jobs@example.org", "a-b_c.d%e@x"}) {
    CHECK_MESSAGE(is_mail_receiver(good), good);
  }
  for (const char* bad : {"", "-Sv15", "ada,-a", "|rm", "a b", "a\nb", "$(id)", "/tmp/file", "a;b", ",", "\xff@x"}) {
    CHECK_FALSE_MESSAGE(is_mail_receiver(bad), bad);
  }
}

}  // namespace virga
