#include "cli/submission.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cli/job_limits.hpp"
#include "cli/messages.hpp"
#include "cli/step_distribution.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

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

/// NAME=value texts between NULs.
std::vector<std::string> variables_in(std::string_view text) {
  std::vector<std::string> variables;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    const std::string_view one = text.substr(0, end);
    if (one.find('=') != one.npos && one.find('=') != 0) variables.emplace_back(one);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return variables;
}

std::string all_of(std::FILE* file) {
  std::string text;
  char part[4096];
  for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  return text;
}

/// --export-file: a path, or the number of a descriptor that is open.
Result<std::vector<std::string>> environment_file(const std::string& name) {
  const Result<std::uint32_t> number = parse_count(name);
  std::FILE* file = number ? ::fdopen(static_cast<int>(*number), "r") : std::fopen(name.c_str(), "re");
  if (file == nullptr) return fail(Code::invalid, "Could not open user environment file " + name);
  const std::string text = all_of(file);
  std::fclose(file);
  return variables_in(text);
}

/// What a login shell of this process's user has in its environment.
Result<std::vector<std::string>> login_environment(std::uint32_t seconds) {
  const passwd* user = ::getpwuid(::getuid());
  if (user == nullptr) return fail(Code::invalid, "--get-user-env: this machine does not know who runs it");
  const std::string shell = user->pw_shell != nullptr && *user->pw_shell != '\0' ? user->pw_shell : "/bin/sh";
  const std::string name = user->pw_name;
  const std::string command = fmt::format(
      "cd {} 2> /dev/null; exec timeout {} env -i HOME={} USER={} LOGNAME={} SHELL={} "
      "PATH=/usr/local/bin:/usr/bin:/bin "
      "{} -l -c 'exec env -0' < /dev/null 2> /dev/null",
      shell_quoted(user->pw_dir), seconds, shell_quoted(user->pw_dir), shell_quoted(name), shell_quoted(name),
      shell_quoted(shell), shell_quoted(shell));
  std::FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return fail(Code::invalid, "--get-user-env: no login shell can be started");
  const std::string text = all_of(pipe);
  const int status = ::pclose(pipe);
  if (status != 0 || text.empty()) return fail(Code::invalid, "Failed to load current user environment variables");
  return variables_in(text);
}

}  // namespace

void set_option_variables(std::vector<std::string>& environment, const JobOptions& o, const JobSpec& spec) {
  for (std::string_view name :
       {"SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_DISTRIBUTION",
        "SLURM_DIST_PLANESIZE", "SLURM_GPU_BIND", "SLURM_JOB_DEPENDENCY"}) {
    const std::string start = std::string(name) + "=";
    std::erase_if(environment, [&](const std::string& variable) { return variable.starts_with(start); });
  }
  std::uint64_t tasks = o.tasks.value_or(0);
  if (tasks == 0 && o.tasks_per_gpu) tasks = spec.tasks;
  if (tasks == 0 && o.tasks_per_node) tasks = std::uint64_t{*o.tasks_per_node} * o.nodes.value_or(1);
  if (tasks != 0) {
    set_variable(environment, "SLURM_NTASKS", std::to_string(tasks));
    set_variable(environment, "SLURM_NPROCS", std::to_string(tasks));
  }
  if (o.tasks_per_node) set_variable(environment, "SLURM_NTASKS_PER_NODE", std::to_string(*o.tasks_per_node));
  if (o.memory_per_cpu) set_variable(environment, "SLURM_MEM_PER_CPU", std::to_string(*o.memory_per_cpu >> 20));
  const char* plane = std::getenv("SLURM_DIST_PLANESIZE");
  if (const auto wanted = parse_distribution(o.distribution, plane != nullptr ? plane : ""); wanted) {
    if (!wanted->text.empty()) set_variable(environment, "SLURM_DISTRIBUTION", wanted->text);
    if (wanted->plane_size != 0) {
      set_variable(environment, "SLURM_DIST_PLANESIZE", std::to_string(wanted->plane_size));
    }
  }
  if (!o.gpu_bind.empty()) set_variable(environment, "SLURM_GPU_BIND", o.gpu_bind);
  JobSpec asked;
  asked.dependencies = o.dependencies;
  asked.any_dependency = o.any_dependency;
  if (!o.dependencies.empty()) set_variable(environment, "SLURM_JOB_DEPENDENCY", dependencies_text(asked));
}

Result<std::vector<std::string>> submission_environment(const JobOptions& options, const std::string& current_dir) {
  std::vector<std::string> ours;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    if (std::strchr(*variable, '=') != nullptr) ours.emplace_back(*variable);
  }
  std::vector<std::string> out = exported_environment(options.exported, ours);
  if (!options.export_file.empty() || options.login_environment) {
    Result<std::vector<std::string>> other = options.login_environment
                                                 ? login_environment(options.login_environment_seconds)
                                                 : environment_file(options.export_file);
    if (!other) return unexpected(other.error());
    // What was there instead of ours is all that stays of it.
    out = exported_environment("NONE", ours);
    out.insert(out.end(), other->begin(), other->end());
  }
  for (std::string& limit : limit_variables(options.propagate)) out.push_back(std::move(limit));
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

Status become_submitter(const JobOptions& options) {
  if (::getuid() != 0) return {};
  const gid_t gid = options.run_as_gid.value_or(::getgid());
  if (options.run_as_uid) {
    const passwd* user = ::getpwuid(*options.run_as_uid);
    const gid_t primary = options.run_as_gid.value_or(user != nullptr ? user->pw_gid : gid);
    if (::initgroups(user != nullptr ? user->pw_name : "", primary) != 0 || ::setregid(primary, primary) != 0 ||
        ::setreuid(*options.run_as_uid, *options.run_as_uid) != 0) {
      return fail(Code::denied, std::string("cannot become the user of --uid: ") + std::strerror(errno));
    }
  } else if (options.run_as_gid && ::setregid(gid, gid) != 0) {
    return fail(Code::denied, std::string("cannot become the group of --gid: ") + std::strerror(errno));
  }
  return {};
}

Status check_clusters(Client& client, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
  if (!ping) return unexpected(ping.error());
  for (const std::string& name : names) {
    if (name == ping->cluster || same_word(name, "all")) continue;
    return fail(Code::invalid, fmt::format("No cluster '{0}' known by database.\n'{0}' can't be reached now, or it is "
                                           "an invalid entry for --cluster.  Use "
                                           "'sacctmgr list clusters' to see available clusters.",
                                           name));
  }
  return {};
}

bool print_cluster_line(Client& client, const std::vector<std::string>& names, bool no_header) {
  if (names.empty() || no_header) return true;
  Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
  return !ping || print_out(fmt::format("CLUSTER: {}\n", ping->cluster));
}

std::uint32_t current_umask() {
  if (const char* text = std::getenv("SLURM_UMASK"); text != nullptr) {
    char* end = nullptr;
    const unsigned long mask = std::strtoul(text, &end, 8);
    if (*text != '\0' && *end == '\0' && mask <= 0777) return static_cast<std::uint32_t>(mask);
  }
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

bool is_told_by_client(const Error& error) {
  return error.message.starts_with("invalid number of nodes") || error.message.starts_with("gres_job_state_validate");
}

std::string submission_error(const Error& error) {
  if (error.message.starts_with("invalid partition specified")) return "Invalid partition name specified";
  return error.message;
}

}  // namespace virga
