// sbatch: a script becomes a job. stdout carries only `Submitted batch job N`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "cli/batch_script.hpp"
#include "cli/messages.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "core/array.hpp"

namespace virga {
namespace {

const char* variable(const char* name) { return std::getenv(name); }

struct Request {
  JobOptions options;
  std::string script;
  std::string script_path;  ///< "" from standard input or --wrap
  std::vector<std::string> arguments;
};

/// The command line alone: it says where the script is.
Result<Request> read_command_line(const std::vector<std::string>& args) {
  Request request;
  const std::span<const Option<JobOptions>> table(sbatch_table());
  Result<std::vector<std::string>> operands = parse_options(k_sbatch, table, args, request.options);
  if (!operands) return unexpected(operands.error());
  request.arguments = std::move(*operands);
  return request;
}

/// #SBATCH lines, then the environment, then the command line once more, on top.
Status collect_options(Request& request, const std::vector<std::string>& args) {
  const std::span<const Option<JobOptions>> table(sbatch_table());
  JobOptions merged;
  OptionSource lines{.stop_at_operand = false};
  Result<std::vector<std::string>> stray = parse_options(k_sbatch, table, sbatch_lines(request.script), merged, lines);
  if (!stray) return unexpected(stray.error());
  if (!stray->empty()) return fail(Code::invalid, "Invalid directive found in batch script: " + stray->front());
  if (Status ok = apply_environment(k_sbatch, sbatch_table(), variable, merged); !ok) return ok;
  Result<std::vector<std::string>> again = parse_options(k_sbatch, table, args, merged, {.warn = false});
  if (!again) return unexpected(again.error());
  request.options = std::move(merged);
  return {};
}

Status load_script(Request& request) {
  if (request.options.wrap) {
    if (!request.arguments.empty()) return fail(Code::invalid, "Script arguments not permitted with --wrap option");
    request.script = wrapped_script(*request.options.wrap);
    return {};
  }
  if (!request.arguments.empty()) {
    request.script_path = request.arguments.front();
    request.arguments.erase(request.arguments.begin());
  }
  Result<std::string> script = read_batch_script(request.script_path);
  if (!script) return unexpected(script.error());
  request.script = std::move(*script);
  return check_batch_script(request.script);
}

JobContext context_of(const Request& request) {
  JobContext context;
  context.current_dir = current_directory();
  context.now = Time::from_seconds(std::time(nullptr));
  if (!request.script_path.empty()) {
    context.command = absolute_path(request.script_path, context.current_dir);
    for (const std::string& argument : request.arguments) context.command += " " + argument;
    context.default_name = request.script_path.substr(request.script_path.rfind('/') + 1);
  } else {
    context.default_name = request.options.wrap ? "wrap" : "sbatch";
  }
  return context;
}

int wait_for_one(Client& client, JobId id) {
  Result<JobBody> ended = wait_for_job(client, id, true);
  if (!ended) return failed("sbatch", ended.error());
  const Job& job = ended->job;
  if (job.exit.signal != 0) return k_exit_failure;
  if (job.exit.code != 0) return static_cast<int>(job.exit.code);
  return job.state == JobState::completed ? k_exit_ok : k_exit_failure;
}

/// Of an array all tasks, whose ids follow each other; the highest exit code of theirs is ours.
int wait_for_end(Client& client, JobId first, std::uint32_t count) {
  int exit_code = k_exit_ok;
  for (std::uint32_t i = 0; i < count; ++i) exit_code = std::max(exit_code, wait_for_one(client, {first.value + i}));
  return exit_code;
}

int report_refusal(const Error& error, bool test_only) {
  if (error.message.starts_with("invalid partition specified")) print_error("sbatch", error.message);
  if (error.code == Code::unavailable || is_told_by_client(error)) return failed("sbatch", error);
  if (test_only) {
    std::fprintf(stderr, "allocation failure: %s\n", submission_error(error).c_str());
  } else {
    print_error("sbatch", "Batch job submission failed: " + submission_error(error));
  }
  return error_exit_code("sbatch");
}

std::string cluster_name(Client& client) {
  Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
  return ping ? ping->cluster : "";
}

/// What Slurm's controller would refuse is refused as if it had.
int wrong_option(const Error& error) {
  for (std::string_view refusal :
       {"Invalid job array specification", "Job dependency problem", "Node count specification"}) {
    if (error.message.starts_with(refusal)) return report_refusal(error, false);
  }
  return option_failure(k_sbatch, error);
}

int submit_request(Request& request) {
  const JobContext context = context_of(request);
  if (Status ok = become_submitter(request.options); !ok) return failed("sbatch", ok.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sbatch", client.error());
  if (Status ok = check_clusters(*client, request.options.clusters); !ok) return failed("sbatch", ok.error());
  Result<JobSpec> spec = spec_for(*client, request.options, context);
  if (!spec) return report_refusal(spec.error(), request.options.test_only);
  LaunchPayload payload;
  payload.script = std::move(request.script);
  payload.arguments = std::move(request.arguments);
  Result<std::vector<std::string>> environment = submission_environment(request.options, context.current_dir);
  if (!environment) return failed("sbatch", environment.error());
  payload.environment = std::move(*environment);
  set_option_variables(payload.environment, request.options, *spec);
  payload.umask = current_umask();

  const bool test_only = request.options.test_only;
  Result<SubmittedBody> submitted = submit(*client, *spec, std::move(payload), test_only);
  if (!submitted) return report_refusal(submitted.error(), test_only);
  if (test_only) return print_dry_run("sbatch", *spec, *submitted);
  const JobId id = submitted->job_id;
  // With --clusters Slurm names the one that has it.
  const std::vector<std::string>& clusters = request.options.clusters;
  const std::string cluster = clusters.empty() ? "" : cluster_name(*client);
  const std::string line =
      request.options.parsable
          ? fmt::format("{}{}{}\n", id.value, cluster.empty() ? "" : ";", cluster)
          : fmt::format("Submitted batch job {}{}{}\n", id.value, cluster.empty() ? "" : " on cluster ", cluster);
  if (!request.options.quiet && !print_out(line)) return k_exit_failure;
  print_warnings("sbatch", *submitted);
  return request.options.wait ? wait_for_end(*client, id, std::max(1U, array_task_count(spec->array))) : k_exit_ok;
}

}  // namespace

int sbatch_main(int argc, char** argv) {
  const std::vector<std::string> args = arguments_of(argc, argv);
  Result<Request> request = read_command_line(args);
  if (!request) return wrong_option(request.error());
  if (answer_about_itself(k_sbatch, rows_of(std::span<const Option<JobOptions>>(sbatch_table())),
                          request->options.version, request->options.help, request->options.usage))
    return k_exit_ok;
  if (Status ok = load_script(*request); !ok) return failed("sbatch", ok.error());
  if (Status ok = collect_options(*request, args); !ok) return wrong_option(ok.error());
  return submit_request(*request);
}

}  // namespace virga
