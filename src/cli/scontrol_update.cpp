// scontrol update: jobs and nodes.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <optional>

#include "cli/job_list.hpp"
#include "cli/job_options.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/scontrol.hpp"
#include "wire/api_bodies.hpp"
#include "wire/encodings.hpp"
#include "wire/hostlist.hpp"
#include "wire/partition_body.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

struct NodeUpdate {
  std::string nodes;
  std::optional<std::string> state;
  std::optional<std::string> reason;
};

int update_nodes(Client& client, const NodeUpdate& update) {
  const auto is = [&](std::string_view word) { return update.state && same_word(*update.state, word); };
  const bool drain = is("drain") || is("draining") || is("drained") || is("down") || is("fail");
  const bool resume = is("resume") || is("undrain") || is("idle");
  if (!update.state && !update.reason) {
    std::fputs("No changes specified\n", stderr);
    return k_exit_failure;
  }
  if (update.state && !drain && !resume) {
    std::fprintf(stderr,
                 "Invalid input: state=%s\nRequest aborted\n"
                 "Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN\n"
                 "Not all states are valid given a node's prior state\n",
                 update.state->c_str());
    return k_exit_failure;
  }
  if (drain && update.reason.value_or("").empty()) {
    std::fputs("You must specify a reason when DOWNING or DRAINING a node. Request denied\n", stderr);
    return k_exit_failure;
  }
  Result<std::vector<std::string>> names = expand_hostlist(update.nodes);
  if (!names) return failed("scontrol", names.error());
  if (!update.state) {  // another reason for nodes that are drained already
    Result<VmsBody> vms = client.get_as<VmsBody>("/v1/vms");
    if (!vms) return failed("scontrol", vms.error());
    for (const std::string& name : *names) {
      const auto mark = vms->marks.find(name);
      if (mark != vms->marks.end() && mark->second.drained) continue;
      std::fputs("A reason belongs to a drained node: give state=drain too. Request denied\n", stderr);
      return k_exit_failure;
    }
  }
  int exit_code = k_exit_ok;
  for (const std::string& name : *names) {
    const NodeBody body{!resume, resume ? "" : *update.reason};
    Result<NoBody> done = client.post_as<NoBody>("/v1/nodes/" + percent_encoded(name), body, Client::Retry::safe);
    if (done) continue;
    const bool away = done.error().code == Code::unavailable;
    std::fprintf(stderr, "slurm_update error: %s\n",
                 away ? done.error().message.c_str() : slurm_error_text(done.error()).c_str());
    exit_code = k_exit_failure;
    if (away) break;
  }
  return exit_code;
}

/// One key=value of a job or a partition.
struct JobChange {
  std::string key;
  std::string value;
};

int update_partition(Client& client, const std::string& name, const std::vector<JobChange>& changes) {
  if (changes.empty()) {
    print_error("scontrol", "No changes specified");
    return k_exit_failure;
  }
  const auto give_up = [] {
    std::fputs("slurm_update error: No error\n", stderr);  // Slurm's words: it did not ask its controller
    return k_exit_failure;
  };
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return failed("scontrol", config.error());
  PartitionBody body;
  for (const Partition& known : config->partitions) {
    if (known.name == name) body = {known.up, known.takes_jobs, known.max_time, known.default_time};
  }
  for (const JobChange& change : changes) {
    if (same_word(change.key, "state")) {
      const auto is = [&](std::string_view word) { return same_word(change.value, word); };
      if (!is("up") && !is("down") && !is("drain") && !is("inactive")) {
        print_error("scontrol", fmt::format("Invalid input: {}={}", change.key, change.value));
        print_error("scontrol", "Acceptable State values are UP, DOWN, DRAIN and INACTIVE");
        return give_up();
      }
      body.up = is("up") || is("drain");
      body.takes_jobs = is("up") || is("down");
    } else if (same_word(change.key, "maxtime") || same_word(change.key, "defaulttime")) {
      const Result<Duration> time = parse_time_limit(change.value);
      if (!time) {
        print_error("scontrol", fmt::format("Invalid input {}={}", change.key, change.value));
        return give_up();
      }
      (same_word(change.key, "maxtime") ? body.max_time : body.default_time) = *time;
    } else {
      print_error("scontrol",
                  fmt::format("Update of this parameter is not supported: {}={}\n\n", change.key, change.value));
      print_error("scontrol", "Request aborted");
      return give_up();
    }
  }
  Result<NoBody> done = client.post_as<NoBody>("/v1/partitions/" + percent_encoded(name), body, Client::Retry::safe);
  if (done) return k_exit_ok;
  if (done.error().code == Code::unavailable) return failed("scontrol", done.error());
  std::fprintf(stderr, "slurm_update error: %s\n", slurm_error_text(done.error()).c_str());
  return k_exit_failure;
}

enum class Applied : std::uint8_t { done, no_such_key, bad_value };

