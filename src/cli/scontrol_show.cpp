// scontrol show ENTITY [NAME]
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

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

int show_jobs(Client& client, const std::string& name, const ScontrolOptions& o) {
  JobsBody body;
  if (name.empty()) {
    Result<JobsBody> all = client.get_as<JobsBody>("/v1/jobs");
    if (!all) return failed("scontrol", all.error());
    body = std::move(*all);
  } else {
    const std::vector<JobRef> refs = job_refs(name);
    Result<JobsBody> one = fail(Code::not_found, "");
    if (!refs.empty()) one = client.get_as<JobsBody>(fmt::format("/v1/jobs?ids={}", refs.front().job.value));
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
      std::fputs("slurm_load_jobs error: Invalid job id specified\n", stderr);
      return k_exit_failure;
    }
    body = std::move(*one);
  }
  if (o.json) {
    Result<PingBody> ping = client.get_as<PingBody>("/v1/ping");
    if (!ping) return failed("scontrol", ping.error());
    return shown(slurm_jobs_json(body.jobs, {ping->cluster, body.now}) + "\n");
  }
  std::string text;
  for (const Job& job : body.jobs) text += job_record(job, body.now, o);
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
  for (const SlurmNode& node : world->nodes) text += node_record(node, o.one_line);
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
  const auto row = [](std::string_view key, const std::string& value) {
    return fmt::format("{:<23} = {}\n", key, value);
  };
  std::string text = row("AccountingStorageType", "accounting_storage/virga");
  text += row("ClusterName", config->cluster_name);
  text += row("JobRequeue", "1");
  text += row("KillWait", fmt::format("{} sec", config->kill_wait.whole_seconds()));
  text += row("MaxJobCount", std::to_string(config->max_jobs));
  text += row("MinJobAge", fmt::format("{} sec", config->min_job_age.whole_seconds()));
  text += row("SchedulerType", "sched/virga");
  text += row("SlurmctldHost[0]", client.address());
  text += row("SLURM_VERSION", "22.05.8");
  text += row("StateSaveLocation", status->home);
  text += row("VirgaVersion", status->version);
  for (const Pool& pool : config->pools) {
    text += row("Pool", fmt::format("{} {} max_nodes={} warm_nodes={} idle_time={}s", pool.name, pool.sku.name,
                                    pool.max_nodes, pool.warm_nodes, pool.idle_time.whole_seconds()));
  }
  text += fmt::format("\nSlurmctld(primary) at {} is UP\n", client.address());
  return shown("Configuration data as of " + local_time_text(Time::from_seconds(std::time(nullptr))) + "\n" + text);
}

int show_steps(Client& client, const std::string& name, const ScontrolOptions& o) {
  std::optional<std::uint32_t> number = name.empty() ? std::nullopt : job_number(name);
  Result<JobsBody> body =
      client.get_as<JobsBody>("/v1/jobs" + (number ? "?ids=" + std::to_string(*number) : "?state=RUNNING"));
  if (!body) return failed("scontrol", body.error());
  const std::size_t dot = name.find('.');
  std::string text;
  for (const Job& job : body->jobs) {
    for (const Step& step : job.steps) {
      if (is_final(step.state)) continue;
      if (dot != name.npos && name.substr(dot + 1) != std::to_string(step.id)) continue;
      text += step_record(job, step, o.one_line);
    }
  }
  if (text.empty() && !name.empty()) {
    std::fprintf(stdout, "Job step %s not found\n", name.c_str());
    return k_exit_failure;
  }
  return shown(text.empty() ? "No job steps in the system\n" : text);
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
  if (text.empty()) {
    print_error("scontrol", "host list is empty");
    exit_code = k_exit_ok;  // as Slurm
    return true;
  }
  Result<std::vector<std::string>> hosts = expand_hostlist(text);
  if (!hosts) {
    print_error("scontrol", hosts.error().message);
    exit_code = k_exit_failure;
    return true;
  }
  std::string out;
  if (names) {
    for (const std::string& host : *hosts) out += host + "\n";
  } else {
    if (sorted) std::sort(hosts->begin(), hosts->end());
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
  if (same_start(entity, "jobs", 1)) return show_jobs(client, name, o);
  if (same_start(entity, "nodes", 1)) return show_nodes(client, name, o);
  if (same_start(entity, "partitions", 1)) return show_partitions(client, name, o);
  if (same_start(entity, "config", 1)) return show_config(client, o);
  if (same_start(entity, "steps", 2)) return show_steps(client, name, o);
  if (same_start(entity, "daemons", 1)) return shown("virgad\n");
  for (std::string_view known : {"aliases", "assoc_mgr", "bbstat", "burstBuffer", "dwstat", "federation", "frontend",
                                 "licenses", "reservation", "slurmd", "topology"}) {
    if (same_start(entity, known, 2)) return failed("scontrol", {Code::invalid, "show " + entity + ": Virga has none"});
  }
  std::fprintf(stderr, "invalid entity:%s for keyword:show \n", entity.c_str());
  return k_exit_failure;
}

}  // namespace virga
