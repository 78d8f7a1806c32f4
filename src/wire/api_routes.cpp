#include "wire/api_routes.hpp"

#include "brain/explanation.hpp"
#include "brain/offers.hpp"
#include "wire/api_bodies.hpp"
#include "wire/api_schema.hpp"
#include "wire/cost_report.hpp"
#include "wire/partition_body.hpp"
#include "wire/priorities_body.hpp"

namespace virga {
namespace {

template <class T>
std::string body(SchemaBook& book) {
  return book.schema<T>();
}

constexpr QueryParameter k_ids{"ids", "string", "job ids with commas between them; all when absent"};
constexpr QueryParameter k_layout{
    "layout", "integer", "for Virga's own commands: a binary answer if the server knows this layout, else JSON"};
constexpr QueryParameter k_uid{"uid", "integer", "only jobs of this numeric user id"};

Route job_action(Operation operation, std::string_view path, std::string_view name, std::string_view summary,
                 std::string_view description) {
  return {operation, "POST", path, name, summary, description, {}, body<NoBody>, body<NoBody>};
}

Route jobs_route() {
  return {Operation::jobs,
          "GET",
          "/v1/jobs",
          "jobs",
          "Jobs that wait, live, or ended lately",
          "Jobs that ended longer ago than min_job_age are in /v1/accounting/jobs.",
          {k_ids,
           {"user", "string", "only jobs of this user name"},
           k_uid,
           {"state", "string", "job states with commas between them, such as PENDING,RUNNING"},
           {"partition", "string", "partitions with commas between them"},
           k_layout},
          nullptr,
          body<JobsBody>};
}

Route cancel_many_route() {
  return {Operation::cancel_many,
          "POST",
          "/v1/jobs/cancel",
          "cancel_many",
          "End many jobs",
          "As one call of cancel for each of them, but durable all at once. What cannot be cancelled is told, and does "
          "not keep the others.",
          {},
          body<CancelBody>,
          body<CancelledBody>};
}

Route priorities_route() {
  return {Operation::priorities,
          "GET",
          "/v1/priorities",
          "priorities",
          "What the order of waiting jobs is made of",
          "Factors of jobs that could start, and the tree of shares with what was used of them. Factors are in "
          "millionths, usage in node-milliseconds. Who may not see others' jobs gets his own.",
          {},
          nullptr,
          body<PrioritiesBody>};
}

Route change_route() {
  return {Operation::change_job,
          "POST",
          "/v1/jobs/{id}/spec",
          "change_job",
          "Write anew what a job asks for",
          "The whole specification, as GET tells it, with what shall be another one. Of a job that has begun its name, "
          "comment, nice value, requeueing, array limit and time limit may change; only operators lengthen that.",
          {},
          body<JobSpec>,
          body<NoBody>};
}

std::vector<Route> job_routes() {
  using O = Operation;
  return {
      jobs_route(),
      {O::job,
       "GET",
       "/v1/jobs/{id}",
       "job",
       "One job",
       "Also one that only the accounts still know.",
       {},
       nullptr,
       body<JobBody>},
      {O::submit,
       "POST",
       "/v1/jobs",
       "submit",
       "Submit a job",
       "Durable when it is answered. A second submission with the same idempotency_key and user answers the first "
       "one's id.",
       {{"dry_run", "boolean", "true: check only; job_id is 0, dry_run says what each pool could do"}},
       body<SubmitBody>,
       body<SubmittedBody>,
       201},
      job_action(O::cancel, "/v1/jobs/{id}/cancel", "cancel", "End a job",
                 "SIGTERM, then SIGKILL after kill_wait; a waiting job leaves the queue."),
      cancel_many_route(),
      job_action(O::hold, "/v1/jobs/{id}/hold", "hold", "Keep a waiting job from starting", ""),
      job_action(O::release, "/v1/jobs/{id}/release", "release", "Let a held job start again", ""),
      job_action(O::requeue, "/v1/jobs/{id}/requeue", "requeue", "End a running batch job and put it back", ""),
      {O::signal,
       "POST",
       "/v1/jobs/{id}/signal",
       "signal",
       "Send a signal to a job's processes",
       "",
       {},
       body<SignalBody>,
       body<NoBody>},
      {O::wait,
       "GET",
       "/v1/jobs/{id}/wait",
       "wait",
       "Wait until a job has started or ended",
       "Answers when it is so (long poll). `started` is also reached by a job that has ended.",
       {{"for", "string", "started or ended (the default)"}},
       nullptr,
       body<JobBody>},
      {O::explain,
       "GET",
       "/v1/jobs/{id}/explain",
       "explain",
       "Why a job is where it is",
       "The first reason matters most.",
       {},
       nullptr,
       body<Explanation>},
      {O::script,
       "GET",
       "/v1/jobs/{id}/script",
       "script",
       "The job's script",
       "Its owner and operators may see it.",
       {},
       nullptr,
       nullptr,
       200,
       "text/plain"},
      {O::start_step,
       "POST",
       "/v1/jobs/{id}/steps",
       "start_step",
       "Record that a step starts",
       "",
       {},
       body<StartStepBody>,
       body<StepStartedBody>,
       201},
      {O::end_step,
       "POST",
       "/v1/jobs/{id}/steps/{step}/end",
       "end_step",
       "Record that a step ended",
       "",
       {},
       body<EndStepBody>,
       body<NoBody>},
      {O::checkpoint,
       "POST",
       "/v1/jobs/{id}/checkpoints",
       "checkpoint",
       "Record that a checkpoint is complete",
       "",
       {},
       body<CheckpointBody>,
       body<NoBody>},
  };
}

/// What things cost, and would.
std::vector<Route> money_routes() {
  using O = Operation;
  return {
      {O::accounted_vms,
       "GET",
       "/v1/accounting/vms",
       "accounted_vms",
       "VMs that were lent, ended and living",
       "A living VM has no `released` time, and its cost so far.",
       {},
       nullptr,
       body<AccountedVmsBody>},
      {O::cost,
       "GET",
       "/v1/accounting/cost",
       "cost",
       "What was spent on jobs and VMs",
       "Living jobs and VMs count up to now. Who may not see others' jobs gets his own, and no VMs.",
       {{"by", "string", "tenant (the default), user, job or pool: what a row is about"},
        {"since", "string", "an ISO time: only what was spent from then on"},
        {"until", "string", "an ISO time: only what was spent before"}},
       nullptr,
       body<CostBody>},
      {O::budgets,
       "GET",
       "/v1/budgets",
       "budgets",
       "Budgets, and what is left of them",
       "Operators see all, others those of tenants that they may charge and of those above.",
       {},
       nullptr,
       body<BudgetsBody>},
      {O::offers,
       "GET",
       "/v1/offers",
       "offers",
       "What each pool could do for a job now",
       "One row for each pool that could hold it, the cheapest first. Nothing is reserved.",
       {{"nodes", "integer", "how many nodes; 1 when absent"},
        {"gpus", "integer", "GPUs of each node"},
        {"minutes", "integer", "the time limit; the partition's when absent"},
        {"partition", "string", "only pools of this one"},
        {"account", "string", "the tenant that pays"}},
       nullptr,
       body<OffersBody>},
      {O::market,
       "GET",
       "/v1/market",
       "market",
       "What the clouds would lend",
       "One row for each size, region and price class, in that order. Quotas and restrictions are those of the region "
       "that is asked for, else of the one where the pools are; what is kept for some minutes. What nobody knows is "
       "null or \"unknown\", with the reason in `failure`. `wait` is that of a job of `nodes` and `gpus` in the "
       "quickest of the row's pools.",
       {{"sku", "string", "only this size"},
        {"region", "string", "only this region"},
        {"class", "string", "only this price class: on_demand, reserved or spot"},
        {"nodes", "integer", "how many nodes; 1 when absent"},
        {"gpus", "integer", "GPUs of each node"},
        {"minutes", "integer", "the time limit; the partition's when absent"},
        {"partition", "string", "only pools of this one have a wait"},
        {"account", "string", "the tenant that pays"}},
       nullptr,
       body<MarketBody>},
  };
}

/// What Slurm's operators do beside.
std::vector<Route> operator_routes() {
  using O = Operation;
  return {
      job_action(O::requeue_hold, "/v1/jobs/{id}/requeue_hold", "requeue_hold",
                 "End a running batch job, put it back, and keep it from starting", ""),
      job_action(O::user_hold, "/v1/jobs/{id}/user_hold", "user_hold",
                 "Keep a waiting job from starting as its owner would, so that he may release it", ""),
      job_action(O::suspend, "/v1/jobs/{id}/suspend", "suspend", "Let a running job stand still",
                 "It keeps its nodes; its time limit stands still with it. Operators only."),
      job_action(O::resume, "/v1/jobs/{id}/resume", "resume", "Let a suspended job go on", "Operators only."),
      {O::update_partition,
       "POST",
       "/v1/partitions/{name}",
       "update_partition",
       "Change a partition until the next reload",
       "For operators. up: its waiting jobs start; takes_jobs: jobs may be submitted to it.",
       {},
       body<PartitionBody>,
       body<NoBody>},
  };
}

std::vector<Route> other_routes() {
  using O = Operation;
  return {
      {O::ping, "GET", "/v1/ping", "ping", "Is the controller there?", "", {}, nullptr, body<PingBody>},
      {O::status, "GET", "/v1/status", "status", "The instance as a whole", "", {}, nullptr, body<StatusBody>},
      {O::config, "GET", "/v1/config", "config", "The configuration in force", "", {}, nullptr, body<Config>},
      {O::vms,
       "GET",
       "/v1/vms",
       "vms",
       "VMs (nodes) that exist, and drains that outlive them",
       "",
       {},
       nullptr,
       body<VmsBody>},
      {O::update_node,
       "POST",
       "/v1/nodes/{name}",
       "update_node",
       "Drain or resume a node",
       "For operators.",
       {},
       body<NodeBody>,
       body<NoBody>},
      {O::accounted_jobs,
       "GET",
       "/v1/accounting/jobs",
       "accounted_jobs",
       "Jobs of the accounts and living ones",
       "Requeued jobs have one record for each incarnation.",
       {k_ids,
        k_uid,
        {"ended_after", "string", "an ISO time: not those that ended before it"},
        {"started_before", "string", "an ISO time: not those that started after it"}},
       nullptr,
       body<JobsBody>},
      {O::reload,
       "POST",
       "/v1/reload",
       "reload",
       "Read virga.toml again",
       "For operators.",
       {},
       body<NoBody>,
       body<NoBody>},
      {O::shutdown,
       "POST",
       "/v1/shutdown",
       "shutdown",
       "Release every VM and end",
       "For operators. Refused while jobs hold nodes, unless cancel_jobs is true.",
       {},
       body<ShutdownBody>,
       body<NoBody>},
      {O::events,
       "GET",
       "/v1/events",
       "events",
       "Every journalled event, live",
       "One message per event: id is its sequence number, event its type, data {seq, at, type, body}. A comment comes "
       "every 15 s; a message budget_warning without id, its data one of /v1/budgets, when a budget has reached its "
       "budget_warn_percent. Resume with since or Last-Event-ID; 410 when later events are compacted away already.",
       {{"since", "integer", "only events after this sequence number; without it, those to come"}},
       nullptr,
       nullptr,
       200,
       "text/event-stream"},
      {O::journal,
       "GET",
       "/v1/journal",
       "journal",
       "The journal, and the digest of the running state",
       "",
       {},
       nullptr,
       body<JournalBody>},
      {O::backup,
       "POST",
       "/v1/journal/backup",
       "backup",
       "Copy the journal while it is in use",
       "For operators.",
       {},
       body<BackupBody>,
       body<NoBody>},
      {O::openapi, "GET", "/v1/openapi.json", "openapi", "This description", "", {}, nullptr, nullptr},
  };
}

}  // namespace

bool fits_path(std::string_view pattern, std::string_view path, std::vector<std::string_view>& parameters) {
  parameters.clear();
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() == '{') {
      std::size_t end = std::min(path.find('/'), path.size());
      if (end == 0) return false;
      parameters.push_back(path.substr(0, end));
      path.remove_prefix(end);
      pattern.remove_prefix(pattern.find('}') + 1);
    } else {
      if (pattern.front() != path.front()) return false;
      pattern.remove_prefix(1);
      path.remove_prefix(1);
    }
  }
  return pattern.empty() && path.empty();
}

std::span<const Route> api_routes() {
  static const std::vector<Route> k_routes = [] {
    std::vector<Route> routes = other_routes();
    for (Route& route : money_routes()) routes.push_back(std::move(route));
    for (Route& route : job_routes()) routes.push_back(std::move(route));
    for (Route& route : operator_routes()) routes.push_back(std::move(route));
    routes.push_back(change_route());
    routes.push_back(priorities_route());
    return routes;
  }();
  return k_routes;
}

RouteMatch match_route(std::string_view method, std::string_view path) {
  RouteMatch match;
  std::vector<std::string_view> parameters;
  for (const Route& route : api_routes()) {
    if (!fits_path(route.path, path, parameters)) continue;
    match.allowed.append(match.allowed.empty() ? "" : ", ").append(route.method);
    if (route.method != method) continue;
    match.route = &route;
    match.parameters = std::move(parameters);
    return match;
  }
  return match;
}

}  // namespace virga