/// Slurm's limits are whole minutes, so that what is given is rounded up; "+5" and "-5" are minutes more or less.
Applied change_time(JobSpec& spec, std::string value) {
  const char sign = value.empty() ? '\0' : value.front();
  const bool relative = (sign == '+' || sign == '-') && value != "-1";
  if (relative) value.erase(0, 1);
  Result<Duration> time = parse_time_limit(value);
  if (!time) return Applied::bad_value;
  Duration limit = *time;
  if (!limit.is_infinite()) limit = Duration::minutes((limit.whole_seconds() + 59) / 60);
  if (relative && (limit.is_infinite() || spec.time_limit.is_infinite())) return Applied::bad_value;
  if (relative) limit = sign == '+' ? spec.time_limit + limit : spec.time_limit - limit;
  if (!(limit > Duration{})) return Applied::bad_value;
  spec.time_limit = limit;
  return Applied::done;
}

Applied change_number(std::uint32_t& to, const std::string& value, std::uint32_t least) {
  Result<std::uint32_t> number = parse_count(value);
  if (!number || *number < least) return Applied::bad_value;
  to = *number;
  return Applied::done;
}

Applied change_moment(Time& to, const std::string& value) {
  Result<Time> time = parse_local_time(value, Time::from_seconds(std::time(nullptr)));
  if (!time) return Applied::bad_value;
  to = *time;
  return Applied::done;
}

Applied change_flag(bool& to, const std::string& value) {
  const bool yes = same_word(value, "yes") || value == "1";
  if (!yes && !same_word(value, "no") && value != "0") return Applied::bad_value;
  to = yes;
  return Applied::done;
}

/// Which nodes, and when.
Applied apply_more(JobSpec& spec, const JobChange& change) {
  const std::string& value = change.value;
  const auto is = [&](std::string_view a, std::string_view b = "") {
    return same_word(change.key, a) || (!b.empty() && same_word(change.key, b));
  };
  if (is("reqnodelist") || is("nodelist") || is("excnodelist")) {
    Result<std::vector<std::string>> nodes = expand_hostlist(value);
    if (!nodes) return Applied::bad_value;
    (is("excnodelist") ? spec.placement.exclude : spec.placement.nodes) = *std::move(nodes);
    return Applied::done;
  }
  if (is("contiguous")) return change_flag(spec.placement.contiguous, value);
  if (is("oversubscribe", "shared")) {
    bool shares = false;
    if (change_flag(shares, value) != Applied::done) return Applied::bad_value;
    spec.exclusive = spec.exclusive && !shares;
    return Applied::done;
  }
  if (is("features", "reqfeatures")) return spec.placement.features = value, Applied::done;
  if (is("wckey")) return spec.wckey = value, Applied::done;
  if (is("mailuser")) return spec.mail_user = value, Applied::done;
  if (is("dependency")) {
    spec.dependencies.clear();
    spec.any_dependency = false;
    if (value.empty()) return Applied::done;
    Result<DependencyList> list = parse_dependencies(value);
    if (!list) return Applied::bad_value;
    spec.dependencies = std::move(list->all);
    spec.any_dependency = list->any;
    return Applied::done;
  }
  return Applied::no_such_key;
}

Applied apply(JobSpec& spec, const JobChange& change) {
  const std::string& value = change.value;
  const auto is = [&](std::string_view a, std::string_view b = "") {
    return same_word(change.key, a) || (!b.empty() && same_word(change.key, b));
  };
  if (is("timelimit")) return change_time(spec, value);
  if (is("jobname", "name")) return spec.name = value, Applied::done;
  if (is("partition")) return spec.partition = value, Applied::done;
  if (is("comment")) return spec.comment = value, Applied::done;
  if (is("account")) return spec.account = value, Applied::done;
  if (is("qos")) return spec.qos = value, Applied::done;
  if (is("reservation", "reservationname")) return spec.reservation = value, Applied::done;
  if (is("stdout")) return spec.std_out = value, Applied::done;
  if (is("workdir")) return spec.work_dir = value, Applied::done;
  if (is("arraytaskthrottle")) return change_number(spec.array.limit, value, 0);
  if (is("numtasks", "reqprocs")) return change_number(spec.tasks, value, 1);
  if (is("starttime")) return change_moment(spec.begin, value);
  if (is("deadline")) return change_moment(spec.deadline, value);
  if (is("nice")) {
    Result<std::int32_t> nice = parse_nice(value);
    if (!nice) return Applied::bad_value;
    spec.nice = *nice;
    return Applied::done;
  }
  if (is("requeue")) {
    std::uint32_t requeue = 0;
    if (change_number(requeue, value, 0) != Applied::done || requeue > 1) return Applied::bad_value;
    spec.requeue = requeue == 1;
    return Applied::done;
  }
  if (is("numnodes", "reqnodes")) {
    Result<std::uint32_t> nodes = parse_node_count(value);
    if (!nodes) return Applied::bad_value;
    spec.nodes = *nodes;
    spec.tasks = std::max(spec.tasks, spec.nodes);
    return Applied::done;
  }
  if (is("mincpusnode")) return change_number(spec.per_node.cpus, value, 1);
  if (is("minmemorynode")) {
    Result<std::uint64_t> bytes = parse_memory(value);
    if (!bytes) return Applied::bad_value;
    spec.per_node.memory_bytes = *bytes;
    return Applied::done;
  }
  return apply_more(spec, change);
}

