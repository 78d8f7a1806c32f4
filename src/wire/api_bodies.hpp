// The bodies of the API's requests and answers, as client and server both see them (the routes: wire/api_routes.hpp).
//
//   auto answer = from_json_text<JobsBody>(text);
//   for (const Job& job : answer->jobs) …
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/time.hpp"
#include "brain/offers.hpp"
#include "brain/state.hpp"
#include "core/job.hpp"
#include "core/market.hpp"
#include "core/vm.hpp"
#include "wire/cancel_body.hpp"
#include "wire/foreign_body.hpp"

namespace virga {

/// A body without members: `{}`.
struct NoBody {
  template <class Self, class V>
  static void visit(Self&, V&&) {}
};

struct PingBody {
  std::string version;
  std::uint32_t pid = 0;
  std::string cluster;
  std::string state;  ///< "up" or "shutting_down"
  Seq seq;            ///< of the last durable event

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version);
    v("pid", s.pid);
    v("cluster", s.cluster);
    v("state", s.state);
    v("seq", s.seq);
  }
};

struct JournalInfoBody {
  Seq first;  ///< oldest event still kept; 0 when empty
  Seq last;
  Time last_time;
  Seq snapshot;
  std::uint64_t bytes = 0;
  std::uint64_t archived_jobs = 0;
  std::uint32_t schema_version = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("first", s.first);
    v("last", s.last);
    v("last_time", s.last_time);
    v("snapshot", s.snapshot);
    v("bytes", s.bytes);
    v("archived_jobs", s.archived_jobs);
    v("schema_version", s.schema_version);
  }
};

struct VmCounts {
  std::uint32_t requested = 0;
  std::uint32_t booting = 0;
  std::uint32_t ready = 0;
  std::uint32_t releasing = 0;
  std::uint32_t total = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("requested", s.requested);
    v("booting", s.booting);
    v("ready", s.ready);
    v("releasing", s.releasing);
    v("total", s.total);
  }
};

struct PoolStatus {
  std::string name;
  std::string cloud;
  std::string sku;
  std::uint32_t max = 0;
  VmCounts vms_by_state;
  std::optional<PoolBackoff> backoff;  ///< why the cloud is not asked now
  std::string cluster;                 ///< of several clusters of Slurm, that of its nodes

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("cloud", s.cloud);
    v("sku", s.sku);
    v("max", s.max);
    v("vms_by_state", s.vms_by_state);
    v("backoff", s.backoff);
    v("cluster", s.cluster);
  }
};

/// One of several controllers, and where its API is.
struct ControllerBody {
  std::string name;
  std::string host;
  std::uint32_t pid = 0;
  std::string socket;  ///< on its host
  std::string url;     ///< over TCP; "" if it does not listen there

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("host", s.host);
    v("pid", s.pid);
    v("socket", s.socket);
    v("url", s.url);
  }
};

struct FollowerBody {
  ControllerBody controller;
  std::uint64_t lag_events = 0;  ///< events that it did not know when it last told
  Duration seen_seconds;         ///< how long ago that was

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("controller", s.controller);
    v("lag_events", s.lag_events);
    v("seen_seconds", s.seen_seconds);
  }
};

struct TakeoverBody {
  Time at;
  std::string from;
  std::string to;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("at", s.at);
    v("from", s.from);
    v("to", s.to);
  }
};

/// Of a controller that shares its journal with others.
struct StandbyBody {
  std::string role;  ///< "leads" or "follows"
  ControllerBody self;
  std::uint64_t term = 0;
  std::optional<ControllerBody> leader;  ///< the last one that is known of
  bool leader_is_alive = false;
  Time leader_since;
  std::uint64_t lag_events = 0;         ///< of who answers
  std::vector<FollowerBody> followers;  ///< as the leader knows them
  std::optional<TakeoverBody> last_takeover;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("role", s.role);
    v("self", s.self);
    v("term", s.term);
    v("leader", s.leader);
    v("leader_is_alive", s.leader_is_alive);
    v("leader_since", s.leader_since);
    v("lag_events", s.lag_events);
    v("followers", s.followers);
    v("last_takeover", s.last_takeover);
  }
};

struct StatusBody {
  std::string version;
  std::uint32_t pid = 0;  ///< 0 without a daemon
  std::string cluster;
  std::string state;  ///< "up", "shutting_down", or "down" when a client read the journal itself
  std::string home;
  Seq seq;
  Duration uptime_seconds;
  JournalInfoBody journal;
  std::vector<PoolStatus> pools;
  VmCounts vms;
  std::map<std::string, std::uint64_t> jobs;  ///< by state; every state has an entry
  std::uint64_t jobs_archived = 0;            ///< ended jobs that only the accounts still know
  Money cost_usd;                             ///< of the VMs that exist now, list price since they were granted
  Money cost_per_hour_usd;                    ///< of the VMs that exist now
  std::vector<ForeignBody> foreign;           ///< ascending by cluster and number
  std::optional<StandbyBody> standby;         ///< where several controllers share the journal

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version);
    v("pid", s.pid);
    v("cluster", s.cluster);
    v("state", s.state);
    v("home", s.home);
    v("seq", s.seq);
    v("uptime_seconds", s.uptime_seconds);
    v("journal", s.journal);
    v("pools", s.pools);
    v("vms", s.vms);
    v("jobs", s.jobs);
    v("jobs_archived", s.jobs_archived);
    v("cost_usd", s.cost_usd);
    v("cost_per_hour_usd", s.cost_per_hour_usd);
    v("foreign", s.foreign);
    v("standby", s.standby);
  }
};

