// Messages about tasks that ended badly.
#include "cli/step_report.hpp"

#include <algorithm>
#include <cstring>

#include "wire/hostlist.hpp"

namespace virga {
namespace {

constexpr auto k_hold_back = std::chrono::milliseconds(50);

}  // namespace

std::string describe_tasks(std::vector<std::uint32_t> tasks) {
  std::sort(tasks.begin(), tasks.end());
  std::vector<std::string> numbers;
  for (std::uint32_t task : tasks) numbers.push_back(std::to_string(task));
  std::string list = compress_hostlist(numbers);
  if (list.starts_with("[")) list = list.substr(1, list.size() - 2);
  return (tasks.size() == 1 ? "task " : "tasks ") + list;
}

std::string describe_exit(const ExitStatus& exit, bool core_dumped) {
  if (exit.signal == 0) return "Exited with exit code " + std::to_string(exit.code);
  return std::string(strsignal(static_cast<int>(exit.signal))) + (core_dumped ? " (core dumped)" : "");
}

void StepReport::add(const std::string& node, std::uint32_t task, const ExitStatus& exit, bool core_dumped) {
  std::string what = describe_exit(exit, core_dumped);
  if (!due_) due_ = Clock::now() + k_hold_back;
  for (Entry& entry : entries_) {
    if (entry.node == node && entry.what == what) {
      entry.tasks.push_back(task);
      return;
    }
  }
  entries_.push_back({node, std::move(what), {task}});
}

std::vector<std::string> StepReport::take() {
  std::vector<std::string> lines;
  for (Entry& entry : entries_) lines.push_back(entry.node + ": " + describe_tasks(entry.tasks) + ": " + entry.what);
  entries_.clear();
  due_.reset();
  return lines;
}

}  // namespace virga
