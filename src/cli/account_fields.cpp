// Names and widths are Slurm 22.05's; what Virga does not count is empty.
#include "cli/account_fields.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>

#include "cli/lookups.hpp"
#include "wire/group_name.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_nodes.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using R = const AccountRow&;

constexpr const char* k_zero = "0";
constexpr const char* k_one = "1";

std::string number(std::int64_t n) { return std::to_string(n); }
std::string none(R) { return ""; }
template <const char* const& Text>
std::string fixed(R) {
  return Text;
}
/// Of the job itself; steps leave it empty.
std::string of(R r, const std::string& text) { return r.kind == AccountRow::Kind::job ? text : ""; }
template <const char* const& Text>
std::string of_job(R r) {
  return of(r, Text);
}

Time started(R r) { return r.step != nullptr ? r.step->started : r.job->started; }
Time ended(R r) {
  if (r.step != nullptr) return r.step->ended;
  return is_final(r.job->state) ? r.job->ended : Time{};
}
/// How long the job has stood still.
Duration suspended(R r) {
  return r.job->suspended_for + (r.job->suspended.is_set() ? r.now - r.job->suspended : Duration{});
}
Duration elapsed(R r) {
  if (!started(r).is_set() || r.job->state == JobState::pending) return {};
  const Time end = ended(r).is_set() ? ended(r) : r.now;
  const Duration all = end > started(r) ? end - started(r) : Duration{};
  const Duration still = r.step == nullptr ? suspended(r) : Duration{};
  return all > still ? all - still : Duration{};
}
Duration waited(R r) {
  const Time end = r.job->started.is_set() ? r.job->started : is_final(r.job->state) ? r.job->ended : r.now;
  return end > r.job->eligible ? end - r.job->eligible : Duration{};
}
std::int64_t asked_cpus(R r) { return std::int64_t{r.job->spec->per_node.cpus} * r.job->spec->nodes; }

std::uint64_t nodes_used(R r) {
  const std::uint64_t all = r.job->nodes.size();
  if (r.kind == AccountRow::Kind::batch) return std::min<std::uint64_t>(1, all);
  return r.step != nullptr ? std::min<std::uint64_t>(r.step->nodes, all) : all;
}
std::int64_t cpu_count(R r) { return static_cast<std::int64_t>(nodes_used(r)) * r.job->spec->per_node.cpus; }
Duration cpu_time(R r) { return elapsed(r) * cpu_count(r); }
/// The kernel counts the batch script and all steps together; the job's row sums them up.
Usage usage(R r) {
  if (r.kind == AccountRow::Kind::step) return r.step->usage;
  Usage sum = r.job->usage;
  if (r.kind == AccountRow::Kind::batch) return sum;
  for (const Step& step : r.job->steps) {
    sum.user_cpu = sum.user_cpu + step.usage.user_cpu;
    sum.system_cpu = sum.system_cpu + step.usage.system_cpu;
  }
  return sum;
}

