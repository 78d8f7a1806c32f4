// srun: a step of the job that we are in, or else of an allocation of its own that lives as long as we do. Where jobs
// run on real Slurm, the steps of that are started by Slurm's srun (slurm_hold.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "cli/allocation.hpp"
#include "cli/cancel_on_signal.hpp"
#include "cli/messages.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/slurm_hold.hpp"
#include "cli/step_binding.hpp"
#include "cli/step_client.hpp"
#include "cli/step_distribution.hpp"
#include "cli/step_hosts.hpp"
#include "cli/step_layout.hpp"
#include "cli/step_plan.hpp"
#include "cli/step_programs.hpp"
#include "cli/step_scripts.hpp"
#include "cli/submission.hpp"
#include "cli/terminal_mode.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

const char* variable(const char* name) { return std::getenv(name); }

/// What one run of srun works with.
struct Srun {
  JobOptions options;
  std::vector<std::string> argv;
  std::string bin_dir;
  Client client;
  Home home;
  bool on_slurm = false;
  std::vector<std::string> slurms = {};  ///< arguments for Slurm's srun
  std::optional<CpuBind> cpu_bind = {};
  std::vector<std::string> task_nodes = {};  ///< of the distribution "arbitrary"

  void say(const std::string& text) const {
    if (!options.quiet) std::fprintf(stderr, "srun: %s\n", text.c_str());
  }
};

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The task that alone has the input: --input with a number.
std::uint32_t input_task_of(const JobOptions& o) {
  const Result<std::uint32_t> number = parse_count(o.std_in);
  return number ? *number : k_all_tasks;
}

StepOptions step_options_of(const JobOptions& o) {
  StepOptions s;
  s.input_task = input_task_of(o);
  if (s.input_task == k_all_tasks) s.input = o.std_in;
  s.output = o.std_out;
  s.error = o.std_err;
  s.append_output = o.open_mode == "append";
  s.label = o.label;
  s.unbuffered = o.unbuffered;
  s.kill_on_bad_exit = o.kill_on_bad_exit;
  s.wait_seconds = o.wait_seconds;
  s.quiet = o.quiet;
  s.cpus_per_task = o.cpus_per_task.value_or(0);
  const char* plane = variable("SLURM_DIST_PLANESIZE");
  if (const auto wanted = parse_distribution(o.distribution, plane != nullptr ? plane : ""); wanted) {
    s.distribution = wanted->kind;
    s.distribution_text = wanted->text;
    s.plane_size = wanted->plane_size;
  }
  const auto program = [](const std::string& path) { return same_word(path, "none") ? std::string() : path; };
  s.task_prolog = program(o.task_prolog);
  s.task_epilog = program(o.task_epilog);
  s.umask = current_umask();
  return s;
}

/// Processors and GPUs of the tasks, and what they are told of them.
Status bind_tasks(const Srun& srun, const Job& job, StepRequest& request) {
  StepOptions& options = request.options;
  if (srun.cpu_bind) {
    const Result<StepLayout> layout = lay_out_step(request);
    if (!layout) return unexpected(layout.error());
    NodeShare share{1, options.cpus_per_task, job.spec->per_node.cpus};
    for (const auto& tasks : layout->tasks)
      share.tasks = std::max(share.tasks, static_cast<std::uint32_t>(tasks.size()));
    options.binding = work_out(*srun.cpu_bind, share);
    std::vector<std::string> variables = cpu_bind_variables(*srun.cpu_bind, options.binding);
    request.environment.insert(request.environment.begin(), variables.begin(), variables.end());
  }
  return srun.options.gpu_bind.empty() ? Status() : parse_gpu_bind(srun.options.gpu_bind, options.binding);
}

/// Whether task 0 gets a terminal: only where we have one.
bool wants_terminal(JobOptions& options) {
  if (!options.pty) return false;
  if (window_of(0)) return true;
  print_error("srun", fmt::format("ioctl(TIOCGWINSZ): {}\nNot using a pseudo-terminal, disregarding --pty option",
                                  std::strerror(errno)));
  return false;
}

