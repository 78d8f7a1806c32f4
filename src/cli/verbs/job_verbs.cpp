// Verbs about one job: explain, logs, checkpoint. And reload, which is about none.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "brain/explanation.hpp"
#include "cli/client.hpp"
#include "cli/verbs/log_file.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/api_bodies.hpp"
#include "wire/slurm_text.hpp"

namespace virga {

namespace {

std::string start_text(const Explanation& e) {
  if (e.expected_start.is_never()) return "nobody knows";
  const std::string when = local_time_text(e.expected_start);
  return e.confidence == Confidence::promise ? when + " at the latest, if what runs keeps its limits"
                                             : when + ", by the limits of those before it";
}

}  // namespace

int explain_verb(std::uint32_t job, bool json) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  Result<Explanation> e = client->get_as<Explanation>(fmt::format("/v1/jobs/{}/explain", job));
  if (!e) return complain(e.error());
  if (json) {
    fmt::print("{}\n", to_json_text(*e));
    return 0;
  }
  fmt::print("job {} is {}\n", job, name_of(e->state));
  for (const ExplainedReason& reason : e->reasons) {
    fmt::print("  {}: {}\n", name_of(reason.reason), reason.text);
    if (!reason.fix.empty()) fmt::print("    what would help: {}\n", reason.fix);
  }
  if (!e->retry_at.is_never()) fmt::print("  the cloud is asked again: {}\n", local_time_text(e->retry_at));
  if (e->state == JobState::pending) fmt::print("  jobs before it: {}\n", e->jobs_ahead);
  if (e->state == JobState::pending) {
    fmt::print("  expected start: {}\n", start_text(*e));
    for (const ExplainedOption& option : e->options) {
      fmt::print("    pool {}{}{}: {}, {}; adds {}\n", option.pool,
                 option.cluster.empty() ? "" : " in Slurm's cluster ", option.cluster,
                 option.start.is_never() ? "nobody knows when" : "from " + local_time_text(option.start), option.text,
                 usd_text(option.price));
    }
  }
  if (!e->cluster.empty()) fmt::print("  in Slurm's cluster {}\n", e->cluster);
  if (!e->placement.pool.empty()) {
    fmt::print("  placement in pool {}: {}\n", e->placement.pool, e->placement.text);
    if (!e->placement.passed_over.empty()) fmt::print("    {}\n", e->placement.passed_over);
  }
  for (const ExplainedTraining& training : e->training) {
    fmt::print("  training in pool {}: {}\n", training.pool, training.text);
  }
  if (!is_final(e->state)) {
    fmt::print("  price to its time limit (an hour, if it has none): {} (list price)\n", usd_text(e->expected_price));
  }
  if (!is_final(e->state)) fmt::print("  price while it runs: {} an hour (list price)\n", usd_text(e->price_per_hour));
  for (const std::string& warning : e->warnings) fmt::print("  warning: {}\n", warning);
  return 0;
}

int logs_verb(std::uint32_t id, bool follow) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  const std::string path = fmt::format("/v1/jobs/{}", id);
  Result<JobBody> body = client->get_as<JobBody>(path);
  if (!body) return complain(body.error());
  LogFile log(body->job);
  auto copy = [&] {
    while (true) {
      std::string chunk = log.read_more();
      if (chunk.empty()) return;
      std::fwrite(chunk.data(), 1, chunk.size(), stdout);
      std::fflush(stdout);
    }
  };
  copy();
  if (!log.found() && (!follow || is_final(body->job.state))) {
    return complain(
        {Code::not_found, fmt::format("job {} has written nothing to {} yet: {}", id, log.path(), log.why())});
  }
  while (follow && !is_final(body->job.state)) {
    usleep(100'000);
    body = client->get_as<JobBody>(path);  // asked before the last copy, so that nothing written at the end is missed
    if (!body) return complain(body.error());
    copy();
  }
  return 0;
}

int checkpoint_verb(std::uint32_t job, std::uint64_t step, std::uint64_t bytes) {
  if (job == 0) {
    const char* inside = std::getenv("VIRGA_JOB_ID");  // where SLURM_JOB_ID is the number that Slurm gave
    if (inside == nullptr) inside = std::getenv("SLURM_JOB_ID");
    job = inside != nullptr ? static_cast<std::uint32_t>(std::strtoul(inside, nullptr, 10)) : 0;
    if (job == 0) return complain({Code::invalid, "not inside a job: say which with --job N"});
  }
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  CheckpointBody body;
  body.step = step;
  body.bytes = bytes;
  Result<NoBody> told = client->post_as<NoBody>(fmt::format("/v1/jobs/{}/checkpoints", job), body);
  return told ? 0 : complain(told.error());
}

int reload_verb() {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  Result<NoBody> done = client->post_as<NoBody>("/v1/reload", NoBody{});
  if (!done) return complain(done.error());
  fmt::print("configuration read again\n");
  return 0;
}

}  // namespace virga
