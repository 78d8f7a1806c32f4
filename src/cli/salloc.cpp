// salloc: nodes that are held as long as a command runs, a shell without one. The command runs here, with the variables
// of the job, so that an srun in it starts steps on the nodes.
#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "cli/allocation.hpp"
#include "cli/cancel_on_signal.hpp"
#include "cli/command_registry.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/step_client.hpp"
#include "cli/submission.hpp"
#include "wire/program.hpp"
#include "wire/slurm_env.hpp"

namespace virga {
namespace {

/// A look at the command and at the hold on the nodes so often.
constexpr int k_look_ms = 100;
constexpr int k_shell_not_found = 1;
/// Of --no-shell: what keeps the nodes is a script that waits for its end.
constexpr const char* k_waiting_script = "#!/bin/sh\nwhile :; do sleep 86400; done\n";

struct Salloc {
  JobOptions options;
  std::vector<std::string> argv;
  std::string bin_dir;
  Client client;
  Home home;
  std::string cluster;

  void say(const std::string& text) const {
    if (!options.quiet) std::fprintf(stderr, "salloc: %s\n", text.c_str());
  }
};

int refused(const Error& error) {
  if (is_told_by_client(error)) return failed("salloc", error);
  if (error.message.starts_with("invalid partition specified")) print_error("salloc", error.message);
  return failed("salloc", {error.code, "Job submit/allocate failed: " + submission_error(error)});
}

std::string login_shell() {
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr && user->pw_shell != nullptr && *user->pw_shell != '\0' ? user->pw_shell : "/bin/sh";
}

/// The command's process; it leads the terminal, if there is one.
pid_t start_command(const std::vector<std::string>& argv, const std::string& path,
                    const std::vector<std::string>& environment, const std::string& folder, bool has_terminal) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (has_terminal) {
    ::setpgid(0, 0);
    ::signal(SIGTTOU, SIG_IGN);
    ::tcsetpgrp(STDIN_FILENO, ::getpid());
  }
  for (int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTOU}) ::signal(number, SIG_DFL);
  if (!folder.empty() && ::chdir(folder.c_str()) != 0) {
    print_error("salloc", "chdir(" + folder + "): " + std::strerror(errno));
    ::_exit(k_shell_not_found);
  }
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::vector<char*> variables;
  for (const std::string& variable : environment) variables.push_back(const_cast<char*>(variable.c_str()));
  variables.push_back(nullptr);
  ::execve(path.c_str(), words.data(), variables.data());
  print_error("salloc",
              fmt::format("_fork_command: Unable to exec command \"{}\": {}", argv.front(), std::strerror(errno)));
  ::_exit(k_shell_not_found);
}

/// Waits for the command's end. What the nodes' end means to it is --kill-command's choice.
int see_to_its_end(const Salloc& salloc, pid_t child, JobId id, AllocationHold& hold, bool& revoked) {
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return 0;
    pollfd fd{revoked ? -1 : hold.fd(), POLLIN, 0};
    ::poll(&fd, 1, k_look_ms);
    if (revoked || fd.revents == 0 || !hold.revoked()) continue;
    revoked = true;
    salloc.say(fmt::format("Job allocation {} has been revoked.", id.value));
    // A shell at a terminal goes, too; any other command may go on without its nodes.
    const bool is_shell = salloc.argv.empty();
    const auto signal = static_cast<int>(salloc.options.kill_command_signal);
    if (signal != 0) ::kill(child, signal);
    if (signal == 0 && is_shell) ::kill(child, SIGHUP);
  }
}

ExitStatus exit_status_from(int status) {
  if (WIFSIGNALED(status)) return {0, static_cast<std::uint32_t>(WTERMSIG(status))};
  return {static_cast<std::uint32_t>(WEXITSTATUS(status)), 0};
}

