// squeue: the queue, in Slurm's tables or as its JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/job_fields.hpp"
#include "cli/job_list.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_yaml.hpp"

namespace virga {
namespace {

struct SqueueOptions {
  std::vector<std::string> jobs;
  std::vector<std::string> users;
  std::vector<std::string> partitions;
  std::vector<std::string> accounts;
  std::vector<std::string> names;
  std::vector<std::string> qos;
  std::vector<std::string> licenses;
  std::vector<std::string> clusters;
  std::string reservation;
  bool each_task = false;
  std::string node_list;
  std::string states;
  std::string format;
  std::string long_format;
  std::string sort;
  std::string steps;
  bool show_steps = false;
  bool long_list = false;
  bool no_header = false;
  bool start = false;
  bool json = false;
  bool yaml = false;
  bool me = false;
  bool wants_jobs = false;  ///< -j was given, if only without its list
  int iterate_seconds = 0;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = SqueueOptions;

constexpr const char* k_one_cluster = "there is one cluster";

Status set_iterate(O& o, std::string_view v, const OptionInfo&) {
  o.iterate_seconds = whole_number_or_zero(v);
  if (o.iterate_seconds == 0) return fail(Code::invalid, "--iterate=" + std::string(v));
  return {};
}

Status set_jobs(O& o, std::string_view v, const OptionInfo&) {
  o.wants_jobs = true;
  o.jobs = split_list(v);
  return {};
}

Status set_steps(O& o, std::string_view v, const OptionInfo&) {
  o.show_steps = true;
  o.steps = v;
  return {};
}

Status set_yaml(O& o, std::string_view, const OptionInfo&) {
  o.json = o.yaml = true;
  return {};
}

std::string as_asked(std::string json, const O& o) { return o.yaml ? slurm_yaml(json, true) : std::move(json) + "\n"; }

constexpr Option<O> k_table[] = {
    {{"accounts", 'A', Takes::value, Support::done, "list", "accounts to show"}, set_list<&O::accounts>},
    {{"all", 'a', Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"array", 'r', Takes::nothing, Support::done, "", "one line for each task of an array"}, set_flag<&O::each_task>},
    {{"array-unique", 0, Takes::nothing, Support::done, "", "one line for each task of an array"},
     set_flag<&O::each_task>},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"federation", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"Format", 'O', Takes::value, Support::done, "fields", "columns by name: JobID:10,Name"},
     set_text<&O::long_format>},
    {{"format", 'o', Takes::value, Support::done, "letters", "columns by letter: %.18i %j"}, set_text<&O::format>},
    {{"help", 0, Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"hide", 0, Takes::nothing, Support::quiet, "", "no partition is hidden"}},
    {{"iterate", 'i', Takes::value, Support::done, "seconds", "show it again and again"}, set_iterate},
    {{"jobs", 'j', Takes::optional, Support::done, "list", "jobs to show"}, set_jobs},
    {{"json", 0, Takes::nothing, Support::done, "", "as Slurm's JSON (v0.0.38)"}, set_flag<&O::json>},
    {{"licenses", 'L', Takes::value, Support::done, "names", "jobs that take one of these licences"},
     set_list<&O::licenses>},
    {{"local", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"long", 'l', Takes::nothing, Support::done, "", "more columns"}, set_flag<&O::long_list>},
    {{"me", 0, Takes::nothing, Support::done, "", "my jobs"}, set_flag<&O::me>},
    {{"name", 'n', Takes::value, Support::done, "list", "names of jobs to show"}, set_list<&O::names>},
    {{"noconvert", 0, Takes::nothing, Support::quiet, "", "units stay as they are"}},
    {{"node", 'w', Takes::value, Support::done, "hosts", "jobs on these nodes"}, set_text<&O::node_list>},
    {{"nodelist", 'w', Takes::value, Support::done, "hosts", "jobs on these nodes"}, set_text<&O::node_list>},
    {{"nodes", 'w', Takes::value, Support::done, "hosts", "jobs on these nodes"}, set_text<&O::node_list>},
    {{"noheader", 'h', Takes::nothing, Support::done, "", "no first line"}, set_flag<&O::no_header>},
    {{"partitions", 'p', Takes::value, Support::done, "list", "partitions to show"}, set_list<&O::partitions>},
    {{"priority", 'P', Takes::nothing, Support::quiet, "", "one line for each partition of a job"}},
    {{"qos", 'q', Takes::value, Support::done, "list", "jobs of these QOS"}, set_list<&O::qos>},
    {{"reservation", 'R', Takes::value, Support::done, "name", "jobs of this reservation"}, set_text<&O::reservation>},
    {{"sib", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"sibling", 0, Takes::nothing, Support::quiet, "", k_one_cluster}},
    {{"sort", 'S', Takes::value, Support::done, "letters", "order: P,t,-p"}, set_text<&O::sort>},
    {{"start", 0, Takes::nothing, Support::done, "", "pending jobs with their start times"}, set_flag<&O::start>},
    {{"states", 't', Takes::value, Support::done, "list", "states to show; all"}, set_text<&O::states>},
    {{"steps", 's', Takes::optional, Support::done, "list", "steps instead of jobs"}, set_steps},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"user", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"users", 'u', Takes::value, Support::done, "list", "users to show"}, set_list<&O::users>},
    {{"", 'U', Takes::value, Support::quiet, "text", "nothing, as in Slurm"}},
    {{"verbose", 'v', Takes::nothing, Support::quiet, "", "say more"}},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"yaml", 0, Takes::nothing, Support::done, "", "the same in YAML"}, set_yaml},
};
constexpr InputVariable k_variables[] = {
    {"SLURM_CLUSTERS", "clusters"},
    {"SQUEUE_ACCOUNT", "accounts"},
    {"SQUEUE_ALL", "all"},
    {"SQUEUE_ARRAY", "array"},
    {"SQUEUE_FEDERATION", "federation"},
    {"SQUEUE_FORMAT", "format"},
    {"SQUEUE_FORMAT2", "Format"},
    {"SQUEUE_LICENSES", "licenses"},
    {"SQUEUE_LOCAL", "local"},
    {"SQUEUE_NAMES", "name"},
    {"SQUEUE_PARTITION", "partitions"},
    {"SQUEUE_PRIORITY", "priority"},
    {"SQUEUE_QOS", "qos"},
    {"SQUEUE_SIBLING", "sibling"},
    {"SQUEUE_SORT", "sort"},
    {"SQUEUE_STATES", "states"},
    {"SQUEUE_USERS", "users"},
    {"SLURM_TIME_FORMAT", "", Support::done, "relative, standard or a form of strftime"},
    {"SLURM_BITSTR_LEN", "", Support::ignored, "lists of tasks are shown whole"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_squeue = {"squeue", "[OPTIONS]", 1};

constexpr const char* k_default_format = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";
constexpr const char* k_long_list_format = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R";
constexpr const char* k_start_format = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R";
constexpr const char* k_step_format = "%.15i %.8j %.9P %.8u %.9M %N";
constexpr const char* k_default_states = "PENDING,CONFIGURING,RUNNING,SUSPENDED,COMPLETING";

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return list.empty() || std::find(list.begin(), list.end(), word) != list.end();
}

/// What of the queue is wanted, worked out once from the options.
struct Filter {
  StateFilter states;
  std::vector<std::uint32_t> uids;
  bool by_user = false;
  std::vector<JobRef> jobs;
  std::vector<std::string> nodes;

  bool admits(const Job& job, const O& o) const {
    if (!states.admits(job)) return false;
    if (by_user && std::count(uids.begin(), uids.end(), job.owner.uid) == 0) return false;
    const auto is_named = [&](const JobRef& ref) { return ref.names(job); };
    if (!jobs.empty() && std::none_of(jobs.begin(), jobs.end(), is_named)) return false;
    if (!contains(o.qos, job.spec->qos)) return false;
    const std::vector<License>& taken = job.spec->licenses;
    if (!o.licenses.empty() && std::none_of(taken.begin(), taken.end(), [&](const License& license) {
          return contains(o.licenses, license.name);
        })) {
      return false;
    }
    if (!o.reservation.empty() && job.spec->reservation != o.reservation) return false;
    if (!contains(o.partitions, job.spec->partition) || !contains(o.accounts, job.spec->account)) return false;
    if (!contains(o.names, job.spec->name)) return false;
    return nodes.empty() || std::any_of(job.nodes.begin(), job.nodes.end(), [&](const JobNode& n) {
             return std::count(nodes.begin(), nodes.end(), n.name) != 0;
           });
  }
};

/// Code::not_found with an empty message: told already, and nothing can match.
Result<Filter> filter_of(const O& o) {
  Filter filter;
  const std::string states = !o.states.empty() ? o.states
                             : o.start         ? "PENDING"
                             : o.show_steps    ? "RUNNING"
                             : o.json          ? "all"
                                               : k_default_states;
  tl::expected<StateFilter, BadWord> parsed = parse_states(states);
  if (!parsed) {
    return fail(Code::invalid,
                "Invalid job state specified: " + parsed.error().word +
                    "\nValid job states include: "
                    "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,BOOT_FAIL,"
                    "DEADLINE,OUT_OF_MEMORY,COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,"
                    "REQUEUE_HOLD,REVOKED,SIGNALING,SPECIAL_EXIT,STAGE_OUT,STOPPED\n\n");
  }
  filter.states = *parsed;
  filter.by_user = o.me || !o.users.empty();
  if (o.me) filter.uids.push_back(::getuid());
  for (const std::string& user : o.users) {
    if (std::optional<std::uint32_t> uid = uid_of(user); uid)
      filter.uids.push_back(*uid);
    else
      print_error("squeue", "Invalid user: " + user + "\n\n");
  }
  for (const std::string& text : o.show_steps ? split_list(o.steps) : o.jobs) {
    const std::vector<JobRef> refs = job_refs(text);
    if (refs.empty()) return fail(Code::invalid, "Invalid job id: " + text);
    filter.jobs.insert(filter.jobs.end(), refs.begin(), refs.end());
  }
  if (!o.node_list.empty()) {
    Result<std::vector<std::string>> nodes = expand_hostlist(o.node_list);
    if (!nodes) return unexpected(nodes.error());
    filter.nodes = std::move(*nodes);
  }
  return filter;
}

/// The server leaves out what we would drop anyway: a long queue costs only what is shown of it.
std::string target_of(const Filter& filter) {
  std::string query;
  const auto add = [&](std::string_view key, const std::string& value) {
    query += (query.empty() ? "?" : "&") + std::string(key) + "=" + value;
  };
  if (!filter.states.all) {
    std::string names;
    for (JobState state : filter.states.states) names.append(names.empty() ? "" : ",").append(name_of(state));
    if (filter.states.suspended && !filter.states.admits(JobState::running)) {
      names.append(names.empty() ? "" : ",").append(name_of(JobState::running));
    }
    if (!names.empty()) add("state", names);
  }
  if (!filter.jobs.empty()) {
    std::string ids;
    for (const JobRef& ref : filter.jobs) ids.append(ids.empty() ? "" : ",").append(std::to_string(ref.job.value));
    add("ids", ids);
  }
  if (filter.by_user && filter.uids.size() == 1) add("uid", std::to_string(filter.uids.front()));
  return "/v1/jobs" + query;
}

std::vector<JobRow> step_rows(const std::vector<Job>& jobs, Time now) {
  std::vector<JobRow> rows;
  for (const Job& job : jobs) {
    for (const Step& step : job.steps) {
      if (!is_final(step.state)) rows.push_back({&job, &step, now});
    }
    if (job.spec->kind == JobKind::batch) rows.push_back({&job, nullptr, now});
  }
  return rows;
}

TableFormat format_of(const O& o, std::span<const TableField<JobRow>> fields) {
  const std::vector<FieldNames> names = fields_of(fields);
  if (!o.long_format.empty()) return parse_name_format(o.long_format, names);
  const std::string letters = !o.format.empty() ? o.format
                              : o.show_steps    ? k_step_format
                              : o.start         ? k_start_format
                              : o.long_list     ? k_long_list_format
                                                : k_default_format;
  return parse_letter_format(letters, names);
}

int check_nodes(Client& client, const Filter& filter) {
  if (filter.nodes.empty()) return k_exit_ok;
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("squeue", config.error());
  const std::vector<SlurmNode> known = slurm_nodes(*config, {});
  for (const std::string& name : filter.nodes) {
    if (std::any_of(known.begin(), known.end(), [&](const SlurmNode& node) { return node.name == name; })) continue;
    print_error("squeue", "Invalid node name " + name);
    return k_exit_failure;
  }
  return k_exit_ok;
}

/// Slurm knows a job by its number until it leaves the controller; one that nobody knows is an error.
int check_job(Client& client, const Filter& filter) {
  Result<std::string> known = client.get("/v1/jobs/" + std::to_string(filter.jobs.front().job.value));
  if (known || known.error().code != Code::not_found) return k_exit_ok;
  std::fputs("slurm_load_jobs error: Invalid job id specified\n", stderr);
  return k_exit_failure;
}

/// Job by job: a long queue is nowhere as a whole, unless it is to be YAML.
int print_json(Client& client, const O& o, const Filter& filter, JobList& list) {
  constexpr std::size_t k_piece = 1U << 18;
  Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
  if (!ping) return failed("squeue", ping.error());
  SlurmJobsJson json({ping->cluster, list.now()});
  std::string piece;
  std::uint32_t count = 0;
  bool printed = true;
  const Status all = list.for_each([&](const Job& job) {
    if (!printed || !filter.admits(job, o)) return;
    ++count;
    piece += json.put(job);
    if (piece.size() < k_piece || o.yaml) return;
    printed = print_out(piece);
    piece.clear();
  });
  if (!all) return failed("squeue", all.error());
  if (count == 0 && filter.jobs.size() == 1 && !o.show_steps) {
    if (const int exit_code = check_job(client, filter); exit_code != k_exit_ok) return exit_code;
  }
  return printed && print_out(as_asked(piece + json.end(), o)) ? k_exit_ok : k_exit_failure;
}

int show_once(Client& client, const O& o, const Filter& filter) {
  Result<JobList> list = JobList::get(client, target_of(filter));
  if (!list) return failed("squeue", list.error());
  if (const int exit_code = check_nodes(client, filter); exit_code != k_exit_ok) return exit_code;
  if (o.json) return print_json(client, o, filter, *list);
  std::vector<Job> jobs;
  bool any = false;
  const Status all = list->for_each([&](Job& job) {
    any = true;
    if (filter.admits(job, o)) jobs.push_back(std::move(job));
  });
  if (!all) return failed("squeue", all.error());
  const Time now = list->now();
  if (filter.jobs.size() == 1 && !any && !o.show_steps) {
    if (const int exit_code = check_job(client, filter); exit_code != k_exit_ok) return exit_code;
  }
  std::span<const TableField<JobRow>> fields = o.show_steps ? step_fields() : job_fields();
  std::vector<JobRow> rows;
  int exit_code = k_exit_ok;
  if (o.show_steps) {
    rows = step_rows(jobs, now);
  } else {
    rows.reserve(jobs.size());
    for (const Job& job : jobs) rows.push_back({&job, nullptr, now});
    const bool names_tasks = std::any_of(filter.jobs.begin(), filter.jobs.end(),
                                         [](const JobRef& ref) { return ref.task != k_no_array_task; });
    if (!o.each_task && !names_tasks) join_tasks(rows);
  }
  if (!o.show_steps) {
    const std::string order = !o.sort.empty() ? o.sort : o.start ? "S,-p" : "P,t,-p";
    if (Status ok = sort_jobs(rows, order); !ok) {
      print_error("squeue", ok.error().message);
      rows.clear();  // the header comes all the same
      exit_code = k_exit_failure;
    }
  }
  if (!o.long_format.empty()) {  // which may tell the cluster
    Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
    if (!ping) return failed("squeue", ping.error());
    for (JobRow& row : rows) row.cluster = ping->cluster;
  }
  TableFormat format = format_of(o, fields);
  for (const std::string& unknown : format.unknown) {
    print_error("squeue", "Invalid job format specification: " + unknown);
  }
  std::string text = o.long_list || o.iterate_seconds > 0 ? date_line() : "";
  text += render(format, fields, rows, !o.no_header);
  return print_out(text) ? exit_code : k_exit_failure;
}

}  // namespace

