#include "cli/slurm_hold.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "cli/cancel_on_signal.hpp"
#include "wire/slurm_env.hpp"
#include "wire/slurm_steps.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

/// What the client writes into its file before it becomes Slurm's srun.
constexpr const char* k_begun = "begun";
constexpr int k_look_ms = 20;

/// Options of ours that are about a step, or about srun itself. All others are about the allocation, which is there.
constexpr std::string_view k_of_step[] = {
    "accel-bind",
    "bcast",
    "bcast-exclude",
    "chdir",
    "compress",
    "core-spec",
    "cpu-bind",
    "cpu_bind",
    "cpu-freq",
    "cpus-per-gpu",
    "cpus-per-task",
    "disable-status",
    "distribution",
    "epilog",
    "error",
    "exact",
    "exclude",
    "export",
    "gpu-bind",
    "gpu-freq",
    "gpus-per-task",
    "hint",
    "input",
    "interactive",
    "job-name",
    "kill-on-bad-exit",
    "label",
    "mem-bind",
    "mpi",
    "msg-timeout",
    "multi-prog",
    "network",
    "nodelist",
    "no-kill",
    "ntasks-per-core",
    "ntasks-per-node",
    "open-mode",
    "output",
    "overcommit",
    "overlap",
    "preserve-env",
    "profile",
    "prolog",
    "propagate",
    "pty",
    "quiet",
    "quit-on-interrupt",
    "relative",
    "resv-ports",
    "send-libs",
    "slurmd-debug",
    "task-epilog",
    "task-prolog",
    "tasks-per-node",
    "threads",
    "threads-per-core",
    "unbuffered",
    "verbose",
    "wait",
    "whole",
    "x11",
};

/// Variables that describe another job, or stand for options about the allocation.
constexpr std::string_view k_of_others[] = {
    "SLURM_JOB",     "SLURM_STEP",     "SLURM_TASK",     "SLURM_NODE",        "SLURM_NNODES",     "SLURM_NTASKS",
    "SLURM_NPROCS",  "SLURM_HOSTFILE", "SLURM_DISTRIB",  "SLURM_CLUSTER",     "SLURM_WORKING",    "SLURM_PARTITION",
    "SLURM_ACCOUNT", "SLURM_QOS",      "SLURM_TIMELIM",  "SLURM_RESERVATION", "SLURM_EXCLUSIVE",  "SLURM_GRES",
    "SLURM_GPUS",    "SLURM_MEM_PER",  "SLURM_IMMED",    "SLURM_DEPENDENCY",  "SLURM_CONSTRAINT", "SLURM_SIGNAL",
    "SLURM_CONF=",   "SLURM_PROCID",   "SLURM_LOCALID",  "SLURM_GTIDS",       "SLURM_LAUNCH",     "SLURM_SRUN",
    "SLURM_SUBMIT",  "SLURM_CPUS_ON",  "SLURM_TOPOLOGY", "SLURM_CPUS_PER",
};

bool is_of_another_job(std::string_view variable) {
  return std::any_of(std::begin(k_of_others), std::end(k_of_others),
                     [&](std::string_view start) { return variable.starts_with(start); });
}

bool chooses_places(const std::vector<std::string>& step) {
  return std::any_of(step.begin(), step.end(), [](const std::string& word) {
    return word.starts_with("--distribution=") || word.starts_with("--nodelist=") || word.starts_with("--exclude=") ||
           word.starts_with("--relative=");
  });
}

std::string slurms_srun() {
  const char* path = std::getenv("PATH");
  std::string folders = (path != nullptr ? std::string(path) : std::string()) + ":/usr/bin:/usr/local/bin";
  while (!folders.empty()) {
    const std::size_t colon = std::min(folders.find(':'), folders.size());
    const std::string folder = folders.substr(0, colon);
    folders.erase(0, colon + 1);
    if (folder.empty() || has_virgas_commands(folder)) continue;
    if (access((folder + "/srun").c_str(), X_OK) == 0) return folder + "/srun";
  }
  return "";
}

std::string text_at(int fd) {
  char text[256];
  const ssize_t n = pread(fd, text, sizeof text, 0);
  return std::string(text, n > 0 ? static_cast<std::size_t>(n) : 0);
}

Error last_error(const std::string& what) { return {Code::internal, "cannot " + what + ": " + std::strerror(errno)}; }