std::string account(R r) { return r.job->spec->account; }
std::string cpus(R r) {
  const bool waits = r.kind == AccountRow::Kind::job && r.job->nodes.empty();
  return number(waits ? asked_cpus(r) : cpu_count(r));
}
std::string req_cpus(R r) { return r.kind == AccountRow::Kind::job ? number(asked_cpus(r)) : cpus(r); }
std::string req_nodes(R r) {
  return number(r.kind == AccountRow::Kind::job ? r.job->spec->nodes : static_cast<std::int64_t>(nodes_used(r)));
}
std::string node_count(R r) {
  // Slurm tells what a job asked for until it has it.
  if (r.kind == AccountRow::Kind::job && r.job->nodes.empty()) return number(r.job->spec->nodes);
  return number(static_cast<std::int64_t>(nodes_used(r)));
}
/// By their names; steps are not billed, and say what memory they were given though it be none.
std::string tres_by_name(R r, const Resources& share, std::uint64_t nodes) {
  std::string text;
  const auto add = [&](const std::string& part) { text.append(text.empty() ? "" : ",").append(part); };
  const bool is_job = r.kind == AccountRow::Kind::job;
  if (is_job) add(fmt::format("billing={}", share.cpus * nodes));
  add(fmt::format("cpu={}", share.cpus * nodes));
  if (share.gpus != 0) add(fmt::format("gres/gpu={}", share.gpus * nodes));
  if (share.memory_bytes != 0 || !is_job) add("mem=" + memory_text(share.memory_bytes * nodes));
  add(fmt::format("node={}", nodes));
  return text;
}
std::string alloc_tres(R r) { return nodes_used(r) == 0 ? "" : tres_by_name(r, r.job->spec->per_node, nodes_used(r)); }
/// Who asked for no memory may have all of his nodes'.
Resources asked_share(R r) {
  Resources share = r.job->spec->per_node;
  if (share.memory_bytes == 0) share.memory_bytes = r.node_memory;
  return share;
}
std::string asked_tres(R r) { return of(r, tres_by_name(r, asked_share(r), r.job->spec->nodes)); }
std::string asked_memory(R r) { return of(r, memory_text(asked_share(r).memory_bytes * r.job->spec->nodes)); }
/// The highest exit code of a step; signals do not count.
std::string derived_exit(R r) {
  std::uint32_t highest = 0;
  for (const Step& step : r.job->steps) highest = std::max(highest, step.exit.signal == 0 ? step.exit.code : 0);
  return of(r, fmt::format("{}:0", highest));
}
std::string frequency(R r) { return r.kind == AccountRow::Kind::batch ? "0" : "Unknown"; }
std::string exit_code(R r) {
  ExitStatus exit = r.step != nullptr ? r.step->exit : r.job->exit;
  // Who cancels a job is no failure of the job; its script was killed.
  const bool cancelled = r.step == nullptr && r.job->state == JobState::cancelled;
  if (cancelled) exit = r.kind == AccountRow::Kind::batch ? ExitStatus{0, 15} : ExitStatus{};
  return fmt::format("{}:{}", exit.code, exit.signal);
}
std::string job_id(R r) { return number(r.job->id.value); }
std::string with_step(R r, const std::string& job) {
  if (r.kind == AccountRow::Kind::batch) return job + ".batch";
  return r.kind == AccountRow::Kind::step ? fmt::format("{}.{}", job, r.step->id) : job;
}
std::string row_id(R r) {
  return r.array_tasks.empty() ? with_step(r, job_label(*r.job)) : number(r.job->array_job.value) + "_" + r.array_tasks;
}
std::string raw_row_id(R r) { return with_step(r, job_id(r)); }
std::string row_name(R r) {
  if (r.kind == AccountRow::Kind::batch) return "batch";
  return r.kind == AccountRow::Kind::step ? r.step->name : r.job->spec->name;
}
std::string node_list(R r) {
  if (r.job->nodes.empty()) return "None assigned";
  std::vector<std::string> names;
  for (std::size_t i = 0; i < nodes_used(r); ++i) names.push_back(r.job->nodes[i].name);
  return compress_hostlist(names);
}
std::string tasks(R r) {
  if (r.kind == AccountRow::Kind::job) return "";
  return number(r.kind == AccountRow::Kind::step ? r.step->tasks : 1);
}
std::string max_rss(R r) {
  if (r.kind == AccountRow::Kind::job) return "";
  const std::uint64_t bytes = usage(r).max_rss_bytes;
  return bytes == 0 ? "" : memory_text(bytes, 'K');
}
std::string average_cpu(R r) {
  if (r.kind == AccountRow::Kind::job) return "";
  const Usage u = usage(r);
  const std::int64_t shares = r.kind == AccountRow::Kind::step ? std::max<std::uint32_t>(1, r.step->tasks) : 1;
  return long_duration_text({(u.user_cpu + u.system_cpu).ns / shares});
}
/// Slurm deals in turn where there is at most one task for each node.
std::string layout(R r) {
  if (r.kind == AccountRow::Kind::job) return "";
  if (r.kind == AccountRow::Kind::batch) return "Unknown";
  return r.step->tasks <= r.step->nodes ? "Cyclic" : "Block";
}
std::string limit_minutes(R r) {
  const Duration limit = r.job->spec->time_limit;
  return of(r, limit.is_infinite() ? "UNLIMITED" : number((limit.whole_seconds() + 59) / 60));
}

