// sacct: the accounting records of jobs, living and ended, in Slurm's tables or as its JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "cli/account_fields.hpp"
#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/job_fields.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/encodings.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_yaml.hpp"

namespace virga {
namespace {

/// "4", or "2-8": so many.
struct CountRange {
  std::uint32_t least = 0;
  std::uint32_t most = 0xffffffff;

  bool admits(std::uint64_t count) const { return count >= least && count <= most; }
};

struct SacctOptions {
  std::vector<std::string> jobs;
  std::vector<std::string> users;
  std::vector<std::string> accounts;
  std::vector<std::string> partitions;
  std::vector<std::string> names;
  std::vector<std::string> groups;
  std::vector<std::string> qos;
  std::vector<std::string> wckeys;
  std::vector<std::string> constraints;
  std::vector<std::string> reasons;
  std::vector<std::string> clusters;
  CountRange nodes;
  CountRange cpus;
  Duration time_limit_min;
  Duration time_limit_max = Duration::infinite();
  bool truncate = false;
  std::string node_list;
  std::string states;
  std::string start;
  std::string end;
  std::string format;
  std::string delimiter = "|";
  bool all_users = false;
  bool jobs_only = false;
  bool brief = false;
  bool long_list = false;
  bool no_header = false;
  bool parsable = false;
  bool parsable2 = false;
  std::string associations;
  bool completion = false;
  std::string completion_file;
  bool json = false;
  bool yaml = false;
  bool help_format = false;
  bool batch_script = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SacctOptions;

constexpr const char* k_one_cluster = "there is one cluster";

/// -j given twice means both lists.
Status add_jobs(O& o, std::string_view v, const OptionInfo&) {
  for (std::string& job : split_list(v)) o.jobs.push_back(std::move(job));
  return {};
}

template <auto Member>
Status set_range(O& o, std::string_view v, const OptionInfo& row) {
  const std::size_t dash = v.find('-');
  const Result<std::uint32_t> least = parse_count(v.substr(0, dash));
  const Result<std::uint32_t> most = dash == v.npos ? least : parse_count(v.substr(dash + 1));
  if (!least || !most || *most < *least) {
    return fail(Code::invalid, fmt::format("Invalid --{} specification: \"{}\"; write a number, or 2-8", row.name, v));
  }
  o.*Member = {*least, *most};
  return {};
}

template <auto Member>
Status set_limit(O& o, std::string_view v, const OptionInfo& row) {
  const Result<Duration> limit = parse_time_limit(v);
  if (!limit) return fail(Code::invalid, fmt::format("Invalid --{} specification: \"{}\"", row.name, v));
  o.*Member = *limit;
  return {};
}

Status set_yaml(O& o, std::string_view, const OptionInfo&) {
  o.json = o.yaml = true;
  return {};
}

std::string as_asked(std::string json, const O& o) { return o.yaml ? slurm_yaml(json) : std::move(json) + "\n"; }

constexpr Option<O> k_table[] = {
    {{"accounts", 'A', Takes::value, Support::done, "list", "accounts to show"}, set_list<&O::accounts>},
    {{"allclusters", 'L', Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"allocations", 'X', Takes::nothing, Support::done, "", "jobs without their steps"}, set_flag<&O::jobs_only>},
    {{"allusers", 'a', Takes::nothing, Support::done, "", "everybody's jobs"}, set_flag<&O::all_users>},
    {{"associations", 'x', Takes::value, Support::done, "list", "jobs of these associations: none has any"},
     set_text<&O::associations>},
    {{"batch-script", 'B', Takes::nothing, Support::done, "", "the scripts of the jobs of -j"},
     set_flag<&O::batch_script>},
    {{"brief", 'b', Takes::nothing, Support::done, "", "JobID, State and ExitCode"}, set_flag<&O::brief>},
    {{"cluster", 'M', Takes::value, Support::done, "names", "of this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "of this cluster, or all"}, set_list<&O::clusters>},
    {{"completion", 'c', Takes::nothing, Support::quiet, "", "ends as in Slurm without job completion records"},
     set_flag<&O::completion>},
    {{"constraints", 'C', Takes::value, Support::done, "list", "jobs that asked for these features"},
     set_list<&O::constraints>},
    {{"delimiter", 0, Takes::value, Support::done, "text", "between the columns of -p and -P"},
     set_text<&O::delimiter>},
    {{"duplicates", 'D', Takes::nothing, Support::quiet, "", "a requeued job is shown as it is now"}},
    {{"endtime", 'E', Takes::value, Support::done, "time", "jobs that began before; default: now"}, set_text<&O::end>},
    {{"env-vars", 0, Takes::nothing, Support::refused, "", "environments are not kept in the accounts"}},
    {{"federation", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"fields", 'o', Takes::value, Support::done, "list", "the same as --format"}, set_text<&O::format>},
    {{"file", 'f', Takes::value, Support::quiet, "file", "the same; the file must be there"},
     set_text<&O::completion_file>},
    {{"flags", 'F', Takes::value, Support::ignored, "list", "jobs have no flags"}},
    {{"format", 'o', Takes::value, Support::done, "list", "columns: JobID%20,State"}, set_text<&O::format>},
    {{"gid", 'g', Takes::value, Support::done, "list", "groups whose jobs to show"}, set_list<&O::groups>},
    {{"group", 'g', Takes::value, Support::done, "list", "groups whose jobs to show"}, set_list<&O::groups>},
    {{"help", 'h', Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"help-fields", 'e', Takes::nothing, Support::done, "", "the columns that there are"}, set_flag<&O::help_format>},
    {{"helpformat", 'e', Takes::nothing, Support::done, "", "the columns that there are"}, set_flag<&O::help_format>},
    {{"jobs", 'j', Takes::value, Support::done, "list", "jobs or steps to show"}, add_jobs},
    {{"json", 0, Takes::nothing, Support::done, "", "as Slurm's JSON (dbv0.0.38)"}, set_flag<&O::json>},
    {{"local", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"long", 'l', Takes::nothing, Support::done, "", "many columns"}, set_flag<&O::long_list>},
    {{"name", 0, Takes::value, Support::done, "list", "names of jobs to show"}, set_list<&O::names>},
    {{"ncpus", 'I', Takes::value, Support::done, "min[-max]", "jobs of so many processors"}, set_range<&O::cpus>},
    {{"nnodes", 'i', Takes::value, Support::done, "min[-max]", "jobs of so many nodes"}, set_range<&O::nodes>},
    {{"noconvert", 0, Takes::nothing, Support::quiet, "", "units stay as they are"}},
    {{"nodelist", 'N', Takes::value, Support::done, "hosts", "jobs on these nodes"}, set_text<&O::node_list>},
    {{"noheader", 'n', Takes::nothing, Support::done, "", "no first lines"}, set_flag<&O::no_header>},
    {{"parsable", 'p', Takes::nothing, Support::done, "", "columns between |, one at the end"}, set_flag<&O::parsable>},
    {{"parsable2", 'P', Takes::nothing, Support::done, "", "columns between |, none at the end"},
     set_flag<&O::parsable2>},
    {{"partition", 'r', Takes::value, Support::done, "list", "partitions to show"}, set_list<&O::partitions>},
    {{"qos", 'q', Takes::value, Support::done, "list", "jobs of these QOS"}, set_list<&O::qos>},
    {{"reason", 0, Takes::value, Support::done, "list", "jobs that waited for these reasons"}, set_list<&O::reasons>},
    {{"starttime", 'S', Takes::value, Support::done, "time", "jobs that ended later; default: midnight"},
     set_text<&O::start>},
    {{"state", 's', Takes::value, Support::done, "list", "states to show"}, set_text<&O::states>},
    {{"timelimit-max", 'K', Takes::value, Support::done, "time", "the upper end of --timelimit-min"},
     set_limit<&O::time_limit_max>},
    {{"timelimit-min", 'k', Takes::value, Support::done, "time", "jobs with a limit of this, or in between"},
     set_limit<&O::time_limit_min>},
    {{"", 't', Takes::nothing, Support::refused, "", "Slurm has no use for it either"}},
    {{"truncate", 'T', Takes::nothing, Support::done, "", "times are cut to --starttime and --endtime"},
     set_flag<&O::truncate>},
    {{"uid", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"units", 0, Takes::value, Support::ignored, "KMGTP", "units are chosen by size"}},
    {{"usage", 'U', Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"use-local-uid", 0, Takes::nothing, Support::quiet, "", "users are this machine's"}},
    {{"user", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"wckeys", 'W', Takes::value, Support::done, "list", "jobs of these workload keys"}, set_list<&O::wckeys>},
    {{"whole-hetjob", 0, Takes::optional, Support::quiet, "yes|no", "there are no heterogeneous jobs"}},
    {{"yaml", 0, Takes::nothing, Support::done, "", "the same in YAML"}, set_yaml},
};
constexpr InputVariable k_variables[] = {
    {"SACCT_FEDERATION", "federation"},
    {"SACCT_FORMAT", "format"},
    {"SACCT_LOCAL", "local"},
    {"SLURM_TIME_FORMAT", "", Support::done, "relative, standard or a form of strftime"},
    {"SLURM_BITSTR_LEN", "", Support::ignored, "lists of tasks are shown whole"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_sacct = {"sacct", "[OPTIONS]", 1};

constexpr const char* k_default_format = "jobid,jobname,partition,account,alloccpus,state,exitcode";
constexpr const char* k_brief_format = "jobid,state,exitcode";
constexpr const char* k_long_format =
    "jobid,jobidraw,jobname,partition,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,"
    "averss,maxpages,maxpagesnode,maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,alloccpus,elapsed,"
    "state,exitcode,avecpufreq,reqcpufreqmin,reqcpufreqmax,reqcpufreqgov,reqmem,consumedenergy,maxdiskread,"
    "maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite,reqtres,"
    "alloctres,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,tresusageinminnode,"
    "tresusageinmintask,tresusageintot,tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutave,"
    "tresusageouttot";

/// Of one limit, or of those from one to the other.
bool has_limit(const O& o, const Job& job) {
  const Duration limit = job.spec->time_limit;
  if (o.time_limit_min == Duration{}) return true;
  if (o.time_limit_max.is_infinite()) return limit == o.time_limit_min;
  return limit >= o.time_limit_min && limit <= o.time_limit_max;
}

/// Which records, worked out once from the options.
struct Wanted {
  std::vector<JobId> jobs;
  std::vector<JobRef> refs;        ///< the same, with the tasks of arrays
  std::vector<std::string> steps;  ///< "7.batch": rows of these ids only; empty: all
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids;
  StateFilter states;
  Time from;
  Time until = Time::never();
  std::vector<std::string> nodes;
};

Result<std::vector<std::uint32_t>> uids_of(const O& o) {
  std::vector<std::uint32_t> uids;
  for (const std::string& user : o.users) {
    std::optional<std::uint32_t> uid = uid_of(user);
    if (!uid) return fail(Code::invalid, "Invalid user id: " + user);
    uids.push_back(*uid);
  }
  const bool everybody = o.all_users || !o.jobs.empty() || ::getuid() == 0;
  if (uids.empty() && !everybody) uids.push_back(::getuid());
  return uids;
}

Status read_times(const O& o, Wanted& wanted) {
  const Time now = Time::from_seconds(std::time(nullptr));
  const std::string start = !o.start.empty() ? o.start : o.jobs.empty() ? "midnight" : "";
  for (const auto& [text, to] : {std::pair{start, &wanted.from}, std::pair{o.end, &wanted.until}}) {
    if (text.empty()) continue;
    Result<Time> time = parse_local_time(text, now);
    if (!time) return unexpected(time.error());
    *to = *time;
  }
  return {};
}

Result<Wanted> wanted_of(const O& o) {
  Wanted wanted;
  for (const std::string& text : o.jobs) {
    std::optional<std::uint32_t> number = job_number(text);
    if (!number) return fail(Code::corrupt, "Bad job/step specified: " + text);
    wanted.jobs.push_back({*number});
    for (const JobRef& ref : job_refs(text)) wanted.refs.push_back(ref);
    if (text.find('.') != text.npos) wanted.steps.push_back(text);
  }
  Result<std::vector<std::uint32_t>> uids = uids_of(o);
  if (!uids) return unexpected(uids.error());
  wanted.uids = std::move(*uids);
  for (const std::string& name : o.groups) {
    const std::optional<std::uint32_t> gid = gid_of(name);
    if (!gid) return fail(Code::invalid, "Invalid group id: " + name);
    wanted.gids.push_back(*gid);
  }
  tl::expected<StateFilter, BadWord> states = parse_states(o.states);
  if (!states) return fail(Code::corrupt, "unrecognized job state value '" + states.error().word + "'");
  wanted.states = *states;
  if (o.states.empty()) wanted.states.all = true;
  if (Status ok = read_times(o, wanted); !ok) return unexpected(ok.error());
  if (!o.node_list.empty()) {
    Result<std::vector<std::string>> nodes = expand_hostlist(o.node_list);
    if (!nodes) return unexpected(nodes.error());
    wanted.nodes = std::move(*nodes);
  }
  return wanted;
}

std::string target_of(const Wanted& wanted) {
  std::string query;
  const auto add = [&](std::string_view key, const std::string& value) {
    query += (query.empty() ? "?" : "&") + std::string(key) + "=" + value;
  };
  std::string ids;
  for (JobId id : wanted.jobs) ids.append(ids.empty() ? "" : ",").append(std::to_string(id.value));
  if (!ids.empty()) add("ids", ids);
  if (wanted.uids.size() == 1) add("uid", std::to_string(wanted.uids.front()));
  if (wanted.from.is_set()) add("ended_after", percent_encoded(iso8601(wanted.from)));
  if (!wanted.until.is_never()) add("started_before", percent_encoded(iso8601(wanted.until)));
  return "/v1/accounting/jobs" + query;
}

template <class List, class Item>
bool admits(const List& list, const Item& item) {
  return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
}

bool is_wanted(const Job& job, const O& o, const Wanted& wanted) {
  const bool on_nodes =
      wanted.nodes.empty() || std::any_of(job.nodes.begin(), job.nodes.end(),
                                          [&](const JobNode& node) { return admits(wanted.nodes, node.name); });
  const auto is_named = [&](const JobRef& ref) { return ref.names(job); };
  const bool named = wanted.refs.empty() || std::any_of(wanted.refs.begin(), wanted.refs.end(), is_named);
  return named && on_nodes && wanted.states.admits(job) && admits(wanted.uids, job.owner.uid) &&
         admits(o.accounts, job.spec->account) && admits(o.partitions, job.spec->partition) &&
         admits(o.names, job.spec->name) && admits(wanted.gids, job.owner.gid) && admits(o.qos, job.spec->qos) &&
         admits(o.wckeys, job.spec->wckey) && admits(o.constraints, job.spec->placement.features) &&
         admits(o.reasons, slurm_reason(job.reason)) && o.nodes.admits(job.spec->nodes) &&
         o.cpus.admits(std::uint64_t{job.spec->nodes} * job.spec->per_node.cpus) && has_limit(o, job);
}

int print_scripts(Client& client, const Wanted& wanted) {
  for (JobId id : wanted.jobs) {
    Result<std::string> script = client.get(fmt::format("/v1/jobs/{}/script", id.value));
    if (!script && script.error().code == Code::unavailable) return failed("sacct", script.error());
    print_out(
        fmt::format("Batch Script for {}\n{}\n{}\n", id.value, std::string(80, '-'), script ? *script : "NONE\n"));
  }
  return k_exit_ok;
}

int help_format() {
  std::string text;
  std::size_t place = 0;
  for (const AccountField& field : account_fields()) {
    if (place != 0) text += place % 4 == 0 ? "\n" : " ";
    text += fmt::format("{:<19}", field.name);
    ++place;
  }
  text += "\n";
  return print_out(text) ? k_exit_ok : k_exit_failure;
}

/// Of the first pool of the partition; 0 if there is no such partition any more.
std::uint64_t memory_of_nodes(const Config& config, const std::string& name) {
  for (const Partition& partition : config.partitions) {
    if (partition.name != name) continue;
    for (const Pool& pool : config.pools) {
      if (pool.name == partition.pools.front()) return pool.sku.resources.memory_bytes;
    }
  }
  return 0;
}

/// Why Slurm without records of job completion would answer nothing; empty: it answers.
std::string completion_error(const O& o) {
  if (!o.completion_file.empty() && ::access(o.completion_file.c_str(), F_OK) != 0) {
    return o.completion_file + " is not a valid file";
  }
  return o.completion ? "Slurm job completion is disabled" : "";
}

int show(Client& client, const O& o, const Wanted& wanted, const std::vector<AccountColumn>& columns) {
  Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
  if (!ping) return failed("sacct", ping.error());
  Result<JobsBody> body = client.get_as<JobsBody>(target_of(wanted));
  if (!body) return failed("sacct", body.error());
  if (!o.associations.empty()) body->jobs.clear();  // no job has one
  std::erase_if(body->jobs, [&](const Job& job) { return !is_wanted(job, o, wanted); });
  std::stable_sort(body->jobs.begin(), body->jobs.end(), [](const Job& a, const Job& b) { return a.id < b.id; });
  for (Job& job : body->jobs) {
    if (!o.truncate) break;
    if (job.started.is_set()) job.started = std::max(job.started, wanted.from);
    if (job.ended.is_set()) job.ended = std::min(job.ended, wanted.until);
  }
  const Time now = body->now.is_set() ? body->now : Time::from_seconds(std::time(nullptr));
  if (o.json)
    return print_out(as_asked(slurm_accounts_json(body->jobs, {ping->cluster, now}), o)) ? k_exit_ok : k_exit_failure;
  std::vector<AccountRow> rows;
  std::vector<JobRow> jobs;
  for (const Job& job : body->jobs) jobs.push_back({&job, nullptr, now});
  join_tasks(jobs);
  for (const JobRow& job : jobs) {
    const std::size_t first = rows.size();
    add_account_rows(*job.job, ping->cluster, now, o.jobs_only, rows);
    rows[first].array_tasks = job.array_tasks;
  }
  const bool tells_memory = std::any_of(columns.begin(), columns.end(), [](const AccountColumn& column) {
    const std::string_view name = column.field->name;
    return name == "ReqMem" || name == "ReqTRES";
  });
  if (tells_memory) {
    Result<Config> config = client.get_as<Config>("/v1/config");
    if (!config) return failed("sacct", config.error());
    for (AccountRow& row : rows) row.node_memory = memory_of_nodes(*config, row.job->spec->partition);
  }
  if (!wanted.steps.empty()) {
    const AccountField& id = *parse_account_format("jobid")->front().field;
    std::erase_if(rows, [&](const AccountRow& row) { return !admits(wanted.steps, id.text(row)); });
  }
  ColumnStyle style;
  style.header = !o.no_header;
  style.parsable = o.parsable || o.parsable2;
  style.end_delimiter = o.parsable && !o.parsable2;
  style.delimiter = o.delimiter;
  return print_out(render_accounts(columns, rows, style)) ? k_exit_ok : k_exit_failure;
}

}  // namespace

int sacct_main(int argc, char** argv) {
  SacctOptions options;
  const std::span<const Option<O>> table(k_table);
  const std::span<const InputVariable> variables(k_variables);
  if (Status ok = apply_variables(k_sacct, table, variables, environment_variable, options); !ok)
    return option_failure(k_sacct, ok.error());
  Result<std::vector<std::string>> operands =
      parse_options(k_sacct, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands && operands.error().message.starts_with("Try ")) return k_exit_failure;  // which sacct does not say
  if (!operands) return option_failure(k_sacct, operands.error());
  if (answer_about_itself(k_sacct, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  if (const std::string why = completion_error(options); !why.empty()) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return k_exit_failure;
  }
  if (!operands->empty()) {
    print_error("sacct", "Unknown arguments:\n " + operands->front());
    return k_exit_failure;
  }
  if (options.help_format) return help_format();
  Result<std::vector<AccountColumn>> columns =
      parse_account_format(!options.format.empty() && !options.brief && !options.long_list ? options.format
                           : options.brief                                                 ? k_brief_format
                           : options.long_list                                             ? k_long_format
                                                                                           : k_default_format);
  if (!columns) return failed("sacct", columns.error());
  Result<Wanted> wanted = wanted_of(options);
  if (!wanted && wanted.error().code == Code::corrupt) {
    std::fprintf(stderr, "sacct: fatal: %s\n", wanted.error().message.c_str());
    return k_exit_failure;
  }
  if (!wanted && wanted.error().message.starts_with("Invalid time")) {
    std::fprintf(stderr, "%s\n", wanted.error().message.c_str());
    return k_exit_failure;
  }
  if (!wanted) return failed("sacct", wanted.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("sacct", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("sacct", ok.error());
  if (options.batch_script) return print_scripts(*client, *wanted);
  return show(*client, options, *wanted, *columns);
}

CommandTable sacct_command() {
  return {k_sacct,
          "accounting records of jobs",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga
