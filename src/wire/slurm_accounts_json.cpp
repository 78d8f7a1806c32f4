// The accounting half of slurm_json.hpp: dbv0.0.38, what `sacct --json` prints.
#include "wire/group_name.hpp"
#include "wire/hostlist.hpp"
#include "wire/json_codec.hpp"
#include "wire/slurm_document.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

void put_cpu_time(JsonWriter& w, std::string_view key, Duration d) {
  w.key(key);
  w.begin_object();
  w("seconds", d.whole_seconds());
  w("microseconds", d.ns / 1000 % 1'000'000);
  w.end_object();
}

void put_exit(JsonWriter& w, std::string_view key, ExitStatus exit) {
  w.key(key);
  w.begin_object();
  w("status", exit.signal != 0 ? "SIGNALED" : exit.code != 0 ? "ERROR" : "SUCCESS");
  w("return_code", exit.code);
  if (exit.signal != 0) {
    w.key("signal");
    w.begin_object();
    w("signal_id", exit.signal);
    w("name", signal_name(exit.signal));
    w.end_object();
  }
  w.end_object();
}

void put_tres_entry(JsonWriter& w, std::string_view type, std::string_view name, int id, std::uint64_t count) {
  w.begin_object();
  w("type", type);
  name.empty() ? put_null(w, "name") : w("name", name);
  w("id", id);
  w("count", count);
  w.end_object();
}

void put_tres(JsonWriter& w, std::string_view key, const Resources& share, std::uint64_t nodes) {
  w.key(key);
  w.begin_array();
  if (nodes != 0) {
    put_tres_entry(w, "cpu", "", 1, share.cpus * nodes);
    if (share.memory_bytes != 0) put_tres_entry(w, "mem", "", 2, (share.memory_bytes >> 20) * nodes);
    put_tres_entry(w, "node", "", 4, nodes);
    put_tres_entry(w, "billing", "", 5, share.cpus * nodes);
    if (share.gpus != 0) put_tres_entry(w, "gres", "gpu", 1001, share.gpus * nodes);
  }
  w.end_array();
}

/// One step's row: of the batch script, or of one srun.
struct StepRow {
  std::string_view name;
  const Step* step = nullptr;  ///< null: the batch script
};

void put_step_use(JsonWriter& w, const Usage& usage) {
  w.key("tres");
  w.begin_object();
  for (const char* which : {"requested", "consumed"}) {
    w.key(which);
    w.begin_object();
    for (const char* kind : {"max", "min", "average", "total"}) {
      w.key(kind);
      w.begin_array();
      const bool told = std::string_view(which) == "consumed" && std::string_view(kind) == "max";
      if (told && usage.max_rss_bytes != 0) put_tres_entry(w, "mem", "", 2, usage.max_rss_bytes);
      w.end_array();
    }
    w.end_object();
  }
}

void put_step(JsonWriter& w, const Job& job, const StepRow& row, Time now) {
  const Step* step = row.step;
  const Usage& usage = step != nullptr ? step->usage : job.usage;
  const std::size_t count = step != nullptr ? std::min<std::size_t>(step->nodes, job.nodes.size()) : 1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(count, job.nodes.size()); ++i) names.push_back(job.nodes[i].name);
  const Time start = step != nullptr ? step->started : job.started;
  const Time end = step != nullptr ? step->ended : job.ended;
  const JobState state = step != nullptr ? step->state : job.state;

  w.begin_object();
  w.key("nodes");
  w.begin_object();
  w("list", names);
  w("count", names.size());
  w("range", compress_hostlist(names));
  w.end_object();
  put_step_use(w, usage);
  put_tres(w, "allocated", job.spec->per_node, names.size());
  w.end_object();  // of "tres", which put_step_use() began
  w.key("time");
  w.begin_object();
  w("elapsed", start.is_set() ? ((end.is_set() ? end : now) - start).whole_seconds() : 0);
  w("end", end.whole_seconds());
  w("start", start.whole_seconds());
  w("suspended", 0);
  put_cpu_time(w, "system", usage.system_cpu);
  put_cpu_time(w, "total", usage.system_cpu + usage.user_cpu);
  put_cpu_time(w, "user", usage.user_cpu);
  w.end_object();
  put_exit(w, "exit_code", step != nullptr ? step->exit : job.exit);
  w.key("tasks");
  w.begin_object();
  w("count", step != nullptr ? step->tasks : 1);
  w.end_object();
  put_null(w, "pid");
  w.key("CPU");
  w.put_json(R"({"requested_frequency":{"min":0,"max":0},"governor":[]})");
  put_null(w, "kill_request_user");
  w("state", state);
  w.key("statistics");
  w.put_json(R"({"CPU":{"actual_frequency":0},"energy":{"consumed":0}})");
  w.key("step");
  w.begin_object();
  w("job_id", job.id);
  w.key("het");
  w.put_json(R"({"component":null})");
  step != nullptr ? w("id", step->id) : w("id", "batch");
  w("name", row.name);
  w.end_object();
  w.key("task");
  w.put_json(R"({"distribution":"Block"})");
  w.end_object();
}

