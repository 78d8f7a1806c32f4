#include "cli/job_placement_options.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <set>

#include "cli/job_limits.hpp"
#include "cli/messages.hpp"
#include "cli/step_distribution.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view known) { return same_word(word, known); });
}

Status invalid(const OptionInfo& row) {
  return fail(Code::invalid, std::string("Invalid --") + row.name + " specification");
}

/// "2", or "1-4" of which the least counts.
Result<std::uint32_t> least_of(std::string_view text) {
  if (text == "*") return 0U;
  return parse_count(text.substr(0, text.find('-')));
}

}  // namespace

Result<std::vector<std::string>> parse_node_names(std::string_view text) {
  if (text.find('/') != text.npos) {
    Result<std::vector<std::string>> names = read_node_file(std::string(text));
    if (names) return names;
    return fail(Code::refused, names.error().message.substr(0, names.error().message.find('\n')));
  }
  return expand_hostlist(text);
}

Result<std::vector<std::string>> read_node_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return fail(Code::invalid, "slurm_allocate_resources error opening file " + path +
                                   ", No such file or directory\nInvalid --nodefile node file");
  }
  std::vector<std::string> names;
  for (std::string word; file >> word;) {
    Result<std::vector<std::string>> some = expand_hostlist(word);
    if (!some) return unexpected(some.error());
    names.insert(names.end(), some->begin(), some->end());
  }
  return names;
}

Result<std::vector<License>> parse_licenses(std::string_view text) {
  std::vector<License> licenses;
  std::string with_commas(text);
  std::replace(with_commas.begin(), with_commas.end(), ';', ',');
  for (const std::string& part : split_list(with_commas)) {
    const std::size_t colon = std::min(part.find(':'), part.find('='));
    License license{.name = part.substr(0, colon), .count = 1};
    if (colon != std::string::npos) {
      const Result<std::uint32_t> count = parse_count(std::string_view(part).substr(colon + 1));
      if (!count || license.name.empty()) return fail(Code::invalid, "Invalid license specification");
      license.count = *count;
    }
    const auto known = std::find_if(licenses.begin(), licenses.end(),
                                    [&](const License& other) { return other.name == license.name; });
    if (known != licenses.end()) {
      known->count += std::min(license.count, 0xffffffff - known->count);
    } else if (license.count > 0) {
      licenses.push_back(std::move(license));
    }
  }
  return licenses;
}

Status set_node_list(JobOptions& o, std::string_view v, const OptionInfo&) {
  Result<std::vector<std::string>> names = parse_node_names(v);
  if (!names) return unexpected(names.error());
  o.node_list = std::move(*names);
  return {};
}

Status set_node_file(JobOptions& o, std::string_view v, const OptionInfo&) {
  Result<std::vector<std::string>> names = read_node_file(std::string(v));
  if (!names) return unexpected(names.error());
  o.node_list = std::move(*names);
  return {};
}

Status set_exclude(JobOptions& o, std::string_view v, const OptionInfo&) {
  Result<std::vector<std::string>> names = parse_node_names(v);
  if (!names) return unexpected(names.error());
  o.exclude = std::move(*names);
  return {};
}

Status set_licenses(JobOptions& o, std::string_view v, const OptionInfo&) {
  Result<std::vector<License>> licenses = parse_licenses(v);
  if (!licenses) return unexpected(licenses.error());
  o.licenses = std::move(*licenses);
  return {};
}

Status set_tmp(JobOptions& o, std::string_view v, const OptionInfo&) {
  const Result<std::uint64_t> bytes = parse_memory(v);
  if (!bytes) return fail(Code::invalid, "Invalid --tmp specification");
  o.tmp_bytes = *bytes;
  return {};
}

Status set_time_min(JobOptions& o, std::string_view v, const OptionInfo& row) {
  const Result<Duration> time = parse_time_limit(v);
  if (!time) return invalid(row);
  o.time_min = *time;
  return {};
}

Status set_kill_invalid(JobOptions& o, std::string_view v, const OptionInfo& row) {
  if (!is_one_of(v, {"yes", "no"})) return invalid(row);
  o.kill_on_invalid_dep = same_word(v, "yes");
  return {};
}

Status set_extra_info(JobOptions& o, std::string_view v, const OptionInfo& row) {
  const std::vector<std::string> parts = split_list(v, ':');
  if (parts.empty() || parts.size() > 3) return invalid(row);
  std::optional<std::uint32_t>* const targets[] = {&o.sockets_per_node, &o.cores_per_socket, &o.threads_per_core};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Result<std::uint32_t> count = least_of(parts[i]);
    if (!count) return invalid(row);
    if (*count > 0) *targets[i] = *count;
  }
  return {};
}

