// Requests that only read (see handlers.hpp).
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "http/handlers.hpp"
#include "http/job_filter.hpp"
#include "http/job_reads.hpp"
#include "wire/api_bodies.hpp"
#include "wire/job_list_layout.hpp"

namespace virga {
namespace {

JournalInfoBody body_of_info(const JournalInfo& info) {
  return {info.first, info.last, info.last_time, info.snapshot, info.bytes, info.archived_jobs, info.schema_version};
}

void name_clusters(const State& state, const Job& job, const std::function<std::string(const std::string&)>& cluster_of,
                   Explanation& explanation) {
  for (ExplainedOption& option : explanation.options) option.cluster = cluster_of(option.pool);
  const Pool* pool = job.nodes.empty() ? nullptr : state.find_pool_of_node(job.nodes.front().name);
  if (pool != nullptr && !is_final(job.state)) explanation.cluster = cluster_of(pool->name);
}

}  // namespace

void Api::ping(const Responder& responder) {
  controller_.view([responder, version = options_.version](const Brain& brain) {
    const State& state = brain.state();
    responder.json(200, PingBody{version, static_cast<std::uint32_t>(::getpid()), state.config.cluster_name,
                                 state.shutting_down ? "shutting_down" : "up", state.seq});
  });
}

void Api::status(const Responder& responder) {
  auto up = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  controller_.with_journal([responder, version = options_.version, home = options_.home, standing = standing_,
                            cluster_of = options_.cluster_of,
                            up = Duration::milliseconds(up.count())](Journal& journal, const Brain& brain) {
    Result<JournalInfo> info = journal.info();
    if (!info) return responder.error(info.error());
    StatusBody body = status_of(brain.state(), api_now(brain));
    body.version = version;
    body.pid = static_cast<std::uint32_t>(::getpid());
    body.home = home;
    body.uptime_seconds = up;
    body.journal = body_of_info(*info);
    for (PoolStatus& pool : body.pools) pool.cluster = cluster_of ? cluster_of(pool.name) : "";
    body.standby = standing.body(brain.state().seq);
    responder.json_later(200, std::move(body));
  });
}

void Api::config(const Responder& responder) {
  controller_.view([responder](const Brain& brain) { responder.json(200, brain.state().config); });
}

void Api::vms(const Responder& responder) {
  controller_.view([responder](const Brain& brain) {
    VmsBody body;
    body.now = api_now(brain);
    for (const auto& [id, vm] : brain.state().vms) body.vms.push_back(vm);
    body.marks = brain.state().node_marks;
    responder.json_later(200, std::move(body));
  });
}

void Api::jobs(const Request& request, const Responder& responder) {
  Result<JobFilter> filter = job_filter_of(request);
  if (!filter) return responder.error(filter.error());
  const std::string* layout = request.find_query("layout");
  const bool binary = layout != nullptr && *layout == std::to_string(k_job_list_layout);
  controller_.view([responder, binary, filter = *std::move(filter), actor = request.actor](const Brain& brain) {
    const State& state = brain.state();
    if (!binary) return responder.json_later(200, JobsBody{api_now(brain), jobs_of_state(state, filter, actor)});
    JobListWriter writer(api_now(brain));  // which takes less time than copying the jobs for another thread would
    for_each_job_of_state(state, filter, actor, [&](const Job& job) { writer.put(job); });
    responder.send({200, "application/x-virga-jobs", writer.end(), {}});
  });
}

void Api::job(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  controller_.with_journal([responder, id = *id, actor = request.actor](Journal& journal, const Brain& brain) {
    Result<Job> job = find_job(id, actor, journal, brain);
    if (!job) return responder.error(job.error());
    responder.json(200, JobBody{api_now(brain), *std::move(job)});
  });
}

void Api::wait(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  const std::string* text = request.find_query("for");
  std::optional<WaitFor> what = text == nullptr ? WaitFor::ended : enum_from_name<WaitFor>(*text);
  if (!what) return responder.error({Code::invalid, "'for' must be started or ended, not '" + *text + "'"});
  board_->wait(*id, *what, request.actor, responder);
}

void Api::explain(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  controller_.view([responder, id = *id, actor = request.actor, cluster_of = options_.cluster_of](const Brain& brain) {
    auto job = brain.state().jobs.find(id);
    if (job == brain.state().jobs.end() || !may_see(actor, job->second, brain.state().config)) {
      return responder.error(no_such_job(id));
    }
    Explanation explanation = brain.explain(id);
    if (cluster_of) name_clusters(brain.state(), job->second, cluster_of, explanation);
    responder.json(200, explanation);
  });
}

void Api::script(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  controller_.with_journal([responder, id = *id, actor = request.actor](Journal& journal, const Brain& brain) {
    Result<Job> job = find_job(id, actor, journal, brain);
    if (!job) return responder.error(job.error());
    if (!may_see_payload(actor, *job)) {
      return responder.error({Code::denied, "Access/permission denied: the script of job " + std::to_string(id.value) +
                                                " is its owner's, " + job->owner.user});
    }
    Result<LaunchPayload> payload = journal.payload(job->submitted_at_seq);
    if (!payload) return responder.error(payload.error());
    responder.send({200, "text/plain", std::move(payload->script), {}});
  });
}

void Api::accounted_jobs(const Request& request, const Responder& responder) {
  Result<JobFilter> filter = job_filter_of(request);
  if (!filter) return responder.error(filter.error());
  controller_.with_journal(
      [responder, filter = *std::move(filter), actor = request.actor](Journal& journal, const Brain& brain) {
        Result<std::vector<Job>> jobs = accounted_jobs_of(journal, brain.state(), filter, actor);
        if (!jobs) return responder.error(jobs.error());
        responder.json_later(200, JobsBody{.now = api_now(brain), .jobs = *std::move(jobs)});
      });
}

void Api::accounted_vms(const Responder& responder) {
  controller_.with_journal([responder](Journal& journal, const Brain& brain) {
    Result<std::vector<VmRecord>> archived = journal.archived_vms({});
    if (!archived) return responder.error(archived.error());
    AccountedVmsBody body{*std::move(archived)};
    for (const auto& [id, vm] : brain.state().vms) {
      body.vms.push_back(record_so_far(vm, brain.state(), api_now(brain)));
    }
    responder.json_later(200, std::move(body));
  });
}

void Api::events(const Request& request, const Responder& responder) {
  std::optional<Seq> since;
  const std::string* text = request.find_query("since");
  // A browser that reconnects sends the same address again, with the last number that it has in the header.
  if (!request.last_event_id.empty()) text = &request.last_event_id;
  if (text != nullptr) {
    auto number = number_of<std::uint64_t>("since", *text);
    if (!number) return responder.error(number.error());
    since = Seq{*number};
  }
  feed_->open(since, request.actor, responder);
}

void Api::journal(const Responder& responder) {
  controller_.with_journal([responder](Journal& journal, const Brain& brain) {
    Result<JournalInfo> info = journal.info();
    if (!info) return responder.error(info.error());
    char digest[17];
    std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(brain.digest()));
    responder.json(200, JournalBody{body_of_info(*info), brain.state().seq, digest});
  });
}

void Api::backup(const Request& request, const Responder& responder) {
  Result<BackupBody> body = body_of<BackupBody>(request);
  if (!body) return responder.error(body.error());
  // The file is written with the daemon's rights, so operators who are not the daemon's own user may not name it.
  if (request.actor.uid != 0 && request.actor.uid != options_.daemon_uid) {
    return responder.error({Code::denied, "Access/permission denied: only the daemon's own user makes a backup"});
  }
  if (!body->path.starts_with('/')) {
    return responder.error({Code::invalid, "'path' must be absolute, not '" + body->path + "'"});
  }
  controller_.with_journal([responder, path = std::move(body->path)](Journal& journal, const Brain&) {
    Status copied = journal.backup(path);
    if (!copied) return responder.error(copied.error());
    responder.send({200, "application/json", "{}", {}});
  });
}

}  // namespace virga
