#include "cli/submission.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cli/messages.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

std::string random_key() {
  std::uint64_t words[2] = {};
  if (::getrandom(words, sizeof words, 0) != static_cast<ssize_t>(sizeof words))
    words[0] = static_cast<std::uint64_t>(::getpid());
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

void set_variable(std::vector<std::string>& environment, std::string_view name, const std::string& value) {
  const std::string start = std::string(name) + "=";
  std::erase_if(environment, [&](const std::string& variable) { return variable.starts_with(start); });
  environment.push_back(start + value);
}

}  // namespace

void set_option_variables(std::vector<std::string>& environment, const JobOptions& o) {
  for (std::string_view name : {"SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE", "SLURM_MEM_PER_CPU",
                                "SLURM_DISTRIBUTION", "SLURM_JOB_DEPENDENCY"}) {
    const std::string start = std::string(name) + "=";
    std::erase_if(environment, [&](const std::string& variable) { return variable.starts_with(start); });
  }
  std::uint64_t tasks = o.tasks.value_or(0);
  if (tasks == 0 && o.tasks_per_node) tasks = std::uint64_t{*o.tasks_per_node} * o.nodes.value_or(1);
  if (tasks != 0) {
    set_variable(environment, "SLURM_NTASKS", std::to_string(tasks));
    set_variable(environment, "SLURM_NPROCS", std::to_string(tasks));
  }
  if (o.tasks_per_node) set_variable(environment, "SLURM_NTASKS_PER_NODE", std::to_string(*o.tasks_per_node));
  if (o.memory_per_cpu) set_variable(environment, "SLURM_MEM_PER_CPU", std::to_string(*o.memory_per_cpu >> 20));
  if (!o.distribution.empty()) set_variable(environment, "SLURM_DISTRIBUTION", o.distribution);
  JobSpec asked;
  asked.dependencies = o.dependencies;
  asked.any_dependency = o.any_dependency;
  if (!o.dependencies.empty()) set_variable(environment, "SLURM_JOB_DEPENDENCY", dependencies_text(asked));
}

std::vector<std::string> submission_environment(const JobOptions& options, const std::string& current_dir) {
  std::vector<std::string> ours;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    if (std::strchr(*variable, '=') != nullptr) ours.emplace_back(*variable);
  }
  std::vector<std::string> out = exported_environment(options.exported, ours);
  char host[HOST_NAME_MAX + 1] = {};
  ::gethostname(host, sizeof host - 1);
  set_variable(out, "SLURM_SUBMIT_DIR", current_dir);
  set_variable(out, "SLURM_SUBMIT_HOST", host);
  return out;
}

std::string current_directory() {
  char* path = ::getcwd(nullptr, 0);
  std::string out = path != nullptr ? path : "/";
  ::free(path);
  return out;
}

std::uint32_t current_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

std::vector<std::string> arguments_of(int argc, char** argv) { return {argv + std::min(argc, 1), argv + argc}; }

Result<JobSpec> spec_for(Client& client, const JobOptions& options, const JobContext& context) {
  if (!needs_config(options)) return job_spec_from(options, context, nullptr);
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return unexpected(config.error());
  return job_spec_from(options, context, &*config);
}

Result<SubmittedBody> submit(Client& client, const JobSpec& spec, LaunchPayload payload, bool dry_run) {
  SubmitBody body;
  body.spec = spec;
  body.payload = std::move(payload);
  body.idempotency_key = random_key();
  return client.post_as<SubmittedBody>(dry_run ? "/v1/jobs?dry_run=true" : "/v1/jobs", body, Client::Retry::safe);
}

int print_dry_run(std::string_view command, const JobSpec& spec, const SubmittedBody& answer) {
  if (!answer.dry_run || answer.dry_run->offers.empty()) return k_exit_ok;  // of a server that tells no more
  const std::vector<PoolOffer>& offers = answer.dry_run->offers;
  const PoolOffer& first = *std::min_element(offers.begin(), offers.end(), [](const PoolOffer& a, const PoolOffer& b) {
    const bool a_is_barred = a.kind == OfferKind::barred;
    const bool b_is_barred = b.kind == OfferKind::barred;
    return a_is_barred != b_is_barred ? b_is_barred : a.start < b.start;
  });
  if (first.kind == OfferKind::barred) {
    fmt::print(stderr, "allocation failure: {}: {}\n", name_of(first.reason), first.detail);
    return k_exit_failure;
  }
  const std::string start = first.start.is_never() ? "an unknown time" : local_time_text(first.start);
  const std::string processors =
      spec.exclusive ? "all" : std::to_string(std::uint64_t{spec.nodes} * spec.per_node.cpus);
  fmt::print(stderr, "{}: Job {} to start at {} using {} processors on {} nodes of pool {} in partition {}\n", command,
             answer.dry_run->next_job_id.value, start, processors, spec.nodes, first.pool, first.partition);
  std::string cost = usd_text(first.list_price) + " for its expected time";
  if (first.price != first.list_price) cost += fmt::format(", {} more on the bill", usd_text(first.price));
  if (first.reason != Reason::none) cost += fmt::format("; it would wait: {}", name_of(first.reason));
  fmt::print(stderr, "{}: {}\n", command, cost);
  return k_exit_ok;
}

void print_warnings(std::string_view command, const SubmittedBody& submitted) {
  for (const std::string& warning : submitted.warnings) print_error(command, "warning: " + warning, false);
}

Result<JobBody> wait_for_job(Client& client, JobId job, bool until_ended) {
  return client.get_as<JobBody>(fmt::format("/v1/jobs/{}/wait?for={}", job.value, until_ended ? "ended" : "started"));
}

std::string submission_error(const Error& error) {
  if (error.message.starts_with("invalid partition specified")) return "Invalid partition name specified";
  return error.message;
}

}  // namespace virga