int run_command(Salloc& salloc, const Job& job, AllocationHold& hold) {
  EnvironmentSite site;
  site.home = salloc.home;
  site.checkpoints = salloc.home.checkpoints();
  site.cluster_name = salloc.cluster;
  site.bin_dir = salloc.bin_dir;
  JobOptions for_environment = salloc.options;
  for_environment.propagate = "NONE";  // nothing starts it but this process
  Result<std::vector<std::string>> ours = submission_environment(for_environment, current_directory());
  if (!ours) return failed("salloc", ours.error());
  std::vector<std::string> environment = allocation_environment(job, std::move(*ours), site);
  set_option_variables(environment, salloc.options, *job.spec);
  const std::vector<std::string> argv = salloc.argv.empty() ? std::vector{login_shell()} : salloc.argv;
  const std::string path = find_program(argv.front(), environment);
  if (path.empty() || ::access(path.c_str(), X_OK) != 0) {
    print_error("salloc", "_fork_command: Unable to find command \"" + argv.front() + "\"");
    salloc.say(fmt::format("Relinquishing job allocation {}", job.id.value));
    hold.done({1, 0});
    return error_exit_code("salloc");
  }
  // What is typed is for the command; the nodes stay until that has ended.
  for (int number : {SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTOU}) ::signal(number, SIG_IGN);
  const bool has_terminal = ::isatty(STDIN_FILENO) == 1 && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
  const pid_t child = start_command(argv, path, environment, salloc.options.work_dir, has_terminal);
  if (child < 0) return failed("salloc", {Code::exhausted, std::string("fork: ") + std::strerror(errno)});
  bool revoked = false;
  const int status = see_to_its_end(salloc, child, job.id, hold, revoked);
  if (has_terminal) ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
  const ExitStatus exit = exit_status_from(status);
  if (!revoked) {
    salloc.say(fmt::format("Relinquishing job allocation {}", job.id.value));
    hold.done(exit);
  }
  return static_cast<int>(exit.code);  // as in Slurm, 0 for a command that a signal ended
}

Result<JobSpec> spec_of(Salloc& salloc) {
  JobContext context;
  context.now = Time::from_seconds(std::time(nullptr));
  context.kind = salloc.options.no_shell ? JobKind::batch : JobKind::allocation;
  context.current_dir = current_directory();
  context.default_name = salloc.options.no_shell ? "no-shell" : "interactive";
  Result<JobSpec> spec = spec_for(salloc.client, salloc.options, context);
  if (!spec) return spec;
  spec->requeue = false;
  spec->std_in = "";
  spec->std_out = spec->std_err = salloc.options.no_shell ? "/dev/null" : "";
  return spec;
}

int allocate(Salloc& salloc) {
  Result<JobSpec> spec = spec_of(salloc);
  if (!spec) return refused(spec.error());
  LaunchPayload payload;
  if (salloc.options.no_shell) payload.script = k_waiting_script;
  auto cancel = std::make_unique<CancelOnSignal>();
  Result<SubmittedBody> submitted = submit(salloc.client, *spec, std::move(payload));
  if (!submitted) return refused(submitted.error());
  const JobId id = submitted->job_id;
  cancel->set_job(id);
  print_warnings("salloc", *submitted);
  bool waited = false;
  const auto say = [&](const std::string& text) {
    if (!waited) salloc.say(fmt::format("Pending job allocation {}", id.value));
    waited = true;
    salloc.say(text);
  };
  Result<Job> job = wait_for_allocation(salloc.client, id, salloc.options, say);
  if (!job && job.error().code == Code::refused) return refused(job.error()), immediate_exit_code();
  if (!job) return refused(job.error());
  if (is_final(job->state) || job->state == JobState::completing) {
    return failed("salloc", {Code::refused, fmt::format("Job allocation {} has been revoked.{}", id.value,
                                                        job->detail.empty() ? "" : " " + job->detail)});
  }
  salloc.say(fmt::format("Granted job allocation {}", id.value));
  const bool rings = salloc.options.bell || (waited && ::isatty(STDERR_FILENO) == 1);
  if (rings && !salloc.options.no_bell) std::fputc('\a', stderr);
  if (salloc.options.no_shell) return k_exit_ok;
  Result<AllocationHold> hold = AllocationHold::attach(salloc.home, *job);
  if (!hold) return failed("salloc", hold.error());
  cancel.reset();
  return run_command(salloc, *job, *hold);
}

}  // namespace

int salloc_main(int argc, char** argv, const std::string& bin_dir) {
  JobOptions options;
  const std::span<const Option<JobOptions>> table(salloc_table());
  if (Status ok = apply_environment(k_salloc, salloc_table(), environment_variable, options); !ok)
    return option_failure(k_salloc, ok.error());
  Result<std::vector<std::string>> operands = parse_options(k_salloc, table, arguments_of(argc, argv), options);
  if (!operands) return option_failure(k_salloc, operands.error());
  if (answer_about_itself(k_salloc, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  if (options.no_shell && !operands->empty()) {
    return failed("salloc", {Code::invalid, "--no-shell takes no command"});
  }
  if (Status ok = become_submitter(options); !ok) return failed("salloc", ok.error());
  Result<Home> home = home_from_environment();
  if (!home) return failed("salloc", home.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("salloc", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("salloc", ok.error());
  Result<PingBody> ping = client->get_as<PingBody>("/v1/ping");
  if (!ping) return failed("salloc", ping.error());
  Salloc salloc{std::move(options), std::move(*operands), bin_dir, std::move(*client), std::move(*home), ping->cluster};
  return allocate(salloc);
}

}  // namespace virga