/// What srun's own prolog and epilog know of the step, beside what srun's environment says.
std::vector<std::string> script_variables(const StepRequest& request) {
  const EnvironmentSite site = request.site();
  std::vector<std::string> all = allocation_environment(request.job, request.environment, site);
  const Result<StepLayout> layout = lay_out_step(request);
  if (!layout) return all;
  std::vector<std::uint32_t> counts;
  for (const auto& tasks : layout->tasks) counts.push_back(static_cast<std::uint32_t>(tasks.size()));
  Environment variables(std::move(all));
  variables.set("SLURM_STEP_ID", std::to_string(request.step));
  variables.set("SLURM_STEPID", std::to_string(request.step));
  variables.set("SLURM_NTASKS", std::to_string(request.tasks));
  variables.set("SLURM_NPROCS", std::to_string(request.tasks));
  variables.set("SLURM_NNODES", std::to_string(layout->nodes.size()));
  variables.set("SLURM_TASKS_PER_NODE", compress_counts(counts));
  const bool in_turn = layout->distribution == TaskDistribution::cyclic || request.tasks <= layout->nodes.size();
  const std::string& asked = layout->distribution_text;
  variables.set("SLURM_DISTRIBUTION", !asked.empty() ? asked : in_turn ? "cyclic" : "block");
  return variables.take();
}

/// The step between srun's own prolog and epilog.
Result<StepOutcome> run_between_scripts(const Srun& srun, const StepRequest& request) {
  const JobOptions& o = srun.options;
  if (o.srun_prolog.empty() && o.srun_epilog.empty()) return run_step(request);
  const std::vector<std::string> variables = script_variables(request);
  Result<StepOutcome> outcome = StepOutcome{1, {1, 0}, {}};
  if (const int code = run_srun_script({"prolog", o.srun_prolog, srun.argv, variables}); code == 0) {
    outcome = run_step(request);
  } else {
    print_error("srun", fmt::format("srun prolog failed rc = {}. Aborting step.", code));
    srun.say(fmt::format("launch/slurm: launch_p_step_launch: StepId={}.{} aborted before step completely launched.",
                         request.job.id.value, request.step));
  }
  if (const int code = run_srun_script({"epilog", o.srun_epilog, srun.argv, variables}); code != 0) {
    print_error("srun", fmt::format("srun epilog failed status={}", code));
  }
  return outcome;
}

/// Starts the step and sees it to its end; the outcome of its tasks.
Result<StepOutcome> run_in(Srun& srun, const Job& job, const std::string& cluster) {
  Result<StepPlan> plan = plan_step(job, srun.options);
  if (!plan) return unexpected(plan.error());
  if (!plan->warning.empty()) srun.say(plan->warning);
  StepRequest request;
  if (srun.options.multi_prog) {
    const std::vector<std::string> more(srun.argv.begin() + 1, srun.argv.end());
    auto programs = read_step_programs(srun.argv.front(), plan->tasks, more);
    if (!programs) {
      print_error("srun", programs.error().message);
      return StepOutcome{k_exit_failure, {k_exit_failure, 0}, {}};
    }
    request.programs = std::move(*programs);
  }
  const std::string steps = fmt::format("/v1/jobs/{}/steps", job.id.value);
  const StartStepBody start{srun.options.name.value_or(base_name(srun.argv.front())),
                            static_cast<std::uint32_t>(plan->nodes.size()), plan->tasks};
  Result<StepStartedBody> started = srun.client.post_as<StepStartedBody>(steps, start, Client::Retry::safe);
  if (!started) return unexpected(started.error());

  request.home = srun.home;
  request.cluster_name = cluster;
  request.bin_dir = srun.bin_dir;
  request.job = job;
  request.step = started->step_id;
  request.argv = srun.argv;
  const std::string here = current_directory();
  Result<std::vector<std::string>> environment = submission_environment(srun.options, here);
  if (!environment) return unexpected(environment.error());
  request.environment = std::move(*environment);
  request.environment.push_back(fmt::format("SLURM_UMASK={:04o}", current_umask()));
  request.work_dir = absolute_path(srun.options.work_dir, here);
  request.nodes = plan->nodes;
  request.tasks = plan->tasks;
  request.task_nodes = srun.task_nodes;
  request.options = step_options_of(srun.options);
  request.options.tasks_per_node = plan->tasks_per_node;
  request.options.pty = srun.options.pty;
  request.options.unbuffered = request.options.unbuffered || srun.options.pty;
  if (Status ok = bind_tasks(srun, job, request); !ok) return unexpected(ok.error());
  Result<StepOutcome> outcome = run_between_scripts(srun, request);

  EndStepBody end;
  end.exit = outcome ? outcome->exit : ExitStatus{1, 0};
  if (outcome) end.usage = outcome->usage;
  Result<NoBody> told =
      srun.client.post_as<NoBody>(fmt::format("{}/{}/end", steps, started->step_id), end, Client::Retry::safe);
  // The tasks have ended whatever the controller knows of it; only the record misses that.
  if (!told && told.error().code != Code::conflict && told.error().code != Code::not_found) {
    srun.say("warning: the end of the step is not recorded: " + told.error().message);
  }
  return outcome;
}

