// Jobs that wait in Slurm, past Virga, become Virga's: once, as they were asked for, and as their owner's.
#include <fstream>
#include <mutex>

#include "engines/slurm/adoption.hpp"
#include "unit/engines_slurm/world.hpp"
#include "wire/text_file.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using slurm::Adoptee;
using std::chrono::milliseconds;

constexpr milliseconds k_sweep{1'000};

/// Plays Virga's queue: the same key gets the same number.
struct Queue {
  struct Asked {
    JobSubmitted job;
    LaunchPayload payload;
  };
  std::mutex mutex;
  std::vector<Asked> asked;
  std::vector<std::string> keys;
  bool answers = true;
  std::string refuses;

  slurm::Adopt adopt() {
    return [this](JobSubmitted job, LaunchPayload payload, std::function<void(Result<std::uint64_t>)> done) {
      const std::lock_guard lock(mutex);
      auto known = std::find(keys.begin(), keys.end(), job.idempotency_key);
      if (known == keys.end()) known = keys.insert(keys.end(), job.idempotency_key);
      const auto number = static_cast<std::uint64_t>(known - keys.begin()) + 100;
      asked.push_back({std::move(job), std::move(payload)});
      if (!answers) return;
      if (refuses.empty()) {
        done(number);
      } else {
        done(fail(Code::refused, std::string(refuses)));
      }
    };
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return asked.size();
  }
};

std::string give(const World& world, std::vector<std::string> options, const std::string& script) {
  const std::string path = world.work("script.sh");
  REQUIRE(write_text_file(path, script));
  std::vector<std::string> argv = {"sbatch", "--parsable", "--uid=65534", "--gid=65534", "--chdir=" + world.work()};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back(path);
  std::string id = world.slurm(argv);
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

std::string shown(const World& world, const std::string& id) { return world.slurm({"scontrol", "show", "job", id}); }

bool becomes(const World& world, const std::string& id, const std::string& text) {
  return contract::eventually({}, [&] { return shown(world, id).find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("slurm adopt: what squeue says becomes a submission, whatever its user wrote") {
  const std::string mark = "|x1|";
  const auto columns = [&](std::vector<std::string> fields) {
    std::string text;
    for (const std::string& field : fields) text += field + mark;
    return text + "\n";
  };
  const std::vector<std::string> fields = {"7",         "1000",
                                           "100",       "ada",
                                           "PENDING",   "PartitionDown",
                                           "1",         "N/A",
                                           "N/A",       "2026-11-30T19:19:41",
                                           "10:00",     "2",
                                           "4",         "3",
                                           "2",         "3",
                                           "10G",       "NO",
                                           "(null)",    "",
                                           "(null)",    "(null)",
                                           "N/A",       "0",
                                           "acc",       "a name",
                                           "/data",     "/data/s.sh",
                                           "/dev/null", "/data/o.%j.%x",
                                           "/data/e",   "(null)",
                                           "(null)"};
  const Result<Adoptee> job = slurm::parse_adoptee(columns(fields), mark, "virga");
  REQUIRE(job);
  CHECK(job->refusal == "");
  CHECK(job->pending);
  CHECK(job->submission.actor.uid == 1000);
  CHECK_FALSE(job->submission.actor.is_operator);
  CHECK(job->submission.idempotency_key == "slurm:virga:7:2026-11-30T19:19:41");
  const JobSpec& spec = job->submission.spec;
  CHECK(spec.nodes == 2);
  CHECK(spec.tasks == 4);
  CHECK(spec.per_node.cpus == 6);
  CHECK(spec.per_node.memory_bytes == 10ULL << 30);
  CHECK(spec.exclusive);
  CHECK_FALSE(spec.requeue);
  CHECK(spec.time_limit == Duration::minutes(10));
  CHECK(spec.std_out == "/data/o.7.%x");
  CHECK(spec.std_err == "/data/e");
  CHECK(spec.std_in.empty());

  const auto refusal = [&](std::size_t column, const std::string& value) {
    std::vector<std::string> other = fields;
    other[column] = value;
    const auto read = slurm::parse_adoptee(columns(other), mark, "virga");
    return read ? read->refusal : read.error().message;
  };
  CHECK(refusal(6, "0") == "it has no script");
  CHECK(refusal(7, "0-3%2") == "it is an array");
  CHECK(refusal(18, "gpu") == "it asks for features of nodes");
  CHECK(refusal(27, "/data/s.sh 1").find("arguments") != std::string::npos);
  CHECK(refusal(25, "x\n8|0|0|root").find("control character") != std::string::npos);
  CHECK(refusal(1, "root").find("\"root\"") != std::string::npos);
  CHECK_FALSE(slurm::parse_adoptee("", mark, "virga"));
  CHECK(slurm::job_of_note(slurm::adopted_note(17)) == 17);
  for (const char* note : {"", "virga: job ", "virga: job 17x", "my virga: job 17"})
    CHECK_FALSE(slurm::job_of_note(note));
}

TEST_CASE("slurm adopt: the environment that slurmctld keeps") {
  const std::string bytes("\3\0\0\0A=1\0SLURM_UMASK=0077\0none\0", 30);
  const auto variables = slurm::adopted_environment(bytes);
  REQUIRE(variables);
  CHECK(*variables == std::vector<std::string>{"A=1", "SLURM_UMASK=0077"});
  CHECK(slurm::umask_of(*variables) == 077);
  CHECK(slurm::umask_of({"SLURM_UMASK=99"}) == 022);
  for (std::size_t size : {0U, 3U, 4U, 20U}) CHECK_FALSE(slurm::adopted_environment(bytes.substr(0, size)));
}

TEST_CASE("slurm adopt: a job that waits is asked for as it is, cancelled once it is Virga's, and says which one") {
  if (!World::usable()) return;
  World world;
  Queue queue;
  world.adopt = queue.adopt();
  RecordingSink sink;
  auto engine = world.engine(sink, k_sweep);
  REQUIRE(contract::eventually({}, [&] { return world.controller() > 0; }));
  // No node is there, and Slurm takes it all the same.
  const std::string script = "#!/bin/sh\necho 'it is' \"$1\"\n\n";
  const std::string id = give(world,
                              {"-N2", "--ntasks-per-node=2", "-c3", "--mem-per-cpu=100M", "-t10", "-Jmine", "-Aacc",
                               "-oout.%j", "--export=WORD=a b"},
                              script);
  REQUIRE(becomes(world, id, "JobState=CANCELLED"));
  CHECK(shown(world, id).find("AdminComment=virga: job 100") != std::string::npos);
  REQUIRE(queue.count() == 1);
  const auto& [job, payload] = queue.asked.front();
  CHECK(job.actor.uid == 65534);
  CHECK(job.actor.user == "nobody");
  CHECK(job.spec.nodes == 2);
  CHECK(job.spec.tasks == 4);
  CHECK(job.spec.cpus_per_task == 3);
  CHECK(job.spec.per_node.cpus == 6);
  CHECK(job.spec.per_node.memory_bytes == 600ULL << 20);
  CHECK(job.spec.time_limit == Duration::minutes(10));
  CHECK(job.spec.name == "mine");
  CHECK(job.spec.account == "acc");
  CHECK(job.spec.work_dir == world.work());
  CHECK(job.spec.std_out == world.work("out." + id));
  CHECK(job.spec.requeue);
  CHECK(payload.script == script);
  CHECK(std::count(payload.environment.begin(), payload.environment.end(), "WORD=a b") == 1);
  engine.reset();
}

TEST_CASE("slurm adopt: who comes back in the middle asks with the same key; what is held or refused is left") {
  if (!World::usable()) return;
  World world;
  Queue queue;
  queue.answers = false;
  world.adopt = queue.adopt();
  RecordingSink sink;
  auto engine = world.engine(sink, k_sweep);
  REQUIRE(contract::eventually({}, [&] { return world.controller() > 0; }));
  const std::string id = give(world, {}, "#!/bin/sh\ntrue\n");
  REQUIRE(contract::eventually({}, [&] { return queue.count() == 1; }));
  CHECK(shown(world, id).find("Reason=JobHeldAdmin") != std::string::npos);
  const std::string held = give(world, {"--hold"}, "#!/bin/sh\ntrue\n");
  engine.reset();
  queue.answers = true;
  engine = world.engine(sink, k_sweep);
  REQUIRE(becomes(world, id, "JobState=CANCELLED"));
  CHECK(queue.count() == 2);
  CHECK(queue.keys.size() == 1);
  CHECK(shown(world, id).find("AdminComment=virga: job 100") != std::string::npos);

  {
    const std::lock_guard lock(queue.mutex);
    queue.refuses = "no pool can hold it";
  }
  const std::string refused = give(world, {"-N2"}, "#!/bin/sh\ntrue\n");
  REQUIRE(becomes(world, refused, "AdminComment=virga: not adopted: no pool can hold it"));
  REQUIRE(becomes(world, refused, "Reason=PartitionDown"));
  CHECK(shown(world, refused).find("JobState=PENDING") != std::string::npos);
  const std::string array = give(world, {"--array=0-3"}, "#!/bin/sh\ntrue\n");
  REQUIRE(becomes(world, array, "AdminComment=virga: not adopted: it is an array"));
  CHECK(shown(world, held).find("Reason=JobHeldUser") != std::string::npos);
  CHECK(queue.keys.size() == 2);
  engine.reset();
}

}  // namespace virga::slurm_test