constexpr AccountField k_fields[] = {
    {"Account", 10, account},
    {"AdminComment", 15, none},
    {"AllocCPUS", 10, cpus},
    {"AllocNodes", 10, node_count},
    {"AllocTRES", 10, alloc_tres},
    {"AssocID", 7, fixed<k_zero>},
    {"AveCPU", 10, average_cpu},
    {"AveCPUFreq", 10, none},
    {"AveDiskRead", 14, none},
    {"AveDiskWrite", 14, none},
    {"AvePages", 10, none},
    {"AveRSS", 10, none},
    {"AveVMSize", 10, none},
    {"BlockID", 16, none},
    {"Cluster", 10, [](R r) { return r.cluster; }},
    {"Comment", 14, [](R r) { return of(r, r.job->spec->comment); }},
    {"Constraints", 19, none},
    {"ConsumedEnergy", 14, fixed<k_zero>},
    {"ConsumedEnergyRaw", 17, fixed<k_zero>},
    {"Container", 19, none},
    {"CPUTime", 10, [](R r) { return long_duration_text(cpu_time(r)); }},
    {"CPUTimeRAW", 10, [](R r) { return number(cpu_time(r).whole_seconds()); }},
    {"DBIndex", -10, job_id},
    {"DerivedExitCode", 15, derived_exit},
    {"Elapsed", 10, [](R r) { return long_duration_text(elapsed(r)); }},
    {"ElapsedRaw", 10, [](R r) { return number(elapsed(r).whole_seconds()); }},
    {"Eligible", 19,
     [](R r) { return local_time_text(r.kind == AccountRow::Kind::job ? r.job->eligible : started(r)); }},
    {"End", 19, [](R r) { return local_time_text(ended(r)); }},
    {"ExitCode", 8, exit_code},
    {"Flags", 19, none},
    {"GID", 6, [](R r) { return of(r, number(r.job->owner.gid)); }},
    {"Group", 9, [](R r) { return of(r, group_name(r.job->owner.gid)); }},
    {"JobID", -12, row_id},
    {"JobIDRaw", -12, raw_row_id},
    {"JobName", 10, row_name},
    {"Layout", 9, layout},
    {"MaxDiskRead", 12, none},
    {"MaxDiskReadNode", 15, none},
    {"MaxDiskReadTask", 15, none},
    {"MaxDiskWrite", 12, none},
    {"MaxDiskWriteNode", 16, none},
    {"MaxDiskWriteTask", 16, none},
    {"MaxPages", 8, none},
    {"MaxPagesNode", 12, none},
    {"MaxPagesTask", 14, none},
    {"MaxRSS", 10, max_rss},
    {"MaxRSSNode", 10, none},
    {"MaxRSSTask", 10, none},
    {"MaxVMSize", 10, none},
    {"MaxVMSizeNode", 14, none},
    {"MaxVMSizeTask", 14, none},
    {"McsLabel", 12, none},
    {"MinCPU", 10, none},
    {"MinCPUNode", 10, none},
    {"MinCPUTask", 10, none},
    {"NCPUS", 10, cpus},
    {"NNodes", 8, node_count},
    {"NodeList", 15, node_list},
    {"NTasks", 8, tasks},
    {"Partition", 10, [](R r) { return of(r, r.job->spec->partition); }},
    {"Priority", 10, [](R r) { return of(r, number(shown_priority(*r.job))); }},
    {"QOS", 10, [](R r) { return of(r, std::string(shown_qos(r.job->spec))); }},
    {"QOSRAW", 6, of_job<k_one>},
    {"Reason", 22, [](R r) { return of(r, std::string(slurm_reason(*r.job))); }},
    {"ReqCPUFreq", 10, frequency},
    {"ReqCPUFreqGov", 13, frequency},
    {"ReqCPUFreqMax", 13, frequency},
    {"ReqCPUFreqMin", 13, frequency},
    {"ReqCPUS", 8, req_cpus},
    {"ReqMem", 10, asked_memory},
    {"ReqNodes", 8, req_nodes},
    {"ReqTRES", 10, asked_tres},
    {"Reservation", 20, [](R r) { return of(r, r.job->spec->reservation); }},
    {"ReservationId", 8, none},
    {"Reserved", 10, [](R r) { return of(r, long_duration_text(waited(r))); }},
    {"ResvCPU", 10, [](R r) { return of(r, long_duration_text(waited(r) * asked_cpus(r))); }},
    {"ResvCPURAW", 10, [](R r) { return of(r, number((waited(r) * asked_cpus(r)).whole_seconds())); }},
    {"Start", 19,
     [](R r) {  // of a job that ended before it began: there is none
       const bool never = is_final(r.job->state) && !r.job->started.is_set() && r.step == nullptr;
       return local_time_text(started(r), never ? "None" : "Unknown");
     }},
    {"State", 10, account_state},
    {"Submit", 19,
     [](R r) { return local_time_text(r.kind == AccountRow::Kind::job ? r.job->submitted : started(r)); }},
    {"SubmitLine", 20, [](R r) { return of(r, r.job->spec->command); }},
    {"Suspended", 10, [](R r) { return long_duration_text(suspended(r)); }},
    {"SystemComment", 15, none},
    {"SystemCPU", 10, [](R r) { return cpu_time_text(usage(r).system_cpu); }},
    {"Timelimit", 10, [](R r) { return of(r, time_limit_text(r.job->spec->time_limit, "UNLIMITED", true)); }},
    {"TimelimitRaw", 10, limit_minutes},
    {"TotalCPU", 10, [](R r) { return cpu_time_text(usage(r).user_cpu + usage(r).system_cpu); }},
    {"TRESUsageInAve", 14, none},
    {"TRESUsageInMax", 14, none},
    {"TRESUsageInMaxNode", 18, none},
    {"TRESUsageInMaxTask", 18, none},
    {"TRESUsageInMin", 14, none},
    {"TRESUsageInMinNode", 18, none},
    {"TRESUsageInMinTask", 18, none},
    {"TRESUsageInTot", 14, none},
    {"TRESUsageOutAve", 15, none},
    {"TRESUsageOutMax", 15, none},
    {"TRESUsageOutMaxNode", 19, none},
    {"TRESUsageOutMaxTask", 19, none},
    {"TRESUsageOutMin", 15, none},
    {"TRESUsageOutMinNode", 19, none},
    {"TRESUsageOutMinTask", 19, none},
    {"TRESUsageOutTot", 15, none},
    {"UID", 6, [](R r) { return of(r, number(r.job->owner.uid)); }},
    {"User", 9, [](R r) { return of(r, r.job->owner.user); }},
    {"UserCPU", 10, [](R r) { return cpu_time_text(usage(r).user_cpu); }},
    {"WCKey", 10, none},
    {"WCKeyID", 10, of_job<k_zero>},
    {"WorkDir", 20, [](R r) { return of(r, r.job->spec->work_dir); }},
};

}  // namespace

