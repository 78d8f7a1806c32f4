// Lists of jobs as the commands get them: written, read, cut and forged.
#include "wire/job_list_layout.hpp"

#include <doctest/doctest.h>

namespace virga {

namespace {

Job job_of(std::uint32_t id, const Shared<JobSpec>& spec) {
  Job job;
  job.id = {id};
  job.spec = spec;
  job.owner = {1000, 1000, "ada", false};
  job.submitted = Time::from_seconds(id);
  return job;
}

std::vector<Job> read_all(const std::string& bytes) {
  std::vector<Job> jobs;
  Result<JobListReader> reader = JobListReader::open(bytes);
  REQUIRE(reader);
  for (Job job; reader->next(job);) jobs.push_back(job);
  CHECK(reader->ok());
  return jobs;
}

struct Jobs {
  Time now;
  std::vector<Job> jobs;
};

std::string job_list_bytes(const Jobs& jobs) {
  JobListWriter writer(jobs.now);
  for (const Job& job : jobs.jobs) writer.put(job);
  return writer.end();
}

Jobs some_jobs() {
  JobSpec one;
  one.name = "one";
  one.licenses = {{"matlab", 2}};
  const Shared<JobSpec> shared(one);
  Jobs body{Time::from_seconds(99), {job_of(1, shared), job_of(2, shared), job_of(3, Shared<JobSpec>(one))}};
  JobSpec two = one;
  two.name = "two";
  Job& full = body.jobs.emplace_back(job_of(4, Shared<JobSpec>(two)));
  full.state = JobState::running;
  full.detail = "a line";
  full.nodes = SharedList<JobNode>{{VmId{7}, "nd-7", {0, 1}}, {VmId{8}, "nd-8", {}}};
  full.steps.emplace_back().name = "step";
  full.end_limit = Time::from_seconds(5);
  full.cost = Money::usd(17);
  full.usage.max_rss_bytes = 5;
  full.array_job = {4};
  full.array_task = 9;
  return body;
}

}  // namespace

TEST_CASE("job list layout: what is read is what was written, field by field") {
  const Jobs body = some_jobs();
  const std::vector<Job> read = read_all(job_list_bytes(body));
  REQUIRE(read.size() == body.jobs.size());
  for (std::size_t i = 0; i < read.size(); ++i) CHECK(encode(read[i]) == encode(body.jobs[i]));
  CHECK(JobListReader::open(job_list_bytes(body))->now() == body.now);
  CHECK(read_all(job_list_bytes({})).empty());
}

TEST_CASE("job list layout: specifications that say the same are told once") {
  Jobs body = some_jobs();
  const std::size_t four = job_list_bytes(body).size();
  const std::size_t spec = encode(*body.jobs[0].spec).size();
  body.jobs.push_back(job_of(5, Shared<JobSpec>(*body.jobs[3].spec)));
  CHECK(job_list_bytes(body).size() - four < 80);
  CHECK(four < 2 * spec + 4 * 120);
}

TEST_CASE("job list layout: what is cut, longer or another's is refused") {
  const std::string whole = job_list_bytes(some_jobs());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    Result<JobListReader> reader = JobListReader::open(cut);
    if (!reader) continue;
    std::size_t read = 0;
    for (Job job; reader->next(job);) ++read;
    CHECK_MESSAGE(!reader->ok(), "cut at ", size);
  }
  const std::string longer = whole + '\0';
  Result<JobListReader> reader = JobListReader::open(longer);
  for (Job job; reader->next(job);) continue;
  CHECK(!reader->ok());
  std::string other = whole;
  ++other[4];  // the layout's number
  CHECK(!JobListReader::open(other));
  CHECK(!JobListReader::open("{\"jobs\":[]}"));
}

TEST_CASE("job list layout: bytes of nobody are refused, not followed") {
  std::string bytes = job_list_bytes(some_jobs());
  for (std::size_t at = 20; at < bytes.size(); ++at) {
    std::string wrong = bytes;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x55);
    Result<JobListReader> reader = JobListReader::open(wrong);
    if (!reader) continue;
    std::size_t read = 0;
    for (Job job; reader->next(job);) ++read;
    CHECK(read <= bytes.size());
  }
}

}  // namespace virga