/// A file that lives as long as this process and what it becomes; its path, or "".
std::string file_in_memory(const std::string& text) {
  const int fd = memfd_create("virga-hosts", 0);
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return "";
  return fmt::format("/proc/{}/fd/{}", getpid(), fd);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

bool runs_on_slurm(const Home& home) { return access((home.slurm() + "/holds").c_str(), W_OK | X_OK) == 0; }

bool is_of_slurms_step(const OptionInfo& row) {
  return std::find(std::begin(k_of_step), std::end(k_of_step), row.name) != std::end(k_of_step);
}

std::vector<std::string> slurm_step_arguments(const ParsedOptions& parsed, const std::vector<OptionInfo>& rows) {
  std::vector<std::string> made;
  for (const ParsedOption& given : parsed.options) {
    const OptionInfo& row = rows[given.row];
    if (!is_of_slurms_step(row)) continue;
    const bool has_value = row.takes == Takes::value || (row.takes == Takes::optional && !given.value.empty());
    made.push_back(std::string("--") + row.name + (has_value ? "=" + given.value : ""));
  }
  return made;
}

std::vector<std::string> slurm_step_environment(const SlurmAllocation& allocation, const Job& job, const Home& home,
                                                const std::string& bin_dir, const std::vector<std::string>& ours) {
  Environment env(ours);
  env.set("VIRGA_CHECKPOINT_DIR", checkpoint_dir(home.checkpoints(), job.id, ours));
  env.set("VIRGA_JOB_ID", std::to_string(job.id.value));
  env.set("PATH", path_with_slurm_first(env.value("PATH"), bin_dir));
  std::vector<std::string> all = env.take();
  std::erase_if(all, is_of_another_job);
  all.push_back("SLURM_CONF=" + allocation.conf);
  return all;
}

Result<SlurmHold> SlurmHold::make(const Home& home) {
  std::string path = home.slurm() + "/holds/srun-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return unexpected(last_error("write " + path));
  SlurmHold hold(home, path, fd);
  if (flock(fd, LOCK_EX) != 0) return unexpected(last_error("lock " + path));
  return hold;
}

SlurmHold::SlurmHold(SlurmHold&& other) noexcept
    : home_(std::move(other.home_)), path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

SlurmHold::~SlurmHold() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(fd_);
}

LaunchPayload SlurmHold::payload(std::vector<std::string> environment, std::uint32_t umask) const {
  LaunchPayload payload;
  payload.environment = std::move(environment);
  payload.umask = umask;
  payload.script = fmt::format(
      "#!/bin/sh\n"
      "# Keeps the nodes of an allocation until the srun that asked for them has let go of this file, or is gone.\n"
      "file={0}\n"
      "[ -e \"$file\" ] && exec 9<>\"$file\" && echo \"$SLURM_JOB_ID $SLURM_CONF\" >&9 || exit 1\n"
      "rm -f \"$file\"\n"
      "flock -s 9 || exit 1\n"
      "read -r begun <&9\n"
      "[ \"$begun\" = {1} ] || exit 1\n"
      "# Its end is that of its steps, which Slurm knows a moment after srun does.\n"
      "steps() {{ squeue --noheader --steps --jobs=\"$SLURM_JOB_ID\" --format=%i | grep -q '[.][0-9]'; }}\n"
      "tries=0\n"
      "while [ $tries -lt 50 ] && steps; do tries=$((tries + 1)); sleep 0.1; done\n"
      "end=$(scontrol --details show job \"$SLURM_JOB_ID\" | sed -n "
      "'s/.*DerivedExitCode=\\([0-9]*:[0-9]*\\).*/\\1/p')\n"
      "case $end in\n"
      "  *:0) exit \"${{end%:*}}\" ;;\n"
      "  *:*) kill -\"${{end#*:}}\" $$ ;;\n"
      "esac\n"
      "exit 1\n",
      shell_quoted(path_), k_begun);
  return payload;
}

Result<SlurmAllocation> SlurmHold::wait(const std::function<bool()>& is_over) const {
  for (int look = 0;; ++look) {
    const std::string text = text_at(fd_);
    SlurmAllocation known;
    const std::size_t line = text.find('\n');
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), known.id);
    if (error == std::errc() && known.id != 0 && line != std::string::npos && *end == ' ') {
      known.conf = std::string(end + 1, text.data() + line);
      return known;
    }
    constexpr int k_looks_between = 25;
    if (look % k_looks_between == k_looks_between - 1 && is_over()) {
      return fail(Code::conflict, "its script has ended, or could not reach " + path_);
    }
    CancelOnSignal::sleep_ms(k_look_ms);
  }
}

Error SlurmHold::become_srun(const SlurmAllocation& allocation, const Job& job, const std::vector<std::string>& step,
                             const std::string& bin_dir) {
  const std::string program = slurms_srun();
  if (program.empty()) return {Code::unavailable, "this machine has no srun of Slurm's in its PATH"};
  std::vector<std::string> ours;
  for (char** variable = environ; *variable != nullptr; ++variable) ours.emplace_back(*variable);
  std::vector<std::string> environment = slurm_step_environment(allocation, job, home_, bin_dir, ours);
  std::vector<std::string> words = {"srun", fmt::format("--jobid={}", allocation.id),
                                    fmt::format("--nodes={}", job.nodes.size()),
                                    fmt::format("--ntasks={}", job.spec->tasks)};
  words.insert(words.end(), step.begin(), step.end());
  if (job.nodes.size() > 1 && !chooses_places(step)) {
    const std::string hosts = file_in_memory(host_file(job));
    if (hosts.empty()) return last_error("keep the order of the nodes");
    environment.push_back("SLURM_HOSTFILE=" + hosts);
    environment.push_back("SLURM_DISTRIBUTION=arbitrary");
  }
  const std::string begun = std::string(k_begun) + "\n";
  if (lseek(fd_, 0, SEEK_END) < 0 || write(fd_, begun.data(), begun.size()) != static_cast<ssize_t>(begun.size())) {
    return last_error("write " + path_);
  }
  if (fcntl(fd_, F_SETFD, 0) != 0) return last_error("keep " + path_);
  execve(program.c_str(), pointers(words).data(), pointers(environment).data());
  return last_error("start " + program);
}

}  // namespace virga