std::span<const AccountField> account_fields() { return k_fields; }

Result<std::vector<AccountColumn>> parse_account_format(std::string_view text) {
  std::vector<ColumnName> names;
  for (const AccountField& field : k_fields) names.push_back({field.name, field.width});
  Result<std::vector<NamedColumn>> parsed = parse_columns(text, names);
  if (!parsed) return fail(Code::invalid, "Invalid field requested: \"" + parsed.error().message + "\"");
  std::vector<AccountColumn> columns;
  for (const NamedColumn& column : *parsed) columns.push_back({&k_fields[column.field], column.width});
  return columns;
}

std::string render_accounts(const std::vector<AccountColumn>& columns, const std::vector<AccountRow>& rows,
                            const ColumnStyle& style) {
  std::vector<NamedColumn> named;
  for (const AccountColumn& column : columns) {
    named.push_back({static_cast<std::size_t>(column.field - &k_fields[0]), column.width, column.field->name});
  }
  std::string out = column_header(named, style);
  for (const AccountRow& row : rows) {
    std::vector<Cell> cells;
    for (const AccountColumn& column : columns) cells.emplace_back(column.field->text(row));
    out += column_line(cells, named, style);
  }
  return out;
}

void add_account_rows(const Job& job, const std::string& cluster, Time now, bool jobs_only,
                      std::vector<AccountRow>& rows) {
  rows.push_back({&job, nullptr, AccountRow::Kind::job, cluster, now});
  if (jobs_only) return;
  const bool has_batch = job.spec->kind == JobKind::batch && job.started.is_set() && !job.nodes.empty();
  if (has_batch) rows.push_back({&job, nullptr, AccountRow::Kind::batch, cluster, now});
  for (const Step& step : job.steps) rows.push_back({&job, &step, AccountRow::Kind::step, cluster, now});
}

std::string account_state(const AccountRow& r) {
  const ExitStatus exit = r.step != nullptr ? r.step->exit : r.job->exit;
  const bool ended = is_final(r.step != nullptr ? r.step->state : r.job->state);
  // What a signal ended is cancelled, though the job as such has failed.
  if (r.kind != AccountRow::Kind::job && ended && exit.signal != 0) return "CANCELLED";
  if (r.step != nullptr) return std::string(name_of(r.step->state));
  std::string state(slurm_state(*r.job));
  constexpr std::string_view k_by = "cancelled by ";
  if (r.kind != AccountRow::Kind::job || r.job->state != JobState::cancelled || !r.job->detail.starts_with(k_by)) {
    return state;
  }
  std::optional<std::uint32_t> uid = uid_of(r.job->detail.substr(k_by.size()));
  return uid ? fmt::format("{} by {}", state, *uid) : state;
}

}  // namespace virga
