// scontrol show ENTITY [NAME]
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>

#include "cli/job_fields.hpp"
#include "cli/job_list.hpp"
#include "cli/lookups.hpp"
#include "cli/messages.hpp"
#include "cli/scontrol.hpp"
#include "wire/api_bodies.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

bool same_start(std::string_view given, std::string_view word, std::size_t least) {
  return given.size() >= least && given.size() <= word.size() &&
         ::strncasecmp(given.data(), word.data(), given.size()) == 0;
}

int shown(const std::string& text) { return print_out(text) ? k_exit_ok : k_exit_failure; }

/// Who asked for no memory may have all of his nodes'.
std::string tres_with_nodes_memory(const Job& job, const Config& config) {
  Resources share = job.spec->per_node;
  for (const Partition& partition : config.partitions) {
    if (partition.name != job.spec->partition) continue;
    for (const Pool& pool : config.pools) {
      if (pool.name == partition.pools.front()) share.memory_bytes = pool.sku.resources.memory_bytes;
    }
  }
  return tres_text(share, job.spec->nodes);
}

int show_jobs(Client& client, const std::string& name, const ScontrolOptions& o) {
  JobsBody body;
  if (name.empty()) {
    Result<JobsBody> all = get_jobs(client, "/v1/jobs");
    if (!all) return failed("scontrol", all.error());
    body = std::move(*all);
  } else {
    const std::vector<JobRef> refs = job_refs(name);
    Result<JobsBody> one = fail(Code::not_found, "");
    if (!refs.empty()) one = get_jobs(client, fmt::format("/v1/jobs?ids={}", refs.front().job.value));
    if (one) {  // an array with all its tasks
      std::erase_if(one->jobs, [&](const Job& job) {
        return std::none_of(refs.begin(), refs.end(), [&](const JobRef& ref) { return ref.names(job); });
      });
    }
    if (one && one->jobs.empty()) {
      // It may be in the accounts alone.
      Result<JobBody> old = client.get_as<JobBody>(fmt::format("/v1/jobs/{}", refs.front().job.value));
      if (old && refs.front().names(old->job)) {
        one = JobsBody{old->now, {old->job}};
      } else {
        one = fail(Code::not_found, "");
      }
    }
    if (!one && one.error().code != Code::not_found) return failed("scontrol", one.error());
    if (!one) {
      const char* speaker = refs.empty() ? "scontrol_print_job" : "slurm_load_jobs";
      std::fprintf(stderr, "%s error: Invalid job id specified\n", speaker);
      return k_exit_failure;
    }
    body = std::move(*one);
  }
  if (o.json) {
    Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
    if (!ping) return failed("scontrol", ping.error());
    return shown(slurm_jobs_json(body.jobs, {ping->cluster, body.now}) + "\n");
  }
  std::vector<JobRow> rows;
  for (const Job& job : body.jobs) rows.push_back({&job, nullptr, body.now});
  join_tasks(rows);
  std::optional<Config> config;  // asked for only where it is needed
  std::string text;
  for (const JobRow& row : rows) {
    Job job = *row.job;
    ScontrolOptions options = o;
    if (!row.array_tasks.empty()) {
      options.array_tasks = row.array_tasks.substr(1, row.array_tasks.size() - 2);  // without the brackets
      job.id = job.array_job;
      job.array_task = k_no_array_task;
    }
    if (job.spec->per_node.memory_bytes == 0 && job.state == JobState::pending) {
      if (!config) {
        Result<Config> answer = client.get_as<Config>("/v1/config");
        if (!answer) return failed("scontrol", answer.error());
        config = std::move(*answer);
      }
      options.tres = tres_with_nodes_memory(job, *config);
    }
    text += job_record(job, body.now, options);
  }
  return shown(body.jobs.empty() ? "No jobs in the system\n" : text);
}

struct World {
  Config config;
  std::vector<SlurmNode> nodes;
};
Result<World> look(Client& client) {
  Result<Config> config = client.get_as<Config>("/v1/config");
  if (!config) return unexpected(config.error());
  Result<VmsBody> vms = client.get_as<VmsBody>("/v1/vms");
  if (!vms) return unexpected(vms.error());
  World world;
  world.nodes = slurm_nodes(*config, *vms);
  world.config = std::move(*config);
  return world;
}