int squeue_main(int argc, char** argv) {
  SqueueOptions options;
  const std::span<const Option<O>> table(k_table);
  const std::span<const InputVariable> variables(k_variables);
  if (Status ok = apply_variables(k_squeue, table, variables, environment_variable, options); !ok)
    return option_failure(k_squeue, ok.error());
  Result<std::vector<std::string>> operands =
      parse_options(k_squeue, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  if (!operands) return option_failure(k_squeue, operands.error());
  if (answer_about_itself(k_squeue, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  // -j takes its list with or without a space before it, which getopt knows no way to say: the list is an operand then.
  if (operands->size() == 1 && options.wants_jobs && options.jobs.empty()) {
    options.jobs = split_list(operands->front());
    operands->clear();
  }
  if (!operands->empty()) {
    print_error("squeue", "Unrecognized option: " + operands->front());
    print_out(usage_text(k_squeue, rows_of(table)));
    return k_exit_failure;
  }
  if (options.long_list && !options.format.empty() && environment_or_empty("SQUEUE_FORMAT") != options.format) {
    std::fputs(
        "squeue: fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry.\n",
        stderr);
    return k_exit_failure;
  }
  Result<Filter> filter = filter_of(options);
  if (!filter) return failed("squeue", filter.error());
  Result<Client> client = Client::from_environment();
  if (!client) return failed("squeue", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("squeue", ok.error());
  return iterate(options.iterate_seconds, [&] {
    if (!options.json && !print_cluster_line(*client, options.clusters, options.no_header)) return k_exit_failure;
    return show_once(*client, options, *filter);
  });
}

CommandTable squeue_command() {
  return {k_squeue,
          "jobs in the queue",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga
