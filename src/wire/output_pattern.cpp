// Expansion of Slurm's % letters in names of output files.
#include "wire/output_pattern.hpp"

#include <algorithm>

namespace virga {
namespace {

constexpr std::size_t k_width_max = 10;  // as in Slurm: %99j pads to ten digits

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string padded(std::uint32_t value, std::size_t width) {
  std::string text = std::to_string(value);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

/// What `letter` stands for; nothing if it is no letter of ours.
std::optional<std::string> meaning(char letter, std::size_t width, const OutputNames& names) {
  switch (letter) {
    case 'j':
      return padded(names.job, width);
    case 'A':
      return padded(names.array_job != 0 ? names.array_job : names.job, width);
    case 'J':
      return padded(names.job, width) + (names.step ? "." + std::to_string(*names.step) : "");
    case 'a':
      return padded(names.array_job != 0 ? names.array_task : k_no_array_task, width);
    case 'x':
      return names.job_name;
    case 'u':
      return names.user;
    case 'N':
      return names.node;
    case 'n':
      return padded(names.node_index, width);
    case 's':
      return names.step ? padded(*names.step, width) : std::string("batch");
    case 't':
      return padded(names.task, width);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string expand_output_pattern(std::string_view pattern, const OutputNames& names) {
  std::string out;
  if (pattern.find('\\') != std::string_view::npos) {
    std::copy_if(pattern.begin(), pattern.end(), std::back_inserter(out), [](char c) { return c != '\\'; });
    return out;
  }
  for (std::size_t i = 0; i < pattern.size();) {
    if (pattern[i] != '%' || i + 1 == pattern.size()) {
      out += pattern[i++];
      continue;
    }
    if (pattern[i + 1] == '%') {
      out += '%';
      i += 2;
      continue;
    }
    std::size_t letter = i + 1;
    std::size_t width = 0;
    for (; letter < pattern.size() && is_digit(pattern[letter]); ++letter) {
      width = std::min(width * 10 + static_cast<std::size_t>(pattern[letter] - '0'), k_width_max);
    }
    auto text = letter < pattern.size() ? meaning(pattern[letter], width, names) : std::nullopt;
    if (!text) {
      out += pattern[i++];
      continue;
    }
    out += *text;
    i = letter + 1;
  }
  return out;
}

OutputNames output_names_of(const Job& job) {
  OutputNames names;
  names.job = job.id.value;
  names.job_name = job.spec->name;
  names.user = job.owner.user;
  if (!job.nodes.empty()) names.node = job.nodes.front().name;
  names.array_job = job.array_job.value;
  names.array_task = job.array_task;
  return names;
}

std::string_view default_output_pattern(const Job& job) { return job.array_job ? "slurm-%A_%a.out" : "slurm-%j.out"; }

bool output_pattern_is_per_task(std::string_view pattern) {
  OutputNames one;
  one.job = 1;
  one.node = "a";
  one.step = 0;
  OutputNames two = one;
  two.node = "b";
  two.node_index = 1;
  two.task = 1;
  return expand_output_pattern(pattern, one) != expand_output_pattern(pattern, two);
}

}  // namespace virga
