#include "cli/job_limits.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "wire/process_limits.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

std::string_view without_prefix(std::string_view name) {
  constexpr std::string_view k_prefix = "RLIMIT_";
  if (name.size() > k_prefix.size() && same_word(name.substr(0, k_prefix.size()), k_prefix)) {
    name.remove_prefix(k_prefix.size());
  }
  return name;
}

bool is_named(const std::vector<std::string>& names, std::string_view limit) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return same_word(name, "ALL") || same_word(without_prefix(name), limit);
  });
}

}  // namespace

Status check_limit_names(std::string_view names) {
  for (const std::string& name : split_list(names)) {
    if (same_word(name, "ALL") || same_word(name, "NONE")) continue;
    const auto limits = process_limits();
    const bool is_known = std::any_of(limits.begin(), limits.end(), [&](const ProcessLimit& limit) {
      return same_word(without_prefix(name), limit.name);
    });
    if (!is_known) {
      return fail(Code::refused, fmt::format("Bad rlimit name: {}\n--propagate={} is not valid.", name, names));
    }
  }
  return {};
}

std::vector<std::string> limit_variables(std::string_view names) {
  const std::vector<std::string> wanted = split_list(names);
  std::vector<std::string> variables;
  for (const ProcessLimit& limit : process_limits()) {
    rlimit value{};
    if (!is_named(wanted, limit.name) || ::getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &value) != 0) {
      continue;
    }
    const std::string text = value.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(value.rlim_cur);
    variables.push_back(fmt::format("{}{}={}", k_limit_variable, limit.name, text));
  }
  return variables;
}

}  // namespace virga
