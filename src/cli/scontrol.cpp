// scontrol: show, hold, release, requeue, update nodename=…, ping, wait_job, reconfigure, write batch_script.
#include "cli/scontrol.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/command_registry.hpp"
#include "cli/job_list.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/encodings.hpp"
#include "wire/hostlist.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

using O = ScontrolOptions;

constexpr const char* k_one_cluster = "there is one cluster";
constexpr Option<O> k_table[] = {
    {{"all", 'a', Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"details", 'd', Takes::nothing, Support::done, "", "more about jobs"}, set_flag<&O::details>},
    {{"federation", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"future", 'F', Takes::nothing, Support::quiet, "", "every place of a pool is shown"}},
    {{"help", 'h', Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"hide", 0, Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"json", 0, Takes::nothing, Support::done, "", "show ... in the JSON of squeue and sinfo"}, set_flag<&O::json>},
    {{"local", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"oneliner", 'o', Takes::nothing, Support::done, "", "one line for each record"}, set_flag<&O::one_line>},
    {{"quiet", 'Q', Takes::nothing, Support::done, "", "errors only"}, set_flag<&O::quiet>},
    {{"sibling", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"uid", 'u', Takes::value, Support::refused, "user", "you act as who you are"}},
    {{"usage", 'h', Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
};
constexpr InputVariable k_variables[] = {
    {"SCONTROL_ALL", "all"},
    {"SCONTROL_FEDERATION", "federation"},
    {"SCONTROL_FUTURE", "future"},
    {"SCONTROL_LOCAL", "local"},
    {"SCONTROL_SIBLING", "sibling"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_TIME_FORMAT", "", Support::done, "relative, standard or a form of strftime"},
    {"SLURM_BITSTR_LEN", "", Support::ignored, "lists of tasks are shown whole"},
    {"SLURM_CONF_OUT", "", Support::ignored, "there is no slurm.conf to write"},
    {"SLURM_TOPO_LEN", "", Support::ignored, "lines are shown whole"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_scontrol = {"scontrol",
                                    "[OPTIONS] COMMAND\n"
                                    "  show job|node|partition|config|step|hostnames|hostlist|hostlistsorted [NAME]\n"
                                    "  hold|uhold|release|requeue|requeuehold|suspend|resume JOB...\n"
                                    "  update jobid=JOB KEY=VALUE...\n"
                                    "  update partitionname=NAME [state=up|down|drain|inactive] [maxtime=TIME]\n"
                                    "  update nodename=HOSTS state=drain|resume|undrain [reason=TEXT]\n"
                                    "  wait_job JOB   write batch_script JOB [FILE]   ping   reconfigure   version",
                                    1};

/// scontrol takes its commands abbreviated, down to `least` letters.
bool is_command(std::string_view given, std::string_view command, std::size_t least) {
  return given.size() >= least && given.size() <= command.size() && same_word(given, command.substr(0, given.size()));
}

/// Numbers, or "jobname=NAME": the caller's jobs of that name.
std::vector<JobRef> refs_of(Client& client, const std::string& text) {
  const std::size_t equal = text.find('=');
  if (equal == text.npos ||
      !(same_word(text.substr(0, equal), "jobname") || same_word(text.substr(0, equal), "name"))) {
    return job_refs(text);
  }
  std::vector<JobRef> refs;
  Result<JobsBody> body = get_jobs(client, "/v1/jobs");
  if (!body) return refs;
  for (const Job& job : body->jobs) {
    if (!is_final(job.state) && job.owner.uid == ::getuid() && job.spec->name == text.substr(equal + 1)) {
      refs.push_back(ref_of(job));
    }
  }
  return refs;
}

bool is_pending(Client& client, const std::string& text) {
  const std::optional<std::uint32_t> number = job_number(text);
  Result<JobBody> body = fail(Code::not_found, "");
  if (number) body = client.get_as<JobBody>(fmt::format("/v1/jobs/{}", *number));
  return body && body->job.state == JobState::pending;
}

int act_on_jobs(Client& client, const std::vector<std::string>& args, const std::string& action) {
  if (args.size() < 2) {
    std::fprintf(stderr, "too few arguments for keyword:%s\n", args.front().c_str());
    return k_exit_failure;
  }
  int exit_code = k_exit_ok;
  for (std::size_t i = 1; i < args.size(); ++i) {
    for (std::string text : split_list(args[i])) {
      if (text.size() > 6 && same_word(text.substr(0, 6), "jobid=")) text = text.substr(6);
      Result<NoBody> done = fail(Code::not_found, "Invalid job id specified");
      for (const JobRef& job : refs_of(client, text)) {
        done = client.post_as<NoBody>(fmt::format("/v1/jobs/{}/{}", job.text(), action), NoBody{}, Client::Retry::safe);
        if (!done) break;
      }
      // A job that runs is held for the time when it comes back to the queue, which is when somebody requeues it.
      if (done ||
          ((action == "hold" || action == "user_hold") && done.error().message.starts_with("Job is no longer pending")))
        continue;
      if (done.error().code == Code::unavailable) return failed("scontrol", done.error());
      std::string why = slurm_error_text(done.error());
      const bool is_requeue = action.starts_with("requeue");
      const bool is_suspension = action == "suspend" || action == "resume";
      if (is_requeue && is_pending(client, text)) why = "Job is pending execution";
      if (is_suspension && done.error().code == Code::not_found && job_number(text)) {
        why = "Unexpected message received";  // Slurm's own answer here
      }
      std::fprintf(stderr, "%s for job %s\n", why.c_str(), text.c_str());
      if (!is_requeue && !is_suspension)
        std::fprintf(stderr, "slurm_suspend error: %s\n", slurm_error_text(done.error()).c_str());
      exit_code = k_exit_failure;
    }
  }
  return exit_code;
}

int ping(Client& client) {
  Result<PingBody> answer = client.get_as<PingBody>("/v1/ping");
  print_out(fmt::format("Slurmctld(primary) at {} is {}\n", client.address(), answer ? "UP" : "DOWN"));
  return answer ? k_exit_ok : k_exit_failure;
}

int wait_job(Client& client, const std::vector<std::string>& args) {
  std::optional<std::uint32_t> number = args.size() > 1 ? job_number(args[1]) : std::nullopt;
  Result<JobBody> body = fail(Code::not_found, "");
  if (number) body = wait_for_job(client, {*number}, false);
  if (body && !is_final(body->job.state)) return k_exit_ok;
  const std::string name = args.size() > 1 ? args[1] : std::string();
  print_error("scontrol", body ? "Job " + name + " no longer running" : "Problem running job " + name, false);
  return k_exit_failure;
}

int write_script(Client& client, const std::vector<std::string>& args) {
  std::optional<std::uint32_t> number = args.size() > 2 ? job_number(args[2]) : std::nullopt;
  if (!number || !is_command(args[1], "batch_script", 1)) {
    std::fprintf(stderr, "invalid write argument: give write batch_script JOB [FILE]\n");
    return k_exit_failure;
  }
  Result<std::string> script = client.get(fmt::format("/v1/jobs/{}/script", *number));
  if (!script) {
    std::fprintf(stderr, "job script retrieval failed: %s\n", slurm_error_text(script.error()).c_str());
    return k_exit_failure;
  }
  const std::string path = args.size() > 3 ? args[3] : fmt::format("slurm-{}.sh", *number);
  if (path == "-") return print_out(*script) ? k_exit_ok : k_exit_failure;
  std::FILE* file = std::fopen(path.c_str(), "w");
  const bool written = file != nullptr && std::fwrite(script->data(), 1, script->size(), file) == script->size();
  if (file != nullptr && std::fclose(file) == 0 && written) {
    print_out(fmt::format("batch script for job {} written to {}\n", *number, path));
    return k_exit_ok;
  }
  print_error("scontrol", "failed to write the script to " + path);
  return k_exit_failure;
}

int with_client(const std::vector<std::string>& args, const O& o) {
  Result<Client> client = Client::from_environment();
  if (!client) return failed("scontrol", client.error());
  if (Status ok = check_clusters(*client, o.clusters); !ok) return failed("scontrol", ok.error());
  const std::string& command = args.front();
  if (is_command(command, "show", 1)) return scontrol_show(*client, args, o);
  if (is_command(command, "hold", 2)) return act_on_jobs(*client, args, "hold");
  if (same_word(command, "uhold") || same_word(command, "holdu")) return act_on_jobs(*client, args, "user_hold");
  if (is_command(command, "suspend", 2)) return act_on_jobs(*client, args, "suspend");
  if (is_command(command, "resume", 3)) return act_on_jobs(*client, args, "resume");
  if (same_word(command, "requeuehold")) return act_on_jobs(*client, args, "requeue_hold");
  if (is_command(command, "release", 3)) return act_on_jobs(*client, args, "release");
  if (same_word(command, "requeue")) return act_on_jobs(*client, args, "requeue");
  if (is_command(command, "update", 1)) return scontrol_update(*client, args);
  if (is_command(command, "ping", 2)) return ping(*client);
  if (is_command(command, "wait_job", 1)) return wait_job(*client, args);
  if (is_command(command, "write", 3) && args.size() > 1) return write_script(*client, args);
  if (is_command(command, "completing", 3)) return k_exit_ok;  // what completes is shown by squeue
  if (is_command(command, "reconfigure", 3)) {
    Result<NoBody> done = client->post_as<NoBody>("/v1/reload", NoBody{});
    return done ? k_exit_ok : failed("scontrol", done.error());
  }
  for (std::string_view known :
       {"abort", "cancel_reboot", "create", "delete", "listpids", "notify", "pidinfo", "reboot", "setdebug",
        "setdebugflags", "schedloglevel", "shutdown", "takeover", "token", "top", "errnumstr", "fsdampeningfactor"}) {
    if (same_word(command, known)) return failed("scontrol", {Code::invalid, command + " is not supported by Virga"});
  }
  std::fprintf(stderr, "invalid keyword: %s\n", command.c_str());
  return k_exit_failure;
}

}  // namespace

int scontrol_main(int argc, char** argv) {
  ScontrolOptions options;
  const std::span<const Option<O>> table(k_table);
  const std::span<const InputVariable> variables(k_variables);
  if (Status ok = apply_variables(k_scontrol, table, variables, environment_variable, options); !ok)
    return option_failure(k_scontrol, ok.error());
  Result<std::vector<std::string>> operands =
      parse_options(k_scontrol, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_scontrol, operands.error());
  const bool help = options.help || (!operands->empty() && same_word(operands->front(), "help"));
  const bool version = options.version || (!operands->empty() && same_word(operands->front(), "version"));
  if (answer_about_itself(k_scontrol, rows_of(table), version, help, options.usage)) return k_exit_ok;
  if (operands->empty()) {
    print_error("scontrol", "there is no interactive mode: give a command (see scontrol --help)");
    return k_exit_failure;
  }
  // Node lists need no controller: scripts use them inside jobs all the time.
  if (int exit_code = 0; scontrol_show_hosts(*operands, exit_code)) return exit_code;
  return with_client(*operands, options);
}

CommandTable scontrol_command() {
  return {k_scontrol,
          "show and change jobs, nodes and partitions",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga
