#include "engines/slurm/commands.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <sstream>
#include <string_view>

#include "wire/command.hpp"
#include "wire/hostlist.hpp"
#include "wire/text_file.hpp"

namespace virga::slurm {
namespace {

constexpr std::chrono::seconds k_limit{60};
/// So that a command line stays far below the kernel's limit.
constexpr std::size_t k_ids_at_once = 1000;

/// What Slurm says when it is not there to answer, or too busy.
bool is_of_the_way(std::string_view text) {
  constexpr std::array<std::string_view, 12> k_texts = {"Unable to contact slurm controller",
                                                        "Zero Bytes were transmitted or received",
                                                        "Socket timed out",
                                                        "Connection refused",
                                                        "Connection reset",
                                                        "Connection timed out",
                                                        "Transport endpoint is not connected",
                                                        "Insane message length",
                                                        "Protocol authentication error",
                                                        "Slurm backup controller in standby mode",
                                                        "Resource temporarily unavailable",
                                                        "Slurm temporarily unable to accept job"};
  return std::any_of(k_texts.begin(), k_texts.end(),
                     [&](std::string_view known) { return text.find(known) != std::string_view::npos; });
}

/// sbatch and its kind: "sbatch: error: Batch job submission failed: Invalid account"; the last line has the cause.
std::string without_prefix(std::string text) {
  for (const std::string_view prefix : {"sbatch: error: ", "scancel: error: ", "slurm_load_jobs error: "}) {
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  }
  return text;
}

Result<std::string> write_script(const std::string& folder, const std::string& text) {
  std::string path = folder + "/script-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return fail(Code::exhausted, "cannot write " + path + ": " + std::strerror(errno), true);
  const bool whole = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  if (whole) return path;
  unlink(path.c_str());
  return fail(Code::exhausted, "cannot write " + path + ": " + std::strerror(error), true);
}

}  // namespace

Result<std::string> Commands::run(const std::vector<std::string>& argv) const {
  CommandEnd end = run_command(argv, environment_, k_limit);
  if (end.ok()) return std::move(end.out);
  const bool unreached = end.how != CommandEnd::How::exited || end.exit_code < 0 || is_of_the_way(end.err);
  return fail(unreached ? Code::unavailable : Code::refused, argv.front() + ": " + without_prefix(end.why()),
              unreached);
}

Result<std::uint32_t> Commands::submit(const Submission& submission, const std::vector<std::string>& arguments) const {
  const Result<std::string> path = write_script(scratch_, submission.script);
  if (!path) return unexpected(path.error());
  std::vector<std::string> argv = {"sbatch"};
  argv.insert(argv.end(), submission.options.begin(), submission.options.end());
  argv.push_back(*path);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Result<std::string> answer = run(argv);
  unlink(path->c_str());
  if (!answer) return unexpected(answer.error());
  std::uint32_t id = 0;  // "50000013" or "50000013;cluster"
  if (std::from_chars(answer->data(), answer->data() + answer->size(), id).ec != std::errc() || id == 0) {
    return fail(Code::internal, "sbatch answers \"" + *answer + "\" instead of a job's number", true);
  }
  return id;
}

Status Commands::release(const std::vector<std::uint32_t>& jobs) const {
  const auto answer = run({"scontrol", "release", fmt::format("{}", fmt::join(jobs, ","))});
  return answer ? Status() : Status(unexpected(answer.error()));
}

Status Commands::cancel(std::uint32_t job) const {
  const auto answer = run({"scancel", std::to_string(job)});
  return answer ? Status() : Status(unexpected(answer.error()));
}

Status Commands::cancel_pending(std::uint32_t job) const {
  const auto answer = run({"scancel", "--state=PENDING", std::to_string(job)});
  return answer ? Status() : Status(unexpected(answer.error()));
}

Status Commands::note(std::uint32_t job, const std::string& text, Hold hold) const {
  std::vector<std::string> argv = {"scontrol", "update", "jobid=" + std::to_string(job), "admincomment=" + text};
  if (hold == Hold::yes) argv.push_back("priority=0");
  const auto answer = run(argv);
  return answer ? Status() : Status(unexpected(answer.error()));
}

Result<std::string> Commands::describe(std::uint32_t job, const std::string& columns) const {
  return run({"squeue", "--noheader", "--all", "--states=all", "--jobs=" + std::to_string(job), "-O", columns});
}

Result<std::string> Commands::script_of(std::uint32_t job) const {
  const Result<std::string> path = write_script(scratch_, "");  // byte for byte, which standard output is not
  if (!path) return unexpected(path.error());
  const auto answer = run({"scontrol", "write", "batch_script", std::to_string(job), *path});
  Result<std::string> script = answer ? read_text_file(*path) : Result<std::string>(unexpected(answer.error()));
  unlink(path->c_str());
  return script;
}

Result<bool> Commands::counts_memory_per_cpu(std::uint32_t job) const {
  const auto text = run({"scontrol", "show", "job", std::to_string(job)});
  if (!text) return unexpected(text.error());
  return text->find(" MinMemoryCPU=") != std::string::npos;
}

Result<std::string> Commands::state_folder() const {
  const auto text = run({"scontrol", "show", "config"});
  if (!text) return unexpected(text.error());
  std::string folder = config_value(*text, "StateSaveLocation");
  if (!folder.starts_with('/')) return fail(Code::internal, "Slurm does not say where its state is");
  return folder;
}

Status Commands::signal(std::uint32_t job, std::uint32_t signal, Whom whom) const {
  std::vector<std::string> argv = {"scancel", "--signal=" + std::to_string(signal), std::to_string(job)};
  if (whom == Whom::batch_shell) argv.insert(argv.begin() + 1, "--batch");
  if (whom == Whom::everything) argv.insert(argv.begin() + 1, "--full");
  const auto answer = run(argv);
  return answer ? Status() : Status(unexpected(answer.error()));
}

Result<std::vector<SlurmJob>> Commands::jobs() const {
  const auto text = run({"squeue", "--noheader", "--all", "--states=all", "-O", k_job_columns});
  if (!text) return unexpected(text.error());
  return parse_jobs(*text);
}

Result<std::vector<SlurmJob>> Commands::jobs(const std::vector<std::uint32_t>& ids) const {
  std::vector<SlurmJob> all;
  for (std::size_t at = 0; at < ids.size(); at += k_ids_at_once) {
    const auto last = ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + k_ids_at_once, ids.size()));
    const std::string list = fmt::format("{}", fmt::join(ids.begin() + static_cast<std::ptrdiff_t>(at), last, ","));
    const auto text = run({"squeue", "--noheader", "--all", "--states=all", "--jobs=" + list, "-O", k_job_columns});
    // Said where none of them is known.
    if (!text && text.error().message.find("Invalid job id") != std::string::npos) continue;
    if (!text) return unexpected(text.error());
    for (SlurmJob& job : parse_jobs(*text)) all.push_back(std::move(job));
  }
  return all;
}

