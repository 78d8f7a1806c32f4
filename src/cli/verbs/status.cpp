// `virga status`: what the controller says, or, without one, what its journal says.
#include <fmt/format.h>

#include "brain/brain.hpp"
#include "cli/client.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/api_bodies.hpp"
#include "wire/words.hpp"

namespace virga {

namespace {

/// The status as the journal tells it; "no journal yet" is an empty, true answer.
Result<StatusBody> status_from_journal(const VerbHooks& hooks, const Home& home) {
  Brain brain;
  Result<std::unique_ptr<Journal>> journal = hooks.open_journal_to_read(home);
  JournalInfoBody info;
  if (journal) {
    Result<JournalInfo> known = (*journal)->info();
    if (!known) return unexpected(known.error());
    info = {known->first, known->last,          known->last_time,     known->snapshot,
            known->bytes, known->archived_jobs, known->schema_version};
    Result<std::optional<Snapshot>> snapshot = (*journal)->newest_snapshot();
    if (!snapshot) return unexpected(snapshot.error());
    Seq from;
    if (*snapshot) {
      Result<Brain> loaded = Brain::load((*snapshot)->state);
      if (!loaded) return unexpected(loaded.error());
      brain = *std::move(loaded);
      from = (*snapshot)->seq;
    }
    Status read = (*journal)->read(from, [&](Seq seq, const Event& event) {
      brain.apply(seq, event);
      brain.take_commands();
      return true;
    });
    if (!read) return unexpected(read.error());
  } else if (journal.error().code != Code::not_found) {
    return unexpected(journal.error());
  }
  StatusBody status = status_of(brain.state(), brain.state().now);
  status.version = VIRGA_VERSION;
  status.state = "down";
  status.home = home.path;
  status.journal = info;
  return status;
}

void print_standby(const StandbyBody& s) {
  const std::string since = s.leader_since.is_set() ? iso8601(s.leader_since) : "never";
  if (!s.leader) {
    fmt::print("controllers: nobody leads yet\n");
  } else {
    fmt::print("controllers: {} on {} {} since {}, term {}\n", s.leader->name, s.leader->host,
               s.leader_is_alive ? "leads" : "led, but is not heard of,", since, s.term);
  }
  if (s.role == "follows") fmt::print("     {} follows, {} events behind (this answer)\n", s.self.name, s.lag_events);
  for (const FollowerBody& follower : s.followers) {
    fmt::print("     {} on {} follows, {} events behind {} ago\n", follower.controller.name, follower.controller.host,
               follower.lag_events, seconds_text(follower.seen_seconds));
  }
  if (s.last_takeover) {
    fmt::print("     last takeover at {}: from {} to {}\n", iso8601(s.last_takeover->at), s.last_takeover->from,
               s.last_takeover->to);
  }
}

void print_status(const StatusBody& s) {
  if (s.state == "down") {
    fmt::print("{}: no controller runs; this is what the journal in {} says\n", s.cluster, s.home);
  } else {
    fmt::print("{}: {} for {}, pid {}, version {}, in {}\n", s.cluster, s.state == "up" ? "up" : "shutting down",
               seconds_text(s.uptime_seconds), s.pid, s.version, s.home);
  }
  if (s.standby) print_standby(*s.standby);
  for (const PoolStatus& pool : s.pools) {
    const VmCounts& vms = pool.vms_by_state;
    fmt::print("pool {:<10} {} of {} nodes: {} ready, {} booting, {} requested, {} releasing  ({} on {}{}{})\n",
               pool.name, vms.total, pool.max, vms.ready, vms.booting, vms.requested, vms.releasing, pool.sku,
               pool.cloud, pool.cluster.empty() ? "" : ", Slurm's cluster ", pool.cluster);
    if (pool.backoff) fmt::print("     refused ({}): {}\n", name_of(pool.backoff->refusal), pool.backoff->message);
  }
  std::string jobs;
  for (const auto& [state, count] : s.jobs) {
    if (count > 0) jobs += fmt::format("{}{} {}", jobs.empty() ? "" : ", ", count, state);
  }
  fmt::print("jobs: {}; {} more in the accounts\n", jobs.empty() ? "none" : jobs, s.jobs_archived);
  if (!s.foreign.empty()) {
    std::string foreign;
    for (const ForeignBody& job : s.foreign) {
      foreign += fmt::format("{}job {} of {}{}{} on {}", foreign.empty() ? "" : ", ", job.job, job.user,
                             job.cluster.empty() ? "" : " in ", job.cluster, job.nodes);
    }
    fmt::print("past Virga: {}: {}\n", s.foreign.size(), foreign);
  }
  fmt::print("cost: {} an hour now, {} so far for the nodes that exist (list price)\n", usd_text(s.cost_per_hour_usd),
             usd_text(s.cost_usd));
  fmt::print("journal: event {}, {} bytes\n", s.journal.last.value, s.journal.bytes);
}

}  // namespace

int status_verb(const VerbHooks& hooks, bool json) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  client->set_patience({});
  Result<StatusBody> status = client->get_as<StatusBody>("/v1/status");
  if (!status && status.error().code == Code::unavailable) {
    Result<Home> home = home_from_environment();
    if (!home) return complain(home.error());
    status = status_from_journal(hooks, *home);
  }
  if (!status) return complain(status.error());
  if (json) {
    fmt::print("{}\n", to_json_text(*status));
  } else {
    print_status(*status);
  }
  return 0;
}

int doctor_verb(const VerbHooks& hooks, bool json) {
  DoctorReport report = hooks.examine_machine();
  if (json) {
    fmt::print("{}\n", to_json_text(report));
    return 0;
  }
  fmt::print("nodes on this machine: {} ({})\n", report.tier, report.tier_text);
  for (const DoctorLine& line : report.lines) {
    fmt::print("  {} {}{}{}\n", line.ok ? "yes" : "no ", line.what, line.text.empty() ? "" : ": ", line.text);
  }
  return 0;
}

int doctor_azure_verb(const VerbHooks& hooks, bool json) {
  const Result<CheckReport> report = hooks.examine_azure();
  if (!report) return complain(report.error());
  if (json) {
    fmt::print("{}\n", to_json_text(*report));
  } else {
    for (const Check& check : report->checks) {
      fmt::print("{:<7}  {}: {}\n", name_of(check.verdict), check.what, check.text);
      if (!check.remedy.empty()) fmt::print("         -> {}\n", check.remedy);
    }
  }
  return report->has_failed() ? 1 : 0;
}

int env_verb(const VerbHooks& hooks) {
  Result<Home> home = home_from_environment();
  if (!home) return complain(home.error());
  fmt::print("export VIRGA_HOME={}\n", shell_quoted(home->path));
  fmt::print("export PATH={}:\"$PATH\"\n", shell_quoted(hooks.bin_dir));
  return 0;
}

}  // namespace virga