/// The part of the status that the state alone tells: all but version, pid, home, uptime and journal.
StatusBody status_of(const State& state, Time now);

struct VmsBody {
  Time now;
  std::vector<Vm> vms;
  std::map<std::string, NodeMark> marks;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("vms", s.vms);
    v("marks", s.marks);
  }
};

struct JobsBody {
  Time now;
  std::vector<Job> jobs;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("jobs", s.jobs);
  }
};

struct JobBody {
  Time now;
  Job job;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("job", s.job);
  }
};

struct SubmitBody {
  JobSpec spec;
  LaunchPayload payload;
  std::string idempotency_key;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("spec", s.spec);
    v("payload", s.payload);
    v("idempotency_key", s.idempotency_key);
  }
};

/// What would become of a job if it were submitted now.
struct DryRun {
  JobId next_job_id;
  std::vector<PoolOffer> offers;  ///< the cheapest first

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("next_job_id", s.next_job_id);
    v("offers", s.offers);
  }
};

struct SubmittedBody {
  JobId job_id;                       ///< 0 after a dry run
  std::vector<std::string> warnings;  ///< of the budgets that it is charged to, and of the training that it names
  std::optional<DryRun> dry_run;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job_id", s.job_id);
    v("warnings", s.warnings);
    v("dry_run", s.dry_run);
  }
};

struct SignalBody {
  std::uint32_t signal = 0;
  bool batch_shell_only = false;
  std::uint32_t step = k_no_step;
  bool whole_job = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("signal", s.signal);
    v("batch_shell_only", s.batch_shell_only);
    v("step", s.step);
    v("whole_job", s.whole_job);
  }
};

struct StartStepBody {
  std::string name;
  std::uint32_t nodes = 0;
  std::uint32_t tasks = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("nodes", s.nodes);
    v("tasks", s.tasks);
  }
};

struct StepStartedBody {
  std::uint32_t step_id = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("step_id", s.step_id);
  }
};

struct EndStepBody {
  ExitStatus exit;
  Usage usage;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("exit", s.exit);
    v("usage", s.usage);
  }
};

struct CheckpointBody {
  std::uint64_t step = 0;
  std::uint64_t bytes = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("step", s.step);
    v("bytes", s.bytes);
  }
};

struct NodeBody {
  bool drained = false;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("drained", s.drained);
    v("reason", s.reason);
  }
};

struct AccountedVmsBody {
  std::vector<VmRecord> vms;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vms", s.vms);
  }
};

struct BudgetStatus {
  std::string tenant;
  BudgetPeriod period = BudgetPeriod::none;
  Money budget;
  Money spent;      ///< in this period
  Money committed;  ///< what jobs that hold nodes, or will, may still cost
  std::uint32_t warn_percent = 0;
  std::string warning;  ///< one line; empty below that share

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tenant", s.tenant);
    v("period", s.period);
    v("budget", s.budget);
    v("spent", s.spent);
    v("committed", s.committed);
    v("warn_percent", s.warn_percent);
    v("warning", s.warning);
  }
};

struct BudgetsBody {
  Time now;
  std::vector<BudgetStatus> budgets;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("budgets", s.budgets);
  }
};

struct OffersBody {
  Time now;
  std::vector<PoolOffer> offers;    ///< the cheapest first
  std::vector<MarketOffer> market;  ///< those of the clouds that are about these pools
  std::string market_failure;       ///< why quotas or restrictions are unknown; empty if all was answered

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("offers", s.offers);
    v("market", s.market);
    v("market_failure", s.market_failure);
  }
};

struct MarketRow : MarketOffer {
  std::optional<Duration> wait;  ///< for a job in the quickest of the pools; null: there is none, or it is not known

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    MarketOffer::visit(s, v);
    v("wait", s.wait);
  }
};

struct MarketBody {
  Time now;
  std::vector<MarketRow> offers;  ///< by size, region, price class and cloud
  std::string failure;            ///< why quotas or restrictions are unknown; empty if all was answered

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("offers", s.offers);
    v("failure", s.failure);
  }
};

struct ShutdownBody {
  bool cancel_jobs = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cancel_jobs", s.cancel_jobs);
  }
};

struct JournalBody {
  JournalInfoBody info;
  Seq seq;
  std::string digest;  ///< of the state after `seq`, 16 hexadecimal digits

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("info", s.info);
    v("seq", s.seq);
    v("digest", s.digest);
  }
};

struct BackupBody {
  std::string path;  ///< absolute; must not exist

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("path", s.path);
  }
};

/// application/problem+json (RFC 9457) with Virga's own `code` and `retryable`.
struct ProblemBody {
  std::string type;
  std::string title;
  std::uint32_t status = 0;
  std::string code;
  std::string detail;
  bool retryable = false;
  std::optional<ControllerBody> leader;  ///< of 421 Misdirected Request: who can do it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("type", s.type);
    v("title", s.title);
    v("status", s.status);
    v("code", s.code);
    v("detail", s.detail);
    v("retryable", s.retryable);
    v("leader", s.leader);
  }
};

}  // namespace virga