Status set_hint(JobOptions& o, std::string_view v, const OptionInfo&) {
  if (!is_one_of(v, {"compute_bound", "memory_bound", "multithread", "nomultithread"})) {
    return fail(Code::refused, fmt::format("unrecognized --hint argument \"{}\", see --hint=help", v));
  }
  // One core of each socket, and a node has one socket; with a thread a core the others ask for what there is.
  if (same_word(v, "memory_bound")) o.tasks_per_node = 1;
  return {};
}

Status set_tasks_per_tres(JobOptions& o, std::string_view v, const OptionInfo& row) {
  std::string_view count = v;
  if (count.starts_with("gres:")) count.remove_prefix(5);
  if (!count.starts_with("gpu:")) return invalid(row);
  const Result<std::uint32_t> tasks = parse_count(count.substr(4));
  if (!tasks || *tasks == 0) return invalid(row);
  o.tasks_per_gpu = *tasks;
  return {};
}

Status set_propagate(JobOptions& o, std::string_view v, const OptionInfo&) {
  if (Status ok = check_limit_names(v); !ok) return ok;
  o.propagate = v.empty() ? "ALL" : std::string(v);
  return {};
}

Status set_user(JobOptions& o, std::string_view v, const OptionInfo&) {
  const std::string name(v);
  const passwd* user = ::getpwnam(name.c_str());
  if (const Result<std::uint32_t> number = parse_count(v); user == nullptr && number) user = ::getpwuid(*number);
  if (user == nullptr) return fail(Code::invalid, "Invalid --uid specification");
  if (::getuid() != 0 && ::getuid() != user->pw_uid) {
    return fail(Code::invalid, "--uid only permitted by root user");
  }
  o.run_as_uid = user->pw_uid;
  return {};
}

Status set_group(JobOptions& o, std::string_view v, const OptionInfo&) {
  const std::string name(v);
  const group* found = ::getgrnam(name.c_str());
  if (const Result<std::uint32_t> number = parse_count(v); found == nullptr && number) found = ::getgrgid(*number);
  if (found == nullptr) return fail(Code::invalid, "Invalid --gid specification");
  if (::getuid() != 0 && ::getgid() != found->gr_gid) {
    return fail(Code::invalid, "--gid only permitted by root user");
  }
  o.run_as_gid = found->gr_gid;
  return {};
}

Status set_login_env(JobOptions& o, std::string_view v, const OptionInfo& row) {
  o.login_environment = true;
  std::string_view seconds = v;
  if (!seconds.empty() && (seconds.back() == 'S' || seconds.back() == 'L')) seconds.remove_suffix(1);
  if (seconds.empty()) return {};
  const Result<std::uint32_t> timeout = parse_count(seconds);
  if (!timeout || *timeout == 0) return invalid(row);
  o.login_environment_seconds = *timeout;
  return {};
}

Status set_clusters(JobOptions& o, std::string_view v, const OptionInfo&) {
  o.clusters = split_list(v);
  return {};
}

Status check_mem_bind(JobOptions&, std::string_view v, const OptionInfo&) {
  for (const std::string& part : split_list(v)) {
    const std::string word = part.substr(0, part.find(':'));
    if (is_one_of(word, {"none", "no", "local", "rank", "map_mem", "mask_mem", "sort", "nosort", "prefer", "p", "quiet",
                         "q", "verbose", "v"})) {
      continue;
    }
    if (std::all_of(word.begin(), word.end(), [](char c) { return std::isxdigit(static_cast<unsigned char>(c)); })) {
      continue;  // the rest of a list of masks
    }
    return fail(Code::invalid, fmt::format("unrecognized --mem-bind argument \"{}\"", v));
  }
  return {};
}

Status check_gres_flags(JobOptions&, std::string_view v, const OptionInfo& row) {
  return is_one_of(v, {"disable-binding", "enforce-binding"}) ? Status() : invalid(row);
}

Status check_distribution(JobOptions& o, std::string_view v, const OptionInfo&) {
  const char* plane = std::getenv("SLURM_DIST_PLANESIZE");
  const Result<Distribution> wanted = parse_distribution(v, plane != nullptr ? plane : "");
  if (!wanted) return unexpected(wanted.error());
  o.distribution = std::string(v);
  return {};
}

Status ignore_spec_resources(JobOptions&, std::string_view, const OptionInfo& row) {
  // The command line of sbatch is read twice: for its script, and over what that says.
  static std::set<std::string_view> told;
  if (!told.insert(row.name).second) return {};
  const std::string name = row.letter != 0 ? std::string("-") + row.letter : std::string("--") + row.name;
  print_error("sbatch", "Ignoring " + name + " since it's not allowed by configuration (AllowSpecResourcesUsage = No)");
  return {};
}

}  // namespace virga
