#include "engines/local/task_binding.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "wire/slurm_text.hpp"

namespace virga {
namespace {

/// The places of the bits of a hexadecimal number of any length.
std::vector<std::uint32_t> bits_of(const std::string& mask) {
  std::vector<std::uint32_t> bits;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const char digit[] = {mask[mask.size() - 1 - i], '\0'};
    const auto value = static_cast<std::uint32_t>(std::strtoul(digit, nullptr, 16));
    for (std::uint32_t bit = 0; bit < 4; ++bit) {
      if ((value >> bit & 1) != 0) bits.push_back(static_cast<std::uint32_t>(4 * i) + bit);
    }
  }
  return bits;
}

std::uint32_t number_of(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

/// Of a list, what is the task's.
const std::string& share_of(const std::vector<std::string>& list, std::uint32_t local_index) {
  return list[local_index % list.size()];
}

std::string mask_of(const std::vector<std::uint32_t>& cpus) {
  const std::uint32_t highest = cpus.empty() ? 0 : *std::max_element(cpus.begin(), cpus.end());
  std::string digits(highest / 4 + 1, '0');
  for (const std::uint32_t cpu : cpus) {
    char& digit = digits[digits.size() - 1 - cpu / 4];
    const auto value = std::strtoul(std::string(1, digit).c_str(), nullptr, 16) | 1UL << cpu % 4;
    digit = "0123456789abcdef"[value];
  }
  return digits;
}

}  // namespace

std::vector<std::uint32_t> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<std::uint32_t> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<std::uint32_t> cpus_of_task(const TaskBinding& binding, std::uint32_t local_index,
                                        const std::vector<std::uint32_t>& usable) {
  std::vector<std::uint32_t> places;
  if (usable.empty()) return {};
  if (binding.cpus == "rank") places = {local_index};
  if (binding.cpus == "map_cpu" && !binding.cpu_list.empty()) {
    places = {number_of(share_of(binding.cpu_list, local_index))};
  }
  if (binding.cpus == "mask_cpu" && !binding.cpu_list.empty()) {
    places = bits_of(share_of(binding.cpu_list, local_index));
  }
  std::vector<std::uint32_t> cpus;
  for (const std::uint32_t place : places) cpus.push_back(usable[place % usable.size()]);
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string cpu_report(const TaskBinding& binding, const std::string& node, std::uint32_t task,
                       std::uint32_t local_index, std::uint32_t pid, const std::vector<std::uint32_t>& cpus) {
  const char* kind = binding.cpus == "rank"       ? "RANK"
                     : binding.cpus == "map_cpu"  ? "MAP "
                     : binding.cpus == "mask_cpu" ? "MASK"
                                                  : "NONE";
  return fmt::format("cpu-bind={} - {}, task {:2} {:2} [{}]: mask 0x{}{}\n", kind, node, task, local_index, pid,
                     mask_of(cpus), binding.cpus == "none" ? "" : " set");
}

std::string gpus_of_task(const TaskBinding& binding, std::uint32_t local_index, const std::string& all) {
  const std::vector<std::string> gpus = split_list(all);
  if (gpus.empty() || binding.gpu_list.empty()) return all;
  const auto count = static_cast<std::uint32_t>(gpus.size());
  std::vector<std::uint32_t> places;
  if (binding.gpus == "map_gpu") {
    places = {number_of(share_of(binding.gpu_list, local_index))};
  } else if (binding.gpus == "mask_gpu") {
    places = bits_of(share_of(binding.gpu_list, local_index));
  } else {
    const std::uint32_t each = std::max(1U, number_of(binding.gpu_list[0]));
    // "single": so many tasks share a GPU; "per_task": so many GPUs for each task.
    if (binding.gpus == "single") places = {local_index / each};
    for (std::uint32_t i = 0; i < each && binding.gpus == "per_task"; ++i) places.push_back(local_index * each + i);
  }
  std::vector<std::string> mine;
  for (const std::uint32_t place : places) {
    const std::string& gpu = gpus[place % count];
    if (std::find(mine.begin(), mine.end(), gpu) == mine.end()) mine.push_back(gpu);
  }
  return mine.empty() ? all : fmt::format("{}", fmt::join(mine, ","));
}

}  // namespace virga
