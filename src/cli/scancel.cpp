// scancel: cancels or signals jobs, by number or by what they have in common.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <span>

#include "cli/client.hpp"
#include "cli/command_registry.hpp"
#include "cli/job_list.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/submission.hpp"
#include "wire/api_bodies.hpp"
#include "wire/hostlist.hpp"

namespace virga {
namespace {

struct ScancelOptions {
  std::string account;
  std::string name;
  std::string partition;
  std::string qos;
  std::string reservation;
  std::string state;
  std::string user;
  std::string node_list;
  std::string wckey;
  std::vector<std::string> clusters;
  std::uint32_t signal = 0;  ///< 0: cancel
  bool batch = false;
  bool full = false;
  bool interactive = false;
  bool me = false;
  bool verbose = false;
  bool quiet = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};
using O = ScancelOptions;

constexpr const char* k_one_cluster = "there is one cluster";

Status set_signal(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> signal = parse_signal(v);
  if (!signal) return fail(Code::not_found, "Unknown job signal: " + std::string(v));
  o.signal = *signal;
  return {};
}

constexpr Option<O> k_table[] = {
    {{"account", 'A', Takes::value, Support::done, "name", "jobs of this account"}, set_text<&O::account>},
    {{"batch", 'b', Takes::nothing, Support::done, "", "signal the batch shell only"}, set_flag<&O::batch>},
    {{"cluster", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"clusters", 'M', Takes::value, Support::done, "names", "this cluster, or all"}, set_list<&O::clusters>},
    {{"ctld", 0, Takes::nothing, Support::quiet, "", "the controller does it"}},
    {{"full", 'f', Takes::nothing, Support::done, "", "signal batch shell and all steps"}, set_flag<&O::full>},
    {{"help", 0, Takes::nothing, Support::done, "", "this text"}, set_flag<&O::help>},
    {{"hurry", 'H', Takes::nothing, Support::quiet, "", "there is no burst buffer"}},
    {{"interactive", 'i', Takes::nothing, Support::done, "", "ask before each job"}, set_flag<&O::interactive>},
    {{"jobname", 'n', Takes::value, Support::done, "name", "jobs of this name"}, set_text<&O::name>},
    {{"me", 0, Takes::nothing, Support::done, "", "my jobs"}, set_flag<&O::me>},
    {{"name", 'n', Takes::value, Support::done, "name", "jobs of this name"}, set_text<&O::name>},
    {{"nodelist", 'w', Takes::value, Support::done, "hosts", "jobs on these nodes"}, set_text<&O::node_list>},
    {{"partition", 'p', Takes::value, Support::done, "name", "jobs of this partition"}, set_text<&O::partition>},
    {{"qos", 'q', Takes::value, Support::done, "name", "jobs of this QOS"}, set_text<&O::qos>},
    {{"quiet", 'Q', Takes::nothing, Support::done, "", "no warnings"}, set_flag<&O::quiet>},
    {{"reservation", 'R', Takes::value, Support::done, "name", "jobs of this reservation"}, set_text<&O::reservation>},
    {{"sibling", 0, Takes::value, Support::quiet, "name", k_one_cluster}},
    {{"signal", 's', Takes::value, Support::done, "name", "send this signal instead of cancelling"}, set_signal},
    {{"state", 't', Takes::value, Support::done, "state", "PENDING or RUNNING jobs"}, set_text<&O::state>},
    {{"usage", 0, Takes::nothing, Support::done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"user", 'u', Takes::value, Support::done, "name", "jobs of this user"}, set_text<&O::user>},
    {{"verbose", 'v', Takes::nothing, Support::done, "", "say more"}, set_flag<&O::verbose>},
    {{"version", 'V', Takes::nothing, Support::done, "", "print the version"}, set_flag<&O::version>},
    {{"wckey", 0, Takes::value, Support::done, "key", "jobs of this workload key"}, set_text<&O::wckey>},
};
constexpr InputVariable k_variables[] = {
    {"SCANCEL_ACCOUNT", "account"},
    {"SCANCEL_BATCH", "batch"},
    {"SCANCEL_CTLD", "ctld"},
    {"SCANCEL_FULL", "full"},
    {"SCANCEL_HURRY", "hurry"},
    {"SCANCEL_INTERACTIVE", "interactive"},
    {"SCANCEL_NAME", "name"},
    {"SCANCEL_PARTITION", "partition"},
    {"SCANCEL_QOS", "qos"},
    {"SCANCEL_STATE", "state"},
    {"SCANCEL_USER", "user"},
    {"SCANCEL_VERBOSE", "verbose"},
    {"SCANCEL_WCKEY", "wckey"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_CONF", "", Support::ignored, "Virga is configured by virga.toml"},
    {"SLURM_DEBUG_FLAGS", "", Support::ignored, "there is nothing to trace"},
};
constexpr CommandInfo k_scancel = {"scancel", "[OPTIONS] [job_id]...", 1};

bool has_filter(const O& o) {
  return o.me || !o.user.empty() || !o.name.empty() || !o.partition.empty() || !o.state.empty() || !o.account.empty() ||
         !o.qos.empty() || !o.reservation.empty() || !o.node_list.empty() || !o.wckey.empty();
}

/// A job or several, or one step of it.
struct Target {
  JobRef job;
  std::uint32_t step = k_no_step;

  std::string text() const { return job.text() + (step == k_no_step ? "" : fmt::format(".{}", step)); }
};

/// "7", "7_[1-3]" and "7.0" are what users write.
Result<std::vector<Target>> refs_of(const std::vector<std::string>& operands) {
  std::vector<Target> targets;
  for (const std::string& operand : operands) {
    // The list in 7_[1,3] belongs to one job.
    for (const std::string& text : operand.find('[') == operand.npos ? split_list(operand) : std::vector{operand}) {
      const std::vector<JobRef> named = job_refs(text);
      if (named.empty()) return fail(Code::invalid, "Invalid job id " + text);
      Target target{named.front()};
      if (const std::size_t dot = text.find('.'); dot != text.npos) {
        const Result<std::uint32_t> step = parse_count(text.substr(dot + 1));
        if (!step) return fail(Code::invalid, "Invalid job id " + text);
        target.step = *step;
      }
      for (const JobRef& job : named) targets.push_back({job, target.step});
    }
  }
  return targets;
}

/// The living jobs that every filter admits.
Result<std::vector<Job>> jobs_by_filter(Client& client, const O& o) {
  std::vector<std::uint32_t> uids;
  if (o.me) uids.push_back(::getuid());
  if (!o.user.empty()) {
    std::optional<std::uint32_t> uid = uid_of(o.user);
    if (!uid) return fail(Code::invalid, "Invalid user name: " + o.user);
    uids.push_back(*uid);
  }
  StateFilter states;
  if (!o.state.empty()) {
    tl::expected<StateFilter, BadWord> parsed = parse_states(o.state);
    if (!parsed) return fail(Code::not_found, "Invalid job state specified: " + o.state);
    states = *parsed;
    if (states.admits(JobState::running)) states.states.push_back(JobState::configuring);
  }
  std::vector<std::string> nodes;
  if (!o.node_list.empty()) {
    Result<std::vector<std::string>> names = expand_hostlist(o.node_list);
    if (!names) return unexpected(names.error());
    nodes = std::move(*names);
  }
  Result<JobsBody> body = get_jobs(client, "/v1/jobs?state=PENDING,CONFIGURING,RUNNING");
  if (!body) return unexpected(body.error());
  std::erase_if(body->jobs, [&](const Job& job) {
    const bool on_nodes = nodes.empty() || std::any_of(job.nodes.begin(), job.nodes.end(), [&](const JobNode& n) {
                            return std::count(nodes.begin(), nodes.end(), n.name) != 0;
                          });
    return (!uids.empty() && std::count(uids.begin(), uids.end(), job.owner.uid) == 0) ||
           (!o.name.empty() && job.spec->name != o.name) ||
           (!o.partition.empty() && job.spec->partition != o.partition) ||
           (!o.account.empty() && job.spec->account != o.account) || (!o.qos.empty() && job.spec->qos != o.qos) ||
           (!o.wckey.empty() && job.spec->wckey != o.wckey) ||
           (!o.reservation.empty() && job.spec->reservation != o.reservation) ||
           (!o.state.empty() && !states.admits(job)) || !on_nodes;
  });
  return std::move(body->jobs);
}

bool confirmed(Client& client, const JobRef& job) {
  Result<JobBody> body = client.get_as<JobBody>(fmt::format("/v1/jobs/{}", job.job.value));
  std::fprintf(stdout, "Cancel job_id=%s", job.text().c_str());
  if (body) {
    std::fprintf(stdout, " name=%s partition=%s", body->job.spec->name.c_str(), body->job.spec->partition.c_str());
  }
  std::fputs(" [y/n]? ", stdout);
  std::fflush(stdout);
  char answer[16] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr && (answer[0] == 'y' || answer[0] == 'Y');
}

/// SIGKILL to the whole job or step is what cancelling does; to the batch shell alone it is a signal like any other.
bool is_end(const O& o) { return o.signal == 0 || (o.signal == 9 && !o.batch); }
bool is_cancel(const Target& job, const O& o) { return is_end(o) && job.step == k_no_step; }

void announce(const Target& job, const O& o) {
  if (!o.verbose) return;
  print_error("scancel",
              is_end(o) ? fmt::format("Terminating {} {}", job.step == k_no_step ? "job" : "step", job.text())
                        : fmt::format("Signal {} to job {}", o.signal, job.text()),
              false);
}

/// Slurm's rule: a job that is gone is no failure of a plain scancel, and only -v tells.
int exit_code_of(const Target& job, const Error& error, const O& o, bool by_number) {
  if (error.code == Code::unavailable) return failed("scancel", error);
  const bool cancel = is_cancel(job, o);
  const bool gone = error.code == Code::conflict || error.code == Code::not_found;
  if (cancel && gone && (!o.verbose || !by_number)) return k_exit_ok;
  // A job that waits has no processes yet: Slurm's number of that error, as far as an exit code can hold it.
  constexpr int k_exit_not_now = 2020 % 256;
  const bool not_now = !cancel && (error.message == "Job is not running" || error.message == "Job is suspended");
  if (!o.quiet) {
    const std::string why = not_now ? "Job can not be altered now, try again later" : slurm_error_text(error);
    print_error("scancel", fmt::format("Kill job error on job {}id {}: {}", job.step == k_no_step ? "" : "step ",
                                       job.job.text(), why));
  }
  if (not_now) return k_exit_not_now;
  constexpr int k_exit_no_step = 2017 % 256;
  if (job.step != k_no_step && gone) return k_exit_no_step;
  return cancel && gone ? k_exit_ok : k_exit_failure;
}

int act_on(Client& client, const Target& job, const O& o, bool by_number) {
  if (o.interactive && !confirmed(client, job.job)) return k_exit_ok;
  announce(job, o);
  constexpr std::uint32_t k_kill = 9;
  const std::string base = fmt::format("/v1/jobs/{}/", job.job.text());
  const SignalBody signal{is_end(o) ? k_kill : o.signal, o.batch, job.step, o.full};
  const Result<NoBody> done = is_cancel(job, o) ? client.post_as<NoBody>(base + "cancel", NoBody{}, Client::Retry::safe)
                                                : client.post_as<NoBody>(base + "signal", signal);
  return done ? k_exit_ok : exit_code_of(job, done.error(), o, by_number);
}

/// All of them with one request for each few thousand.
int cancel_all(Client& client, std::span<const Target> jobs, const O& o, bool by_number) {
  constexpr std::size_t k_jobs_per_request = 10'000;
  int exit_code = k_exit_ok;
  while (!jobs.empty()) {
    const auto some = jobs.first(std::min(k_jobs_per_request, jobs.size()));
    CancelBody body;
    std::map<std::string, Target> job_of_text;
    for (const Target& job : some) {
      announce(job, o);
      job_of_text.emplace(body.jobs.emplace_back(job.text()), job);
    }
    const auto done = client.post_as<CancelledBody>("/v1/jobs/cancel", body, Client::Retry::safe);
    if (!done) return failed("scancel", done.error());
    for (const RefusedJobBody& refused : done->refused) {
      const auto job = job_of_text.find(refused.job);
      if (job == job_of_text.end()) continue;  // not of ours
      exit_code = std::max(exit_code, exit_code_of(job->second, {refused.code, refused.message}, o, by_number));
    }
    jobs = jobs.subspan(some.size());
  }
  return exit_code;
}

}  // namespace

int scancel_main(int argc, char** argv) {
  ScancelOptions options;
  const std::span<const Option<O>> table(k_table);
  const std::span<const InputVariable> variables(k_variables);
  if (Status ok = apply_variables(k_scancel, table, variables, environment_variable, options); !ok)
    return option_failure(k_scancel, ok.error());
  Result<std::vector<std::string>> operands =
      parse_options(k_scancel, table, arguments_of(argc, argv), options, {.stop_at_operand = false});
  const auto plain_failure = [](const Error& error) {  // Slurm prints these two without its name
    std::fprintf(stderr, "%s\n", error.message.c_str());
    if (error.message.starts_with("Invalid job state")) {
      std::fputs("Valid job states are PENDING, RUNNING, and SUSPENDED\n", stderr);
    }
    return k_exit_failure;
  };
  if (!operands && operands.error().code == Code::not_found) return plain_failure(operands.error());
  if (!operands) return option_failure(k_scancel, operands.error());
  if (answer_about_itself(k_scancel, rows_of(table), options.version, options.help, options.usage)) return k_exit_ok;
  Result<std::vector<Target>> refs = refs_of(*operands);
  if (!refs) return failed("scancel", refs.error());
  if (refs->empty() && !has_filter(options)) {
    print_error("scancel", "No job identification provided");
    return k_exit_failure;
  }
  Result<Client> client = Client::from_environment();
  if (!client) return failed("scancel", client.error());
  if (Status ok = check_clusters(*client, options.clusters); !ok) return failed("scancel", ok.error());
  const bool by_number = !refs->empty();
  if (has_filter(options)) {
    Result<std::vector<Job>> jobs = jobs_by_filter(*client, options);
    if (!jobs && jobs.error().message.starts_with("Invalid job state")) return plain_failure(jobs.error());
    if (!jobs) return failed("scancel", jobs.error());
    std::vector<Target> wanted;
    for (const Job& job : *jobs) {
      const auto is_named = [&](const Target& target) { return target.job.names(job); };
      if (!by_number || std::any_of(refs->begin(), refs->end(), is_named)) wanted.push_back({ref_of(job)});
    }
    *refs = std::move(wanted);
  }
  const bool whole_jobs =
      std::all_of(refs->begin(), refs->end(), [&](const Target& t) { return is_cancel(t, options); });
  if (whole_jobs && !options.interactive) return cancel_all(*client, *refs, options, by_number);
  int exit_code = k_exit_ok;
  for (const Target& job : *refs) exit_code = std::max(exit_code, act_on(*client, job, options, by_number));
  return exit_code;
}

CommandTable scancel_command() {
  return {k_scancel,
          "cancel or signal jobs",
          rows_of(std::span<const Option<O>>(k_table)),
          {std::begin(k_variables), std::end(k_variables)}};
}

}  // namespace virga
