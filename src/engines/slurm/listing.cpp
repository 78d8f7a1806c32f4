#include "engines/slurm/listing.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

namespace virga::slurm {
namespace {

constexpr std::string_view k_comment_prefix = "virga:";

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// The next field up to '|'. The last field of a line may hold one itself.
std::string_view take_field(std::string_view& line) {
  const std::size_t bar = line.find('|');
  const std::string_view field = line.substr(0, bar);
  line.remove_prefix(bar == std::string_view::npos ? line.size() : bar + 1);
  return field;
}

template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end != 0) use(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

JobStage stage_of(std::string_view state, std::string_view reason) {
  if (state == "PENDING") return reason.starts_with("JobHeld") ? JobStage::held : JobStage::waiting;
  if (is_one_of(state, {"CONFIGURING", "REQUEUED", "RESIZING"})) return JobStage::waiting;
  if (is_one_of(state, {"REQUEUE_HOLD", "SPECIAL_EXIT"})) return JobStage::held;
  if (is_one_of(state, {"RUNNING", "SUSPENDED", "STOPPED", "SIGNALING"})) return JobStage::running;
  if (is_one_of(state, {"COMPLETING", "STAGE_OUT"})) return JobStage::completing;
  return JobStage::over;
}

/// As wait() has it.
ExitStatus exit_of(std::uint32_t status) {
  const std::uint32_t signal = status & 0x7fU;
  if (signal != 0) return {0, signal};
  return {(status >> 8U) & 0xffU, 0};
}

std::optional<SlurmJob> parse_job(std::string_view line) {
  std::uint32_t status = 0;
  SlurmJob job;
  const std::string_view id = take_field(line);
  job.state = take_field(line);
  const std::string_view exit = take_field(line);
  const std::string_view uid = take_field(line);
  job.user = take_field(line);
  job.partition = take_field(line);
  job.nodes = take_field(line);
  job.reason = take_field(line);
  job.by_administrator = take_field(line).starts_with('-');
  job.comment = line.ends_with('|') ? line.substr(0, line.size() - 1) : line;
  if (!read_number(id, job.id) || !read_number(uid, job.uid) || !read_number(exit, status)) return std::nullopt;
  job.stage = stage_of(job.state, job.reason);
  job.exit = exit_of(status);
  return job;
}

VmId vm_of(std::string_view features, std::string_view cluster) {
  const std::string prefix = feature_prefix(cluster);
  while (!features.empty()) {
    const std::size_t comma = features.find(',');
    std::string_view one = features.substr(0, comma);
    features.remove_prefix(comma == std::string_view::npos ? features.size() : comma + 1);
    VmId vm;
    if (!one.starts_with(prefix)) continue;
    one.remove_prefix(prefix.size());
    if (read_number(one, vm.value)) return vm;
  }
  return {};
}

}  // namespace

std::string feature_prefix(std::string_view cluster) { return "virga_" + std::string(cluster) + "_"; }

std::vector<SlurmJob> parse_jobs(std::string_view text) {
  std::vector<SlurmJob> jobs;
  for_each_line(text, [&](std::string_view line) {
    if (auto job = parse_job(line)) jobs.push_back(std::move(*job));
  });
  return jobs;
}

std::vector<SlurmNode> parse_nodes(std::string_view text, std::string_view cluster) {
  std::vector<SlurmNode> nodes;
  std::unordered_set<std::string> seen;  // a node is listed once for each of its partitions
  for_each_line(text, [&](std::string_view line) {
    SlurmNode node;
    node.name = take_field(line);
    std::string_view state = take_field(line);
    node.vm = vm_of(take_field(line), cluster);
    node.address = take_field(line);
    node.reason = take_field(line);
    const std::size_t word = state.find_first_of("*~#!%$@^+-");
    node.answers = state.find('*') == std::string_view::npos;
    node.state = state.substr(0, word);
    node.usable = node.answers && is_one_of(node.state, {"idle", "mixed", "allocated", "completing"});
    if (node.name.empty() || node.state.empty() || !seen.insert(node.name).second) return;
    nodes.push_back(std::move(node));
  });
  return nodes;
}

std::string comment_of(std::string_view cluster, const JobKey& key) {
  return std::string(k_comment_prefix) + std::string(cluster) + ":" + std::to_string(key.job.value) + "." +
         std::to_string(key.incarnation);
}

std::optional<JobKey> key_of(std::string_view comment, std::string_view cluster) {
  if (!comment.starts_with(k_comment_prefix)) return std::nullopt;
  comment.remove_prefix(k_comment_prefix.size());
  if (!comment.starts_with(cluster)) return std::nullopt;
  comment.remove_prefix(cluster.size());
  const std::size_t dot = comment.find('.');
  if (!comment.starts_with(':') || dot == std::string_view::npos) return std::nullopt;
  JobKey key;
  if (!read_number(comment.substr(1, dot - 1), key.job.value)) return std::nullopt;
  if (!read_number(comment.substr(dot + 1), key.incarnation)) return std::nullopt;
  return key;
}

std::string feature_of(VmId vm, std::string_view cluster) { return feature_prefix(cluster) + std::to_string(vm.value); }

std::string config_value(std::string_view config, std::string_view name) {
  while (!config.empty()) {
    const std::size_t end = std::min(config.find('\n'), config.size());
    const std::string_view line = config.substr(0, end);
    config.remove_prefix(std::min(end + 1, config.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || line.substr(0, line.find(' ')) != name) continue;
    const std::size_t begin = line.find_first_not_of(' ', equals + 1);
    if (begin == std::string_view::npos) return "";
    return std::string(line.substr(begin, line.find_last_not_of(' ') + 1 - begin));
  }
  return "";
}

}  // namespace virga::slurm