/// Slurm's words for what a change was refused for.
std::string change_error(const Error& error) {
  if (error.message.starts_with("Job/step already completing")) return "Job has already finished";
  if (error.message.starts_with("invalid partition specified")) return "Invalid partition name specified";
  if (error.message.starts_with("Job is no longer pending")) return "Requested operation not supported on this system";
  return slurm_error_text(error);
}

int update_job(Client& client, const std::string& name, const std::vector<JobChange>& changes) {
  if (changes.empty()) {
    std::fputs("No changes specified\n", stderr);
    return k_exit_failure;
  }
  const auto refuse = [&](const std::string& why) {
    std::fprintf(stderr, "%s for job %s\n", why.c_str(), name.c_str());
    return k_exit_failure;
  };
  const std::vector<JobRef> refs = job_refs(name);
  if (refs.empty()) return refuse("Invalid job id specified");
  for (const JobRef& ref : refs) {
    Result<JobsBody> body = get_jobs(client, fmt::format("/v1/jobs?ids={}", ref.job.value));
    if (!body) return failed("scontrol", body.error());
    const auto job =
        std::find_if(body->jobs.begin(), body->jobs.end(), [&](const Job& candidate) { return ref.names(candidate); });
    if (job == body->jobs.end()) return refuse("Invalid job id specified");
    JobSpec spec = job->spec;
    bool hold = false;
    for (const JobChange& change : changes) {
      if (same_word(change.key, "priority")) {
        const Result<std::uint32_t> priority = parse_count(change.value);
        if (!priority) {
          print_error("scontrol", fmt::format("Invalid Priority value: {}", change.value));
          return k_exit_failure;
        }
        const bool is_held = job->reason == Reason::held_user || job->reason == Reason::held_admin;
        if (is_held && *priority != 0) return refuse("Job is in held state, pending scheduler release");
        hold = *priority == 0;
        if (!hold) spec.priority = *priority;
        continue;
      }
      const Applied applied = apply(spec, change);
      if (applied == Applied::no_such_key) {
        std::fprintf(stderr, "Update of this parameter is not supported: %s=%s\nRequest aborted\n", change.key.c_str(),
                     change.value.c_str());
        return k_exit_failure;
      }
      if (applied == Applied::bad_value) {
        print_error("scontrol", fmt::format("Invalid {} value", change.key));
        return k_exit_failure;
      }
    }
    Result<NoBody> done =
        client.post_as<NoBody>(fmt::format("/v1/jobs/{}/spec", ref.text()), spec, Client::Retry::safe);
    if (done && hold) {
      done = client.post_as<NoBody>(fmt::format("/v1/jobs/{}/hold", ref.text()), NoBody{}, Client::Retry::safe);
    }
    if (done) continue;
    if (done.error().code == Code::unavailable) return failed("scontrol", done.error());
    return refuse(change_error(done.error()));
  }
  return k_exit_ok;
}

}  // namespace

int scontrol_update(Client& client, const std::vector<std::string>& args) {
  if (args.size() < 2) {
    std::fputs("too few arguments for update keyword\n", stderr);
    return k_exit_failure;
  }
  NodeUpdate node;
  std::string job;
  std::optional<std::string> partition;
  bool is_node = false;
  std::vector<JobChange> others;
  for (std::size_t i = 1; i < args.size(); ++i) {
    const std::size_t equal = args[i].find('=');
    const std::string key = args[i].substr(0, equal);
    const std::string value = equal == args[i].npos ? "" : args[i].substr(equal + 1);
    if (same_word(key, "partitionname")) {
      partition = value;
      continue;
    }
    if (same_word(key, "reservationname") && job.empty()) {
      print_error("scontrol", fmt::format("update {} is not supported: write it into virga.toml, then scontrol "
                                          "reconfigure",
                                          key));
      return k_exit_failure;
    }
    if (same_word(key, "nodename")) {
      node.nodes = value;
      is_node = true;
    } else if (same_word(key, "jobid")) {
      job = value;
    } else {
      others.push_back({key, value});
    }
  }
  if (!job.empty()) return update_job(client, job, others);
  if (partition) return update_partition(client, *partition, others);
  for (const JobChange& other : others) {
    if (same_word(other.key, "state")) {
      node.state = other.value;
    } else if (same_word(other.key, "reason")) {
      node.reason = other.value;
    } else if (is_node) {
      std::fprintf(stderr, "Invalid input: %s=%s\nRequest aborted\n", other.key.c_str(), other.value.c_str());
      return k_exit_failure;
    }
  }
  if (is_node) return update_nodes(client, node);
  std::fputs(
      "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \"Reservation\", "
      "\"JobId\", or \"SlurmctldDebug\"\n",
      stderr);
  return k_exit_failure;
}

}  // namespace virga