int show_nodes(Client& client, const std::string& name, const ScontrolOptions& o) {
  Result<World> world = look(client);
  if (!world) return failed("scontrol", world.error());
  if (!name.empty()) {
    Result<std::vector<std::string>> names = expand_hostlist(name);
    if (!names) return failed("scontrol", names.error());
    for (const std::string& wanted : *names) {
      if (std::any_of(world->nodes.begin(), world->nodes.end(), [&](const SlurmNode& n) { return n.name == wanted; }))
        continue;
      std::fprintf(stdout, "Node %s not found\n", wanted.c_str());
      return k_exit_failure;
    }
    std::erase_if(world->nodes, [&](const SlurmNode& node) {
      return std::find(names->begin(), names->end(), node.name) == names->end();
    });
  }
  if (o.json) return shown(slurm_nodes_json(world->nodes) + "\n");
  std::string text;
  for (const SlurmNode& node : world->nodes) text += node_record(node, o);
  return shown(text);
}

int show_partitions(Client& client, const std::string& name, const ScontrolOptions& o) {
  Result<World> world = look(client);
  if (!world) return failed("scontrol", world.error());
  if (!name.empty()) std::erase_if(world->config.partitions, [&](const Partition& p) { return p.name != name; });
  if (world->config.partitions.empty()) {
    std::fprintf(stdout, "Partition %s not found\n", name.c_str());
    return k_exit_failure;
  }
  if (o.json) return shown(slurm_partitions_json(world->config, world->nodes) + "\n");
  std::string text;
  for (const Partition& p : world->config.partitions) text += partition_record(p, world->nodes, o.one_line);
  return shown(text);
}

int show_config(Client& client, const ScontrolOptions& o) {
  Result<std::string> raw = client.get("/v1/config");
  if (!raw) return failed("scontrol", raw.error());
  if (o.json) return shown(*raw + "\n");
  Result<Config> config = from_json_text<Config>(*raw);
  Result<StatusBody> status = client.get_as<StatusBody>("/v1/status");
  if (!config || !status) return failed("scontrol", config ? status.error() : config.error());
  return shown(config_record(*config, *status, client.address()));
}

/// Those of virga.toml.
int show_reservations(Client& client, const std::string& name) {
  Result<World> world = look(client);
  if (!world) return failed("scontrol", world.error());
  std::string text;
  for (const Reservation& r : world->config.reservations) {
    if (!name.empty() && name != r.name) continue;
    std::string users;
    for (const std::string& user : r.users) users.append(users.empty() ? "" : ",").append(user);
    std::string tenants;
    for (const std::string& tenant : r.tenants) tenants.append(tenants.empty() ? "" : ",").append(tenant);
    text += fmt::format(
        "ReservationName={} StartTime={} EndTime={} Duration={}\n   Nodes=(null) NodeCnt={} CoreCnt=0 Features=(null) "
        "PartitionName={} Flags=\n   TRES=(null)\n   Users={} Groups=(null) Accounts={} Licenses=(null) "
        "State={} BurstBuffer=(null) Watts=n/a\n   MaxStartDelay=(null)\n\n",
        r.name, local_time_text(r.start), local_time_text(r.end), long_duration_text(r.end - r.start), r.nodes,
        r.partition, users.empty() ? "(null)" : users, tenants.empty() ? "(null)" : tenants,
        Time::from_seconds(std::time(nullptr)) >= r.start ? "ACTIVE" : "INACTIVE");
  }
  if (text.empty() && !name.empty()) {
    std::fprintf(stdout, "Reservation %s not found\n", name.c_str());
    return k_exit_failure;
  }
  return shown(text.empty() ? "No reservations in the system\n" : text);
}

int show_aliases(Client& client) {
  Result<World> world = look(client);
  if (!world) return failed("scontrol", world.error());
  std::string text;
  for (const SlurmNode& node : world->nodes) text.append(text.empty() ? "" : " ").append(node.name);
  return shown(text + "\n");
}

int show_steps(Client& client, const std::string& name, const ScontrolOptions& o) {
  std::optional<std::uint32_t> number = name.empty() ? std::nullopt : job_number(name);
  Result<JobsBody> body =
      get_jobs(client, "/v1/jobs" + (number ? "?ids=" + std::to_string(*number) : "?state=RUNNING"));
  if (!body) return failed("scontrol", body.error());
  const std::size_t dot = name.find('.');
  std::string text;
  for (const Job& job : body->jobs) {
    const bool all = dot == name.npos;
    const bool runs = job.state == JobState::running && job.spec->kind == JobKind::batch;
    if (runs && (all || name.substr(dot + 1) == "batch")) text += step_record(job, nullptr, o.one_line);
    for (const Step& step : job.steps) {
      if (is_final(step.state)) continue;
      if (!all && name.substr(dot + 1) != std::to_string(step.id)) continue;
      text += step_record(job, &step, o.one_line);
    }
  }
  if (body->jobs.empty() && !name.empty()) {
    std::fputs("slurm_get_job_steps error: Invalid job id specified\n", stderr);
    return k_exit_failure;
  }
  if (text.empty() && !name.empty()) {
    std::fprintf(stdout, "Job step %s not found\n", name.c_str());
    return k_exit_failure;
  }
  return shown(text.empty() ? "No job steps in the system\n" : text);
}

}  // namespace

