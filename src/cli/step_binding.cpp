#include "cli/step_binding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_repeats_max = 65'536;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// "3", "3*2", "0xff": with the number of times.
Status add_numbers(std::string_view text, bool hex, std::vector<std::string>& list) {
  std::string_view number = text.substr(0, text.find('*'));
  if (hex && (number.starts_with("0x") || number.starts_with("0X"))) number.remove_prefix(2);
  for (const char c : number) {
    if (hex ? is_hex(c) : is_digit(c)) continue;
    return fail(Code::invalid, fmt::format("Failed to validate number: {}, the offending character is {}", text, c));
  }
  std::uint32_t times = 1;
  if (const std::size_t star = text.find('*'); star != text.npos) {
    const Result<std::uint32_t> count = parse_count(text.substr(star + 1));
    if (!count || *count > k_repeats_max)
      return fail(Code::invalid, fmt::format("Failed to validate number: {}", text));
    times = *count;
  }
  list.insert(list.end(), times, std::string(number));
  return {};
}

/// A mask of `count` processors from `first` on, of `cpus`; hex.
std::string mask_of(std::uint32_t first, std::uint32_t count, std::uint32_t cpus) {
  std::string digits((cpus + 3) / 4, '0');
  for (std::uint32_t i = 0; i < std::min(count, cpus); ++i) {
    const std::uint32_t cpu = (first + i) % cpus;
    char& digit = digits[digits.size() - 1 - cpu / 4];
    const std::size_t value = std::string_view("0123456789abcdef").find(digit) | std::size_t{1} << cpu % 4;
    digit = "0123456789abcdef"[value];
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

/// The types that have no list, in one word each.
std::string plain_type(std::string_view word) {
  if (same_word(word, "none") || same_word(word, "no")) return "none";
  if (same_word(word, "rank")) return "rank";
  if (same_word(word, "cores") || same_word(word, "threads")) return "cores";
  // A node has one socket, board and memory domain: all of them come to the whole share.
  for (const std::string_view whole : {"sockets", "ldoms", "boards", "rank_ldom"}) {
    if (same_word(word, whole)) return "sockets";
  }
  return "";
}

}  // namespace

Result<CpuBind> parse_cpu_bind(std::string_view text) {
  CpuBind wish;
  bool in_list = false;
  const auto unknown = [](std::string_view word) {
    return fail(Code::invalid, fmt::format("unrecognized --cpu-bind argument \"{}\"", word));
  };
  const std::vector<std::string> words = split_list(text);
  if (words.empty()) return unknown(text);
  for (const std::string& word : words) {
    const std::size_t colon = word.find(':');
    const std::string name = word.substr(0, colon);
    if (same_word(word, "q") || same_word(word, "quiet")) {
      wish.verbose = in_list = false;
    } else if (same_word(word, "v") || same_word(word, "verbose")) {
      wish.verbose = wish.told = true;
      in_list = false;
    } else if (const std::string plain = plain_type(word); !plain.empty()) {
      wish.type = plain;
      wish.list.clear();
      wish.told = true;
      in_list = false;
    } else if (same_word(name, "map_cpu") || same_word(name, "mask_cpu") || same_word(name, "map_ldom") ||
               same_word(name, "mask_ldom")) {
      const std::string list = colon == word.npos ? "" : word.substr(colon + 1);
      if (list.empty()) return fail(Code::invalid, fmt::format("missing list for \"--cpu-bind={}:<list>\"", name));
      const bool domain = name.ends_with("ldom");
      wish.type = domain ? "sockets" : same_word(name, "map_cpu") ? "map_cpu" : "mask_cpu";
      wish.list.clear();
      wish.told = in_list = true;
      if (Status ok = add_numbers(list, !same_word(name, "map_cpu"), wish.list); !ok) return unexpected(ok.error());
      if (domain) wish.list.clear();
    } else if (in_list && is_hex(word[0])) {
      if (Status ok = add_numbers(word, wish.type != "map_cpu", wish.list); !ok) return unexpected(ok.error());
    } else {
      return unknown(name);
    }
  }
  return wish;
}

TaskBinding work_out(const CpuBind& wish, const NodeShare& share) {
  TaskBinding binding;
  binding.verbose = wish.verbose;
  binding.cpus = wish.type;
  binding.cpu_list = wish.list;
  const std::uint32_t cpus = std::max(1U, share.cpus);
  if (wish.type == "sockets") binding.cpu_list = {mask_of(0, cpus, cpus)};
  for (std::uint32_t task = 0; task < share.tasks && wish.type == "cores"; ++task) {
    const std::uint32_t each = std::max(1U, share.cpus_per_task);
    binding.cpu_list.push_back(mask_of(task * each % cpus, each, cpus));
  }
  if (wish.type == "cores" || wish.type == "sockets") binding.cpus = "mask_cpu";
  return binding;
}

std::vector<std::string> cpu_bind_variables(const CpuBind& wish, const TaskBinding& binding) {
  if (!wish.told) return {};
  const std::string verbose = wish.verbose ? "verbose" : "quiet";
  const bool has_list = binding.cpus == "map_cpu" || binding.cpus == "mask_cpu";
  // Masks that a user gave keep his form; those worked out here have that of Slurm's own.
  const bool ours = has_list && wish.type != binding.cpus;
  const std::string list = fmt::format("{}{}", ours ? "0x" : "", fmt::join(binding.cpu_list, ours ? ",0x" : ","));
  const std::string type = binding.cpus + (has_list ? ":" : "");
  std::string all = verbose;
  if (!type.empty()) all += "," + type + (has_list ? list : "");
  return {"SLURM_CPU_BIND=" + all, "SLURM_CPU_BIND_LIST=" + (has_list ? list : ""), "SLURM_CPU_BIND_TYPE=" + type,
          "SLURM_CPU_BIND_VERBOSE=" + verbose};
}

Status parse_gpu_bind(std::string_view text, TaskBinding& binding) {
  std::string_view rest = text;
  for (const std::string_view verbose : {"verbose,", "v,", "quiet,", "q,"}) {
    if (rest.starts_with(verbose)) rest.remove_prefix(verbose.size());
  }
  const std::size_t colon = rest.find(':');
  const std::string name(rest.substr(0, colon));
  const std::string list(colon == rest.npos ? "" : rest.substr(colon + 1));
  const auto wrong = [&] { return fail(Code::invalid, fmt::format("Invalid --gpu-bind argument: gpu:{}", text)); };
  // Where GPUs are near to is not known of a node: all of them are the closest.
  if (name == "none" || name == "closest") return {};
  if (name != "map_gpu" && name != "mask_gpu" && name != "single" && name != "per_task") return wrong();
  if (list.empty()) return wrong();
  std::vector<std::string> numbers;
  for (const std::string& part : split_list(list)) {
    if (Status ok = add_numbers(part, name == "mask_gpu", numbers); !ok) return wrong();
  }
  if (numbers.empty()) return wrong();
  binding.gpus = name;
  binding.gpu_list = std::move(numbers);
  return {};
}

}  // namespace virga