int step_failure(JobId job, const Error& error) {
  print_error("srun", fmt::format("Unable to create step for job {}: {}", job.value, slurm_error_text(error)));
  return k_exit_failure;
}

int run_inside_job(Srun& srun, JobId id) {
  Result<JobBody> body = srun.client.get_as<JobBody>(fmt::format("/v1/jobs/{}", id.value));
  if (!body && body.error().code == Code::unavailable) return failed("srun", body.error());
  if (!body || is_final(body->job.state) || body->job.state == JobState::pending) {
    const std::string why = !body                                  ? slurm_error_text(body.error())
                            : body->job.state == JobState::pending ? "Job is pending execution"
                                                                   : "Job/step already completing or completed";
    print_error("srun", fmt::format("Unable to confirm allocation for job {}: {}", id.value, why));
    srun.say(fmt::format("Check SLURM_JOB_ID environment variable. Expired or invalid job {}", id.value));
    return k_exit_failure;
  }
  const char* cluster = std::getenv("SLURM_CLUSTER_NAME");
  Result<StepOutcome> outcome = run_in(srun, body->job, cluster != nullptr ? cluster : "virga");
  return outcome ? outcome->exit_code : step_failure(id, outcome.error());
}

bool is_over(Srun& srun, JobId id) {
  const Result<JobBody> now = srun.client.get_as<JobBody>(fmt::format("/v1/jobs/{}", id.value));
  return now && (is_final(now->job.state) || now->job.state == JobState::completing);
}

int run_with_allocation(Srun& srun) {
  JobContext context;
  context.now = Time::from_seconds(std::time(nullptr));
  context.kind = JobKind::allocation;
  context.current_dir = current_directory();
  context.command = srun.argv.front();
  context.default_name = base_name(srun.argv.front());
  Result<PingBody> ping = srun.client.get_as<PingBody>("/v1/ping");
  if (!ping) return failed("srun", ping.error());
  const auto refused = [](const Error& error) {
    if (error.message.starts_with("invalid partition specified")) print_error("srun", error.message);
    print_error("srun", "Unable to allocate resources: " + submission_error(error));
    return error_exit_code("srun");
  };
  Result<JobSpec> spec = spec_for(srun.client, srun.options, context);
  if (!spec) return refused(spec.error());
  spec->std_in = spec->std_out = spec->std_err = "";  // these are the step's
  auto cancel = std::make_unique<CancelOnSignal>();
  std::optional<SlurmHold> slurm_hold;
  LaunchPayload payload;
  if (srun.on_slurm && !srun.options.test_only) {
    Result<SlurmHold> made = SlurmHold::make(srun.home);
    if (!made) return failed("srun", made.error());
    slurm_hold.emplace(std::move(*made));
    Result<std::vector<std::string>> environment = submission_environment(srun.options, context.current_dir);
    if (!environment) return failed("srun", environment.error());
    payload = slurm_hold->payload(std::move(*environment), current_umask());
  }
  Result<SubmittedBody> submitted = submit(srun.client, *spec, std::move(payload), srun.options.test_only);
  if (!submitted) return refused(submitted.error());
  if (srun.options.test_only) return print_dry_run("srun", *spec, *submitted);
  const JobId id = submitted->job_id;
  cancel->set_job(id);
  print_warnings("srun", *submitted);
  const auto say = [&](const std::string& text) { srun.say(text); };
  Result<Job> job = wait_for_allocation(srun.client, id, srun.options, say);
  if (!job && job.error().code == Code::refused) return refused(job.error()), immediate_exit_code();
  if (!job) return refused(job.error());
  if (is_final(job->state) || job->state == JobState::completing) {
    print_error("srun", fmt::format("Job allocation {} has been revoked{}", id.value,
                                    job->detail.empty() ? "" : ": " + job->detail));
    return k_exit_failure;
  }
  if (slurm_hold) {
    const Result<SlurmAllocation> known = slurm_hold->wait([&] { return is_over(srun, id); });
    if (!known) return step_failure(id, known.error());
    cancel.reset();  // from here on signals are for Slurm's srun
    return step_failure(id, slurm_hold->become_srun(*known, *job, srun.slurms, srun.bin_dir));
  }
  Result<AllocationHold> hold = AllocationHold::attach(srun.home, *job);
  if (!hold) return failed("srun", hold.error());
  cancel.reset();  // from here on signals go to the tasks
  srun.options.node_list.clear();
  srun.options.exclude.clear();
  srun.options.nodes = job->spec->nodes;
  srun.options.tasks = job->spec->tasks;
  Result<StepOutcome> outcome = run_in(srun, *job, ping->cluster);
  hold->done(outcome ? outcome->exit : ExitStatus{1, 0});
  return outcome ? outcome->exit_code : step_failure(id, outcome.error());
}