namespace {

/// n2 before n10.
bool comes_before(const std::string& a, const std::string& b) {
  const auto digits = [](const std::string& s) { return s.find_last_not_of("0123456789") + 1; };
  const std::size_t x = digits(a);
  const std::size_t y = digits(b);
  if (a.compare(0, x, b, 0, y) != 0) return a.compare(0, x, b, 0, y) < 0;
  if (a.size() - x != b.size() - y && a[x] != '0' && b[y] != '0') return a.size() - x < b.size() - y;
  return a < b;
}

/// A path names a file with a host on each line.
Result<std::string> hosts_of(const std::string& text) {
  if (text.find('/') == text.npos) return text;
  std::ifstream file(text);
  if (!file) return fail(Code::not_found, "cannot read the file " + text);
  std::string list;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#') list.append(list.empty() ? "" : ",").append(line);
  }
  return list;
}

}  // namespace

bool scontrol_show_hosts(const std::vector<std::string>& args, int& exit_code) {
  if (args.size() < 2 || !same_start(args[0], "show", 1)) return false;
  const std::string& what = args[1];
  const bool names = same_start(what, "hostnames", 5) && what.size() > 4 && !same_start(what, "hostlist", 5);
  const bool sorted = same_start(what, "hostlistsorted", 9);
  const bool list = same_start(what, "hostlist", 5);
  if (!names && !sorted && !list) return false;
  const char* of_job = std::getenv("SLURM_JOB_NODELIST");
  const std::string text = args.size() > 2 ? args[2] : of_job != nullptr ? of_job : "";
  exit_code = k_exit_ok;
  if (text.empty()) {  // an empty list that was given is one
    if (args.size() < 3) print_error("scontrol", "host list is empty");
    return true;
  }
  const Result<std::string> list_text = hosts_of(text);
  Result<std::vector<std::string>> hosts =
      list_text ? expand_hostlist(*list_text) : Result<std::vector<std::string>>(unexpected(list_text.error()));
  if (!hosts) {
    print_error("scontrol", hosts.error().message);
    exit_code = k_exit_failure;
    return true;
  }
  std::string out;
  if (names) {
    for (const std::string& host : *hosts) out += host + "\n";
  } else {
    if (sorted) std::stable_sort(hosts->begin(), hosts->end(), comes_before);
    out = compress_hostlist(*hosts) + "\n";
  }
  exit_code = shown(out);
  return true;
}

int scontrol_show(Client& client, const std::vector<std::string>& args, const ScontrolOptions& o) {
  if (args.size() < 2) {
    std::fputs("too few arguments for keyword:show\n", stderr);
    return k_exit_failure;
  }
  std::string entity = args[1];
  std::string name = args.size() > 2 ? args[2] : "";
  if (const std::size_t equal = entity.find('='); equal != entity.npos) {  // show job=7
    name = entity.substr(equal + 1);
    entity.resize(equal);
  }
  if (same_start(entity, "jobs", 1) || same_start(entity, "jobid", 4)) return show_jobs(client, name, o);
  if (same_start(entity, "nodes", 1)) return show_nodes(client, name, o);
  if (same_start(entity, "partitions", 1)) return show_partitions(client, name, o);
  if (same_start(entity, "config", 1)) return show_config(client, o);
  if (same_start(entity, "steps", 2)) return show_steps(client, name, o);
  if (same_start(entity, "daemons", 1)) return shown("slurmctld slurmd\n");
  if (same_start(entity, "licenses", 2)) return shown("No licenses configured in Slurm.\n");
  if (same_start(entity, "reservation", 1)) return show_reservations(client, name);
  if (same_start(entity, "aliases", 2)) return show_aliases(client);
  if (same_start(entity, "topology", 1)) {
    print_error("scontrol", "No topology information available");
    return k_exit_ok;
  }
  for (std::string_view known : {"assoc_mgr", "bbstat", "burstBuffer", "dwstat", "federation", "frontend", "slurmd"}) {
    if (same_start(entity, known, 2)) return failed("scontrol", {Code::invalid, "show " + entity + ": Virga has none"});
  }
  std::fprintf(stderr, "invalid entity:%s for keyword:show \n", entity.c_str());
  return k_exit_failure;
}

}  // namespace virga
