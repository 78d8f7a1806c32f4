// Sending a job to the controller, for sbatch and for srun outside of a job.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/client.hpp"
#include "cli/job_options.hpp"
#include "cli/job_spec.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

/// Our environment, as the job gets it, with what Slurm adds at submission.
Result<std::vector<std::string>> submission_environment(const JobOptions& options, const std::string& current_dir);
/// Adds the variables of options that were given, and of none else: a script tells from them what was asked for.
void set_option_variables(std::vector<std::string>& environment, const JobOptions& options, const JobSpec& spec);
/// Becomes the user and group of --uid and --gid, which only root may ask for: before the controller is spoken to.
Status become_submitter(const JobOptions& options);
/// Of --clusters: this one, or all; without names nothing is asked.
Status check_clusters(Client& client, const std::vector<std::string>& names);
/// With --clusters Slurm's tables say first which one they are of; false where that cannot be written.
bool print_cluster_line(Client& client, const std::vector<std::string>& names, bool no_header);
/// The current folder; "/" where it is gone.
std::string current_directory();
std::uint32_t current_umask();
std::vector<std::string> arguments_of(int argc, char** argv);

/// Asks for the configuration first where the job's shape depends on it.
Result<JobSpec> spec_for(Client& client, const JobOptions& options, const JobContext& context);
/// Posts it with an idempotency key, so that a lost answer never makes two jobs.
Result<SubmittedBody> submit(Client& client, const JobSpec& spec, LaunchPayload payload, bool dry_run = false);
/// What a dry run found, on stderr: when the job would start, where, and what it would cost there; or why it could not.
/// Returns the exit code. Of the pools that could start it the earliest counts, of several the cheapest.
int print_dry_run(std::string_view command, const JobSpec& spec, const SubmittedBody& answer);
/// Says on stderr what the controller wants said of the job: which budgets that pay for it are nearly used up.
void print_warnings(std::string_view command, const SubmittedBody& submitted);
/// Waits until the job has started (or ended) or has ended. Outlives restarts of the controller.
Result<JobBody> wait_for_job(Client& client, JobId job, bool until_ended);

/// Whether Slurm's commands find this out themselves, before they ask the controller: they tell it as it is.
bool is_told_by_client(const Error& error);
/// How Slurm's commands put a refused submission.
std::string submission_error(const Error& error);

}  // namespace virga
