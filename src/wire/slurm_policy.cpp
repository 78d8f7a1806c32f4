#include "wire/slurm_policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

/// "12", "12_3", "12+5", "12_3+5"
Result<Dependency> parse_one(DependencyKind kind, std::string_view text, std::string_view whole) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::invalid, fmt::format("Job dependency problem: \"{}\" in \"{}\": {}", text, whole, why));
  };
  Dependency dependency{.kind = kind};
  std::string_view rest = text;
  if (const auto plus = rest.find('+'); plus != rest.npos) {
    const Result<std::uint32_t> minutes = parse_count(rest.substr(plus + 1));
    if (kind != DependencyKind::after) return bad("only after takes +minutes");
    if (!minutes || *minutes > 527'040) return bad("write +minutes, at most a year");
    dependency.delay = Duration::minutes(*minutes);
    rest = rest.substr(0, plus);
  }
  if (const auto line = rest.find('_'); line != rest.npos) {
    std::string_view index = rest.substr(line + 1);
    if (index != "*") {  // 12_* is the whole array, as 12 is
      const Result<std::uint32_t> task = parse_count(index);
      if (!task || *task > k_array_index_max) return bad("after the _ stands the index of an array's task");
      dependency.task = *task;
    }
    rest = rest.substr(0, line);
  }
  const Result<std::uint32_t> job = parse_count(rest);
  if (!job || *job == 0) return bad("write the number of a job, such as afterok:123");
  dependency.job = {*job};
  return dependency;
}

Status add_group(DependencyList& list, std::string_view group, std::string_view whole) {
  const auto colon = group.find(':');
  const std::string_view word = group.substr(0, colon);
  const auto kind = enum_from_name<DependencyKind>(word);
  if (!kind) {
    return fail(Code::invalid, fmt::format("Job dependency problem: unknown type \"{}\" in \"{}\"; known are after, "
                                           "afterany, afterok, afternotok, aftercorr, singleton",
                                           word, whole));
  }
  if (*kind == DependencyKind::singleton) {
    if (colon != group.npos) return fail(Code::invalid, "Job dependency problem: singleton names no job");
    list.all.push_back({.kind = *kind});
    return {};
  }
  if (colon == group.npos) {
    return fail(Code::invalid,
                fmt::format("Job dependency problem: {0} in \"{1}\" names no job; write {0}:JOBID", word, whole));
  }
  std::string_view rest = group.substr(colon + 1);
  while (true) {
    const auto end = rest.find(':');
    Result<Dependency> one = parse_one(*kind, rest.substr(0, end), whole);
    if (!one) return unexpected(one.error());
    list.all.push_back(*one);
    if (end == rest.npos) return {};
    rest.remove_prefix(end + 1);
  }
}

std::string text_of(const Dependency& d) {
  std::string text(name_of(d.kind));
  if (d.kind == DependencyKind::singleton) return text;
  text += fmt::format(":{}", d.job.value);
  if (d.task != k_no_array_task) text += fmt::format("_{}", d.task);
  if (d.kind == DependencyKind::aftercorr) text += "_*";
  if (d.delay.ns != 0) text += fmt::format("+{}", d.delay.whole_seconds() / 60);
  return text;
}

Result<IndexRange> parse_range(std::string_view text) {
  const auto bad = [] { return fail(Code::invalid, "no range"); };
  IndexRange range;
  std::string_view rest = text;
  if (const auto colon = rest.find(':'); colon != rest.npos) {
    const Result<std::uint32_t> step = parse_count(rest.substr(colon + 1));
    if (!step || *step == 0 || rest.find('-') == rest.npos) return bad();
    range.step = *step;
    rest = rest.substr(0, colon);
  }
  const auto dash = rest.find('-');
  const Result<std::uint32_t> first = parse_count(rest.substr(0, dash));
  const Result<std::uint32_t> last = dash == rest.npos ? first : parse_count(rest.substr(dash + 1));
  if (!first || !last || *last < *first || *last > k_array_index_max) return bad();
  range.first = *first;
  range.last = *first + (*last - *first) / range.step * range.step;  // 0-10:3 ends with 9
  if (range.last == range.first) range.step = 1;
  return range;
}