/// What Slurm's srun is to be told counts there, whether we do it or not.
Result<ParsedOptions> read_options(const std::vector<std::string>& arguments, bool on_slurm, JobOptions& options) {
  const JobOptionTable& table = srun_table();
  Result<ParsedOptions> parsed = parse_rows(k_srun, rows_of(std::span<const Option<JobOptions>>(table)), arguments, {});
  if (!parsed) return parsed;
  for (const ParsedOption& given : parsed->options) {
    const Option<JobOptions>& option = table[given.row];
    const bool slurm_does = on_slurm && is_of_slurms_step(option.info);
    if (slurm_does && option.info.support != Support::done) continue;
    if (Status ok = admit(k_srun, option.info, true); !ok) return unexpected(ok.error());
    if (option.apply == nullptr) continue;
    if (Status ok = option.apply(options, given.value, option.info); !ok) return unexpected(ok.error());
  }
  return parsed;
}

}  // namespace

int srun_main(int argc, char** argv, const std::string& bin_dir) {
  JobOptions options;
  if (Status ok = apply_environment(k_srun, srun_table(), variable, options); !ok)
    return option_failure(k_srun, ok.error());
  const Result<Home> home = home_from_environment();
  const bool on_slurm = home && !options.job_id && runs_on_slurm(*home);
  Result<ParsedOptions> parsed = read_options(arguments_of(argc, argv), on_slurm, options);
  if (!parsed) return option_failure(k_srun, parsed.error());
  if (answer_about_itself(k_srun, rows_of(std::span<const Option<JobOptions>>(srun_table())), options.version,
                          options.help, options.usage))
    return k_exit_ok;
  if (parsed->operands.empty()) {
    std::fputs("srun: fatal: No command given to execute.\n", stderr);
    return k_exit_failure;
  }
  if (Status ok = become_submitter(options); !ok) return failed("srun", ok.error());
  if (!home) return failed("srun", home.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("srun", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("srun", ok.error());
  Srun srun{std::move(options), parsed->operands, bin_dir, std::move(*client), *home, on_slurm};
  srun.slurms = slurm_step_arguments(*parsed, rows_of(std::span<const Option<JobOptions>>(srun_table())));
  srun.slurms.insert(srun.slurms.end(), srun.argv.begin(), srun.argv.end());
  if (!on_slurm) {
    std::optional<std::uint32_t> tasks;  // of the command line: those of a job's environment do not count here
    for (const ParsedOption& given : parsed->options) {
      if (srun_table()[given.row].info.name == std::string_view("ntasks")) tasks = srun.options.tasks;
    }
    auto nodes = take_task_nodes(srun.options, tasks, variable("SLURM_HOSTFILE"));
    if (!nodes) return print_error("srun", nodes.error().message), k_exit_failure;
    srun.task_nodes = std::move(*nodes);
    if (srun.options.cpu_bind) {
      Result<CpuBind> wish = parse_cpu_bind(*srun.options.cpu_bind);
      if (!wish) {
        print_error("srun", wish.error().message);
        std::fputs("srun: fatal: Failed to parse --cpu-bind= values.\n", stderr);
        return k_exit_failure;
      }
      srun.cpu_bind = std::move(*wish);
    }
    srun.options.pty = wants_terminal(srun.options);
  }
  if (srun.options.job_id) return run_inside_job(srun, JobId{*srun.options.job_id});
  return run_with_allocation(srun);
}

}  // namespace virga
