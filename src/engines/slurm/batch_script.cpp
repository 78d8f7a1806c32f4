#include "engines/slurm/batch_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engines/slurm/listing.hpp"
#include "wire/hostlist.hpp"
#include "wire/output_pattern.hpp"
#include "wire/slurm_steps.hpp"
#include "wire/words.hpp"

namespace virga::slurm {
namespace {

constexpr std::uint64_t k_bytes_per_mib = 1024 * 1024;

/// What Virga knows better than Slurm, or Slurm does not say. All else that begins with SLURM_ is Slurm's own: srun
/// reads it to find its allocation.
constexpr std::string_view k_ours[] = {
    "SLURM_ARRAY_JOB_ID",    "SLURM_ARRAY_TASK_ID",   "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_MAX",  "SLURM_ARRAY_TASK_STEP", "SLURM_JOB_ACCOUNT",      "SLURM_JOB_PARTITION",
    "SLURM_JOB_QOS",         "SLURM_RESTART_COUNT",   "SLURM_JOB_START_TIME",   "SLURM_JOB_END_TIME",
    "SLURM_JOB_RESERVATION", "SLURM_SUBMIT_DIR",      "SLURM_SUBMIT_HOST",      "SLURM_JOB_GPUS",
    "SLURM_GPUS_ON_NODE",
};

bool is_slurms(std::string_view variable) {
  if (!variable.starts_with("SLURM") && !variable.starts_with("SBATCH_")) return false;
  const std::string_view name = variable.substr(0, variable.find('='));
  return std::find(std::begin(k_ours), std::end(k_ours), name) == std::end(k_ours);
}

std::vector<std::string> node_names(const Job& job) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  return names;
}

std::string absolute(const Job& job, const std::string& pattern) {
  std::string path = expand_output_pattern(pattern, output_names_of(job));
  if (!path.starts_with('/')) path = job.spec->work_dir + "/" + path;
  // Slurm must not expand it a second time.
  std::string literal;
  for (const char c : path) literal += c == '%' ? std::string("%%") : std::string(1, c);
  return literal;
}

void add_nodes(const Job& job, const SubmissionSite& site, std::vector<std::string>& options) {
  const JobSpec& spec = job.spec;
  const std::string& cluster = site.environment.cluster_name;
  const auto count = job.nodes.size();
  options.push_back("--nodelist=" + compress_hostlist(node_names(job)));
  options.push_back(fmt::format("--nodes={0}-{0}", count));
  options.push_back(fmt::format("--ntasks={}", spec.tasks));
  options.push_back(fmt::format("--cpus-per-task={}", std::max(spec.cpus_per_task, 1U)));
  if (spec.tasks_per_node != 0) options.push_back(fmt::format("--ntasks-per-node={}", spec.tasks_per_node));
  if (spec.per_node.cpus > 0) options.push_back(fmt::format("--mincpus={}", spec.per_node.cpus));
  if (spec.per_node.memory_bytes >= k_bytes_per_mib) {
    options.push_back(fmt::format("--mem={}M", spec.per_node.memory_bytes / k_bytes_per_mib));
  }
  if (site.counts_gpus && spec.per_node.gpus > 0) options.push_back(fmt::format("--gres=gpu:{}", spec.per_node.gpus));
  if (spec.exclusive) options.push_back("--exclusive");
  if (count < 2) return;
  // Slurm wants the batch node's feature to be one of the constraint's, and takes no more than 1,024 characters of
  // that: all of ours have the second one.
  const std::string first = feature_of(job.nodes.front().vm, cluster);
  options.push_back("--constraint=" + first + "|virga");
  options.push_back("--batch=" + first);
}

bool names_gpus(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  return name == "CUDA_VISIBLE_DEVICES" || name == "GPU_DEVICE_ORDINAL" || name == "SLURM_JOB_GPUS";
}

/// A word that is not in the text, and so ends a here-document.
std::string end_mark(std::string_view text) {
  std::string mark = "VIRGA_END";
  while (text.find(mark) != std::string_view::npos) mark += "_";
  return mark;
}

/// All of it stands between braces: the shell has read it to its end before it does anything, and so does not mind that
/// its file becomes another one.
std::string begin_script(const Job& job, const LaunchPayload& payload, const std::string& conf,
                         const std::vector<std::string>& variables) {
  std::string text =
      "#!/bin/sh\n"
      "# How Virga begins a job: the user's script, its environment, and the job's nodes in rank order.\n"
      "{\n";
  text += fmt::format("umask {:04o}\n", payload.umask & 0777U);
  if (job.nodes.size() > 1) {
    text +=
        "hosts=$(mktemp) && exec 8>\"$hosts\" 9<\"$hosts\" && rm -f \"$hosts\" || exit 1\n"
        "cat >&8 <<'VIRGA_END'\n" +
        host_file(job) +
        "VIRGA_END\n"
        "exec 8>&-\n"
        "export SLURM_HOSTFILE=/proc/$$/fd/9\n";
  }
  std::string body = payload.script;
  if (!body.ends_with('\n')) body += '\n';
  const std::string mark = end_mark(body);
  text += "unset SLURM_WORKING_CLUSTER\n";
  if (!conf.empty()) text += "[ ! -r " + shell_quoted(conf) + " ] || export SLURM_CONF=" + shell_quoted(conf) + "\n";
  text += "chmod u+w \"$0\" && cat >\"$0\" <<'" + mark + "' || exit 1\n" + body + mark + "\n";
  std::string of_gpus;
  std::string others;
  for (const std::string& variable : variables) {
    if (names_gpus(variable)) {
      of_gpus += " " + shell_quoted(variable);
    } else {
      others += " \\\n  " + shell_quoted(variable);
    }
  }
  if (!of_gpus.empty()) text += "[ -n \"${CUDA_VISIBLE_DEVICES:-}\" ] || export" + of_gpus + "\n";
  text += "exec env -u OLDPWD" + others;
  return text + " \\\n  \"$0\" \"$@\"\n}\n";
}

}  // namespace