/// Overlapping ranges are written out and put together anew.
std::vector<IndexRange> normalised(std::vector<IndexRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  bool apart = true;
  for (std::size_t i = 1; i < ranges.size(); ++i) apart = apart && ranges[i].first > ranges[i - 1].last;
  if (apart) return ranges;
  return joined_ranges(ranges);
}

}  // namespace

std::vector<IndexRange> joined_ranges(const std::vector<IndexRange>& ranges) {
  std::vector<std::uint32_t> indices;
  for (const IndexRange& r : ranges) {
    for (std::uint32_t i = r.first; i <= r.last; i += r.step) indices.push_back(i);
  }
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  std::vector<IndexRange> result;
  for (const std::uint32_t i : indices) {
    if (!result.empty() && result.back().last + 1 == i) {
      result.back().last = i;
    } else {
      result.push_back({i, i, 1});
    }
  }
  return result;
}

Result<DependencyList> parse_dependencies(std::string_view text) {
  DependencyList list;
  const bool has_all = text.find(',') != text.npos;
  list.any = text.find('?') != text.npos;
  if (has_all && list.any) {
    return fail(Code::invalid, fmt::format("Job dependency problem: \"{}\" mixes , (all of them) and ? (one of them); "
                                           "use one of the two",
                                           text));
  }
  std::string_view rest = text;
  while (true) {
    const auto end = rest.find(list.any ? '?' : ',');
    if (Status ok = add_group(list, rest.substr(0, end), text); !ok) return unexpected(ok.error());
    if (end == rest.npos) return list;
    rest.remove_prefix(end + 1);
  }
}

std::string dependencies_text(const JobSpec& spec) {
  std::string text;
  for (const Dependency& d : spec.dependencies) {
    if (!text.empty()) text += spec.any_dependency ? '?' : ',';
    text += text_of(d);
  }
  return text;
}

std::string shown_dependencies(const Job& job) {
  const bool is_held = job.reason == Reason::held_user || job.reason == Reason::held_admin;
  const bool never = job.reason == Reason::dependency_never;
  if (job.state != JobState::pending || !(is_held || never || job.reason == Reason::dependency)) return {};
  std::string text;
  for (const Dependency& d : job.spec->dependencies) {
    if (!text.empty()) text += job.spec->any_dependency ? '?' : ',';
    text += text_of(d) + (never ? "(failed)" : "(unfulfilled)");
  }
  return text;
}