Result<std::vector<SlurmNode>> Commands::nodes(std::string_view cluster) const {
  const auto text = run({"sinfo", "--noheader", "--all", "--Node", "-O", k_node_columns});
  if (!text) return unexpected(text.error());
  return parse_nodes(*text, cluster);
}

/// Slurm stops at the first node of a list that it does not like: then each is tried for itself.
Status Commands::for_nodes(const std::vector<std::string>& names, const std::vector<std::string>& verb,
                           const std::vector<std::string>& rest) const {
  if (names.empty()) return {};
  std::vector<std::string> argv = {"scontrol"};
  argv.insert(argv.end(), verb.begin(), verb.end());
  argv.push_back("nodename=" + compress_hostlist(names));
  argv.insert(argv.end(), rest.begin(), rest.end());
  const auto answer = run(argv);
  if (answer) return {};
  if (answer.error().retryable || names.size() == 1) return unexpected(answer.error());
  Status all;
  for (const std::string& name : names) {
    Status one = for_nodes({name}, verb, rest);
    if (!one && one.error().retryable) return one;
    if (!one) all = one;
  }
  return all;
}

Status Commands::give_up_nodes(const std::vector<std::string>& names, const std::string& why) const {
  return for_nodes(names, {"update"}, {"state=down", "reason=" + why});
}

Status Commands::delete_nodes(const std::vector<std::string>& names) const { return for_nodes(names, {"delete"}, {}); }

Result<std::set<std::string>> Commands::remembered_of(const std::vector<std::string>& nodes) const {
  std::set<std::string> remembered;
  if (nodes.empty()) return remembered;
  const auto text = run(
      {"squeue", "--noheader", "--all", "--states=all", "--nodelist=" + compress_hostlist(nodes), "-O", "NodeList:|"});
  if (!text) return unexpected(text.error());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto names = expand_hostlist(std::string_view(line).substr(0, line.find('|')));
    if (!names) return std::set<std::string>(nodes.begin(), nodes.end());  // better one too many than one too few
    remembered.insert(names->begin(), names->end());
  }
  return remembered;
}

Status Commands::hand_over_nodes(const std::vector<std::string>& names) const {
  return for_nodes(names, {"update"},
                   {"state=down", "reason=another machine comes", "availablefeatures=virga", "activefeatures=virga"});
}

}  // namespace virga::slurm
