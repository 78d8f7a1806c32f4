// The documents of v0.0.38 that only the REST interface has; those of `--json` are in slurm_json.hpp.
#include <algorithm>

#include "wire/hostlist.hpp"
#include "wire/slurm_document.hpp"
#include "wire/slurm_rest.hpp"

namespace virga {
namespace {

std::string ping(const SlurmRestSite& site) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm);
  w.key("pings");
  w.begin_array();
  w.begin_object();
  w("hostname", site.controller);
  w("ping", "UP");
  w("status", 0);
  w("mode", "primary");
  w.end_object();
  w.end_array();
  w.end_object();
  return w.take();
}

/// What slurmctld counts of its own threads and scheduling cycles has no counterpart here, and is 0.
std::string diag(const SlurmRestSite& site) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm);
  w.key("statistics");
  w.begin_object();
  w.key("rpcs_by_message_type");
  w.put_json("[]");
  w.key("rpcs_by_user");
  w.put_json("[]");
  w("parts_packed", 1);
  w("req_time", site.site.now.whole_seconds());
  for (const char* key :
       {"req_time_start", "server_thread_count", "agent_queue_size", "agent_count", "agent_thread_count",
        "dbd_agent_queue_size", "gettimeofday_latency", "schedule_cycle_max", "schedule_cycle_last",
        "schedule_cycle_total", "schedule_cycle_mean", "schedule_cycle_mean_depth", "schedule_cycle_per_minute"}) {
    w(key, 0);
  }
  w("schedule_queue_length", site.jobs_pending);
  w("jobs_submitted", site.jobs_submitted);
  for (const char* key : {"jobs_started", "jobs_completed", "jobs_canceled", "jobs_failed"}) w(key, 0);
  w("jobs_pending", site.jobs_pending);
  w("jobs_running", site.jobs_running);
  w("job_states_ts", site.site.now.whole_seconds());
  for (const char* key :
       {"bf_backfilled_jobs", "bf_last_backfilled_jobs", "bf_backfilled_het_jobs", "bf_cycle_counter", "bf_cycle_mean",
        "bf_depth_mean", "bf_depth_mean_try", "bf_cycle_last", "bf_cycle_max", "bf_queue_len", "bf_queue_len_mean",
        "bf_table_size", "bf_table_size_mean", "bf_when_last_cycle"}) {
    w(key, 0);
  }
  w("bf_active", false);
  w.end_object();
  w.end_object();
  return w.take();
}

std::string licenses() {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm);
  w.key("licenses");
  w.put_json("[]");
  w.end_object();
  return w.take();
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

void put_reservation(JsonWriter& w, const Reservation& reservation, const std::vector<SlurmNode>& nodes) {
  std::uint32_t cpus = 0;
  for (const SlurmNode& node : nodes) {
    const bool in_it = std::count(node.partitions.begin(), node.partitions.end(), reservation.partition) != 0;
    if (in_it) cpus = std::max(cpus, node.total.cpus);
  }
  w.begin_object();
  w("accounts", joined(reservation.tenants));
  w("burst_buffer", "");
  w("core_count", std::uint64_t{cpus} * reservation.nodes);
  w("core_spec_cnt", 0);
  w("end_time", reservation.end.whole_seconds());
  w("features", "");
  w.key("flags");
  w.put_json("[]");
  w("groups", "");
  w("licenses", "");
  w("max_start_delay", 0);
  w("name", reservation.name);
  w("node_count", reservation.nodes);
  w("node_list", "");  // which ones is decided when they are needed
  w("partition", reservation.partition);
  w.key("purge_completed");
  w.put_json(R"({"time":0})");
  w("start_time", reservation.start.whole_seconds());
  w("watts", 0);
  w("tres", "cpu=" + std::to_string(std::uint64_t{cpus} * reservation.nodes));
  w("users", joined(reservation.users));
  w.end_object();
}

std::string reservations(const Config& config, const std::vector<SlurmNode>& nodes, std::string_view name,
                         const SlurmRestErrors& errors) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm, errors);
  w.key("reservations");
  w.begin_array();
  for (const Reservation& reservation : config.reservations) {
    if (name.empty() || reservation.name == name) put_reservation(w, reservation, nodes);
  }
  w.end_array();
  w.end_object();
  return w.take();
}

std::string failed(SlurmOperation what, const SlurmRestErrors& errors) {
  JsonWriter w;
  begin_slurm_document(w, what < SlurmOperation::accounted_jobs ? SlurmPlugin::slurm : SlurmPlugin::slurmdb, errors);
  w.end_object();
  return w.take();
}

}  // namespace

const SlurmRestCodec k_slurm_rest_v0_0_38 = {
    .version = "v0.0.38",
    .ping = ping,
    .diag = diag,
    .licenses = licenses,
    .jobs = slurm_jobs_json,
    .nodes = slurm_nodes_json,
    .partitions = slurm_partitions_json,
    .reservations = reservations,
    .accounted_jobs = slurm_accounts_json,
    .database = slurm_rest_database,
    .failed = failed,
};

}  // namespace virga
