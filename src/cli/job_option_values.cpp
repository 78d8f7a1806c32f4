// What the values of sbatch's and srun's options mean: one setter per option of the table.
#include <algorithm>

#include "cli/job_options.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

/// "4", "2k", "1m": a number of nodes.
Result<std::uint32_t> nodes_number(std::string_view text) {
  std::uint32_t times = 1;
  if (!text.empty() && (text.back() == 'k' || text.back() == 'K')) times = 1024;
  if (!text.empty() && (text.back() == 'm' || text.back() == 'M')) times = 1024 * 1024;
  if (times != 1) text.remove_suffix(1);
  Result<std::uint32_t> count = parse_count(text);
  if (!count || *count > 0x7FFFFFFF / times) return fail(Code::invalid, "no node count");
  return *count * times;
}

}  // namespace

Result<std::uint32_t> parse_node_count(std::string_view text) {
  const auto bad = [&] { return fail(Code::invalid, "\"" + std::string(text) + "\" is not a valid node count"); };
  const std::size_t dash = text.find('-');
  Result<std::uint32_t> least = nodes_number(text.substr(0, dash));
  if (!least) return bad();
  if (*least == 0) return fail(Code::invalid, "Node count specification invalid");
  if (dash == text.npos) return least;
  Result<std::uint32_t> most = nodes_number(text.substr(dash + 1));
  if (!most) return bad();
  if (*most < *least) {
    return fail(Code::invalid, "Maximum node count " + std::to_string(*most) + " is less than minimum node count " +
                                   std::to_string(*least));
  }
  return least;
}

Result<std::int32_t> parse_nice(std::string_view text) {
  if (text.empty()) return 100;
  const bool negative = text.front() == '-';
  const Result<std::uint32_t> size = parse_count(text.substr(negative ? 1 : 0));
  if (!size || *size > 2'147'483'645) {
    return fail(Code::invalid, "Invalid --nice value \"" + std::string(text) + "\"; write -2147483645 to 2147483645");
  }
  const auto value = static_cast<std::int32_t>(*size);
  return negative ? -value : value;
}

Result<std::uint32_t> parse_gpu_count(std::string_view text) {
  std::uint32_t sum = 0;
  for (const std::string& part : split_list(text)) {
    const std::size_t colon = part.rfind(':');
    Result<std::uint32_t> count = parse_count(std::string_view(part).substr(colon == part.npos ? 0 : colon + 1));
    if (!count || *count > 1'000'000 - sum) {
      return fail(Code::invalid, "Invalid generic resource (gres) specification: " + std::string(text));
    }
    sum += *count;
  }
  if (text.empty()) return fail(Code::invalid, "Invalid generic resource (gres) specification");
  return sum;
}

Result<std::uint32_t> parse_gres(std::string_view text) {
  if (same_word(text, "none")) return 0U;
  std::uint32_t sum = 0;
  for (const std::string& part : split_list(text)) {
    std::string_view rest = part;
    if (rest.starts_with("gres:")) rest.remove_prefix(5);
    if (rest != "gpu" && !rest.starts_with("gpu:")) {
      return fail(Code::invalid, "Invalid generic resource (gres) specification: " + part + " (nodes have gpu only)");
    }
    const std::size_t colon = rest.rfind(':');
    std::string_view last = colon == rest.npos ? "" : rest.substr(colon + 1);
    const bool is_type = last.empty() || last.front() < '0' || last.front() > '9';
    Result<std::uint32_t> count = is_type ? Result<std::uint32_t>(1U) : parse_gpu_count(last);
    const std::size_t colons = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), ':'));
    if (!count || colons > 2 || (is_type && colons == 2)) {
      return fail(Code::invalid, "Invalid generic resource (gres) specification: " + part);
    }
    sum += *count;
  }
  return sum;
}

Result<WarningSignal> parse_warning_signal(std::string_view text) {
  const auto bad = [] { return fail(Code::invalid, "Invalid --signal specification"); };
  WarningSignal warning;
  const std::size_t colon = text.find(':');
  if (colon != text.npos) {
    for (char flag : text.substr(0, colon)) {
      if (flag == 'B' || flag == 'b')
        warning.batch_shell_only = true;
      else if (flag != 'R' && flag != 'r')
        return bad();
    }
    text.remove_prefix(colon + 1);
  }
  const std::size_t at = text.find('@');
  Result<std::uint32_t> signal = parse_signal(text.substr(0, at));
  if (!signal) return bad();
  warning.signal = *signal;
  if (at != text.npos) {
    Result<std::uint32_t> seconds = parse_count(text.substr(at + 1));
    if (!seconds || *seconds > 65535) return bad();
    warning.before_end = Duration::seconds(*seconds);
  }
  return warning;
}

}  // namespace virga
