#include "wire/process_limits.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>

namespace virga {
namespace {

constexpr ProcessLimit k_limits[] = {
    {"CPU", RLIMIT_CPU},         {"FSIZE", RLIMIT_FSIZE}, {"DATA", RLIMIT_DATA},   {"STACK", RLIMIT_STACK},
    {"CORE", RLIMIT_CORE},       {"RSS", RLIMIT_RSS},     {"NPROC", RLIMIT_NPROC}, {"NOFILE", RLIMIT_NOFILE},
    {"MEMLOCK", RLIMIT_MEMLOCK}, {"AS", RLIMIT_AS},
};

}  // namespace

std::span<const ProcessLimit> process_limits() { return k_limits; }

std::vector<LimitWish> take_limits(std::vector<std::string>& environment) {
  std::vector<LimitWish> wishes;
  for (const std::string& variable : environment) {
    if (!variable.starts_with(k_limit_variable)) continue;
    const std::string_view rest = std::string_view(variable).substr(k_limit_variable.size());
    const std::size_t equal = rest.find('=');
    for (const ProcessLimit& limit : k_limits) {
      if (rest.substr(0, equal) != limit.name || equal == rest.npos) continue;
      const std::string_view value = rest.substr(equal + 1);
      LimitWish wish{limit.resource, RLIM_INFINITY};
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), wish.soft);
      if (value == "unlimited" || (error == std::errc{} && end == value.data() + value.size())) wishes.push_back(wish);
    }
  }
  std::erase_if(environment, [](const std::string& variable) { return variable.starts_with(k_limit_variable); });
  return wishes;
}

void apply_limits(std::span<const LimitWish> wishes) {
  for (const LimitWish& wish : wishes) {
    const auto resource = static_cast<__rlimit_resource_t>(wish.resource);
    rlimit now{};
    if (getrlimit(resource, &now) != 0) continue;
    now.rlim_cur = std::min<rlim_t>(wish.soft, now.rlim_max);
    (void)setrlimit(resource, &now);
  }
}

}  // namespace virga