void put_job_time(JsonWriter& w, const Job& job, Time now) {
  w.key("time");
  w.begin_object();
  w("elapsed", job_run_time(job, now).whole_seconds());
  w("eligible", job.eligible.whole_seconds());
  w("end", is_final(job.state) ? job.ended.whole_seconds() : 0);
  w("start", job.started.whole_seconds());
  w("submission", job.submitted.whole_seconds());
  w("suspended", job.suspended_for.whole_seconds());
  put_cpu_time(w, "system", job.usage.system_cpu);
  if (job.spec->time_limit.is_infinite()) {
    put_null(w, "limit");
  } else {
    w("limit", (job.spec->time_limit.whole_seconds() + 59) / 60);
  }
  put_cpu_time(w, "total", job.usage.system_cpu + job.usage.user_cpu);
  put_cpu_time(w, "user", job.usage.user_cpu);
  w.end_object();
}

void put_job_head(JsonWriter& w, const Job& job, const SlurmSite& site) {
  w("account", job.spec->account);
  w.key("comment");
  w.begin_object();
  put_null(w, "administrator");
  job.spec->comment.empty() ? put_null(w, "job") : w("job", job.spec->comment);
  put_null(w, "system");
  w.end_object();
  w("allocation_nodes", job.nodes.size());
  w.key("array");
  w.put_json(R"({"job_id":0,"limits":{"max":{"running":{"tasks":0}}},"task":null,"task_id":null})");
  w.key("association");
  w.begin_object();
  w("account", job.spec->account);
  w("cluster", site.cluster);
  put_null(w, "partition");
  w("user", job.owner.user);
  w.end_object();
  w("cluster", site.cluster);
  w("constraints", "");
  put_null(w, "container");
  put_exit(w, "derived_exit_code", {});
}

void put_accounted_job(JsonWriter& w, const Job& job, const SlurmSite& site) {
  w.begin_object();
  put_job_head(w, job, site);
  put_job_time(w, job, site.now);
  // A job that was cancelled has no exit code of its own; its batch script has.
  put_exit(w, "exit_code", job.state == JobState::cancelled ? ExitStatus{} : job.exit);
  w.key("flags");
  w.begin_array();
  w.end_array();
  w("group", group_name(job.owner.gid));
  w.key("het");
  w.put_json(R"({"job_id":0,"job_offset":null})");
  w("job_id", job.id);
  w("name", job.spec->name);
  w.key("mcs");
  w.put_json(R"({"label":""})");
  w("nodes", job.nodes.empty() ? "None assigned" : job_node_list(job));
  w("partition", job.spec->partition);
  w("priority", shown_priority(job));
  w("qos", shown_qos(job.spec));
  w.key("required");
  w.begin_object();
  w("CPUs", job.spec->per_node.cpus * job.spec->nodes);
  w("memory", job.spec->per_node.memory_bytes >> 20);
  w.end_object();
  put_null(w, "kill_request_user");
  w.key("reservation");
  w.put_json(R"({"id":0,"name":0})");
  w.key("state");
  w.begin_object();
  w("current", slurm_state(job));
  w("reason", slurm_reason(job));
  w.end_object();
  w.key("steps");
  w.begin_array();
  if (job.spec->kind == JobKind::batch && job.started.is_set()) put_step(w, job, {.name = "batch"}, site.now);
  for (const Step& step : job.steps) put_step(w, job, {.name = step.name, .step = &step}, site.now);
  w.end_array();
  w.key("tres");
  w.begin_object();
  put_tres(w, "allocated", job.spec->per_node, job.nodes.size());
  put_tres(w, "requested", job.spec->per_node, job.spec->nodes);
  w.end_object();
  w("user", job.owner.user);
  w.key("wckey");
  w.put_json(R"({"wckey":"","flags":[]})");
  w("working_directory", job.spec->work_dir);
  w.end_object();
}

}  // namespace

std::string slurm_accounts_json(const std::vector<Job>& jobs, const SlurmSite& site, const SlurmRestErrors& errors) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurmdb, errors);
  w.key("jobs");
  w.begin_array();
  for (const Job& job : jobs) put_accounted_job(w, job, site);
  w.end_array();
  w.end_object();
  return w.take();
}

}  // namespace virga