Result<ArraySpec> parse_array(std::string_view text) {
  const auto bad = [&] {
    return fail(Code::invalid, fmt::format("Invalid job array specification: \"{}\"; write indices up to {} such as "
                                           "0-9, 1,5,8 or 0-100:10, and %4 for at most 4 at a time",
                                           text, k_array_index_max));
  };
  ArraySpec array;
  std::string_view rest = text;
  if (const auto percent = rest.find('%'); percent != rest.npos) {
    const Result<std::uint32_t> limit = parse_count(rest.substr(percent + 1));
    if (!limit || *limit == 0) return bad();
    array.limit = *limit;
    rest = rest.substr(0, percent);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  std::uint64_t count = 0;
  while (true) {
    const auto end = rest.find(',');
    const Result<IndexRange> range = parse_range(rest.substr(0, end));
    if (!range) return bad();
    array.tasks.push_back(*range);
    count += count_of(*range);
    if (count > k_array_tasks_max) {
      return fail(Code::invalid,
                  fmt::format("Invalid job array specification: \"{}\": more than {} tasks", text, k_array_tasks_max));
    }
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  array.tasks = normalised(std::move(array.tasks));
  return array;
}

std::string array_text(const ArraySpec& array) {
  std::string text;
  for (const IndexRange& r : array.tasks) {
    if (!text.empty()) text += ',';
    text += std::to_string(r.first);
    if (r.last != r.first) text += fmt::format("-{}", r.last);
    if (r.last != r.first && r.step != 1) text += fmt::format(":{}", r.step);
  }
  if (array.limit != 0) text += fmt::format("%{}", array.limit);
  return text;
}

std::string job_label(const Job& job) {
  if (!job.array_job) return std::to_string(job.id.value);
  return fmt::format("{}_{}", job.array_job.value, job.array_task);
}

namespace {

struct MailWord {
  std::string_view word;
  std::uint32_t bits;
};
// In the order in which scontrol tells them.
constexpr MailWord k_mail_words[] = {
    {"ARRAY_TASKS", k_mail_array_tasks},
    {"INVALID_DEPEND", k_mail_invalid_dependency},
    {"BEGIN", k_mail_begin},
    {"END", k_mail_end},
    {"FAIL", k_mail_fail},
    {"REQUEUE", k_mail_requeue},
    {"STAGE_OUT", k_mail_stage_out},
    {"TIME_LIMIT_50", k_mail_time_50},
    {"TIME_LIMIT_80", k_mail_time_80},
    {"TIME_LIMIT_90", k_mail_time_90},
    {"TIME_LIMIT", k_mail_time_limit},
};
constexpr std::uint32_t k_mail_all =
    k_mail_invalid_dependency | k_mail_begin | k_mail_end | k_mail_fail | k_mail_requeue | k_mail_stage_out;

}  // namespace

std::optional<std::uint32_t> parse_mail_types(std::string_view text) {
  std::uint32_t types = 0;
  bool none = false;
  for (const std::string& word : split_list(text)) {
    const auto known = std::find_if(std::begin(k_mail_words), std::end(k_mail_words),
                                    [&](const MailWord& one) { return same_word(word, one.word); });
    if (same_word(word, "NONE")) {
      none = true;
    } else if (same_word(word, "ALL")) {
      types |= k_mail_all;
    } else if (known != std::end(k_mail_words)) {
      types |= known->bits;
    } else {
      return std::nullopt;
    }
  }
  return none ? 0 : types;
}

std::string shown_licenses(const JobSpec& spec) {
  std::string text;
  for (const License& license : spec.licenses) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", license.name, license.count);
  }
  return text;
}

std::string mail_types_text(std::uint32_t types) {
  std::string text;
  for (const MailWord& one : k_mail_words) {
    if ((types & one.bits) != 0) text.append(text.empty() ? "" : ",").append(one.word);
  }
  return text.empty() ? "NONE" : text;
}

std::int64_t shown_priority(const Job& job) {
  if (job.reason == Reason::held_user || job.reason == Reason::held_admin) return 0;
  if (job.spec->priority != k_no_priority) return job.spec->priority;
  return job.priority != 0 ? job.priority : std::int64_t{4'294'901'759} - job.id.value;
}

std::string_view shown_qos(const JobSpec& spec) { return spec.qos.empty() ? "normal" : std::string_view(spec.qos); }

Result<SwitchLimit> parse_switches(std::string_view text) {
  const auto at = text.find('@');
  SwitchLimit limit;
  const Result<std::uint32_t> count = parse_count(text.substr(0, at));
  const auto bad = [&] {
    return fail(Code::invalid, fmt::format("Invalid --switches specification: \"{}\"; write a number of switches, such "
                                           "as 2 or 2@1:00:00",
                                           text));
  };
  if (!count || *count == 0) return bad();
  limit.count = *count;
  if (at != text.npos) {
    const Result<Duration> wait = parse_time_limit(text.substr(at + 1));
    if (!wait) return bad();
    limit.wait = *wait;
  }
  return limit;
}

}  // namespace virga