std::vector<std::string> script_environment(const Job& job, const std::vector<std::string>& submitted,
                                            const EnvironmentSite& site) {
  EnvironmentSite plain = site;
  plain.bin_dir.clear();
  Environment env(batch_environment(job, submitted, plain));
  if (!site.bin_dir.empty()) {
    env.set("PATH", path_with_slurm_first(env.value("PATH"), site.bin_dir));
  }
  env.set("VIRGA_JOB_ID", std::to_string(job.id.value));
  std::vector<std::string> variables = env.take();
  std::erase_if(variables, is_slurms);
  if (job.nodes.size() > 1) {
    const std::string list = compress_hostlist(node_names(job));
    variables.push_back("SLURM_JOB_NODELIST=" + list);
    variables.push_back("SLURM_NODELIST=" + list);
    variables.push_back("SLURM_DISTRIBUTION=arbitrary");
  }
  return variables;
}

Submission submission_of(const Job& job, const LaunchPayload& payload, const SubmissionSite& site,
                         const std::string& comment) {
  const JobSpec& spec = job.spec;
  Submission made;
  auto& options = made.options;
  options = {"--parsable",
             "--hold",
             "--no-requeue",
             "--no-kill",
             "--nice=-1",  // which no user may (listing.hpp)
             "--export=ALL",
             "--comment=" + comment,
             "--partition=" + site.partition,
             "--job-name=" + (spec.name.empty() ? std::string("virga") : spec.name),
             "--chdir=" + spec.work_dir,
             spec.append_output ? "--open-mode=append" : "--open-mode=truncate"};
  if (!site.as_user) {
    options.push_back(fmt::format("--uid={}", job.owner.uid));
    options.push_back(fmt::format("--gid={}", job.owner.gid));
  }
  // What the script of an allocation has to say is of no use: its steps write where its client is.
  const std::string output = spec.kind == JobKind::allocation ? "/dev/null"
                             : spec.std_out.empty()           ? std::string(default_output_pattern(job))
                                                              : spec.std_out;
  options.push_back("--output=" + absolute(job, output));
  if (!spec.std_err.empty()) options.push_back("--error=" + absolute(job, spec.std_err));
  if (!spec.std_in.empty()) options.push_back("--input=" + absolute(job, spec.std_in));
  add_nodes(job, site, options);

  made.script = begin_script(job, payload, site.conf, script_environment(job, payload.environment, site.environment));
  return made;
}

}  // namespace virga::slurm
