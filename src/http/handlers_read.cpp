// Requests that only read (see handlers.hpp).
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "core/array.hpp"
#include "http/handlers.hpp"
#include "http/job_reads.hpp"
#include "wire/api_bodies.hpp"

namespace virga {
namespace {

JournalInfoBody body_of_info(const JournalInfo& info) {
  return {info.first, info.last, info.last_time, info.snapshot, info.bytes, info.archived_jobs, info.schema_version};
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

/// Which jobs were asked for.
struct JobFilter {
  std::vector<JobId> ids;  ///< ascending
  std::optional<std::uint32_t> uid;
  std::optional<std::string> user;
  std::set<JobState> states;
  std::set<std::string> partitions;
  std::optional<Time> ended_after;
  std::optional<Time> started_before;

  bool fits(const Job& job) const {
    if (!ids.empty() && !std::binary_search(ids.begin(), ids.end(), job.id) &&
        !(job.array_job && std::binary_search(ids.begin(), ids.end(), job.array_job))) {
      return false;
    }
    if (uid && job.owner.uid != *uid) return false;
    if (user && job.owner.user != *user) return false;
    if (!states.empty() && !states.contains(job.state)) return false;
    if (!partitions.empty() && !partitions.contains(job.spec->partition)) return false;
    if (ended_after && job.ended.is_set() && job.ended < *ended_after) return false;
    if (started_before && (job.started.is_set() ? job.started : job.submitted) > *started_before) return false;
    return true;
  }
};

Result<JobFilter> filter_of(const Request& request) {
  JobFilter filter;
  if (const std::string* text = request.find_query("ids")) {
    for (const std::string& word : words_of(*text)) {
      auto id = number_of<std::uint32_t>("ids", word);
      if (!id) return unexpected(id.error());
      filter.ids.push_back({*id});
    }
    std::sort(filter.ids.begin(), filter.ids.end());
    if (filter.ids.empty()) return fail(Code::invalid, "'ids' names no job");
  }
  if (const std::string* text = request.find_query("uid")) {
    auto uid = number_of<std::uint32_t>("uid", *text);
    if (!uid) return unexpected(uid.error());
    filter.uid = *uid;
  }
  if (const std::string* text = request.find_query("user")) filter.user = *text;
  if (const std::string* text = request.find_query("state")) {
    for (const std::string& word : words_of(*text)) {
      std::optional<JobState> state = enum_from_name<JobState>(word);
      if (!state) return fail(Code::invalid, "'" + word + "' in 'state' is no job state, such as PENDING or RUNNING");
      filter.states.insert(*state);
    }
  }
  if (const std::string* text = request.find_query("partition")) {
    for (std::string& word : words_of(*text)) filter.partitions.insert(std::move(word));
  }
  if (Status read = read_time(request, "ended_after", filter.ended_after); !read) return unexpected(read.error());
  if (Status read = read_time(request, "started_before", filter.started_before); !read) return unexpected(read.error());
  return filter;
}

void add_jobs_of_state(const State& state, const JobFilter& filter, const Actor& actor, std::vector<Job>& out) {
  auto add = [&](const Job& job) {
    if (filter.fits(job) && may_see(actor, job, state.config)) out.push_back(job);
  };
  if (filter.ids.empty()) {
    for (const auto& [id, job] : state.jobs) add(job);
    return;
  }
  for (JobId id : filter.ids) {
    if (auto it = state.jobs.find(id); it != state.jobs.end()) add(it->second);
    // An array's tasks have ids without gaps; the first one's is its own.
    auto task = state.jobs.lower_bound({id.value});
    if (task != state.jobs.end() && task->first == id) ++task;
    for (; task != state.jobs.end() && task->second.array_job == id; ++task) {
      if (!std::binary_search(filter.ids.begin(), filter.ids.end(), task->first)) add(task->second);
    }
  }
}

/// The other tasks of arrays that were asked for by their first task's id; whether there are any.
bool add_tasks(std::vector<JobId>& ids, const std::vector<Job>& found) {
  const std::size_t before = ids.size();
  for (const Job& job : found) {
    if (!job.array_job || job.array_job != job.id) continue;
    for (std::uint32_t i = 1; i < array_task_count(job.spec->array); ++i) ids.push_back({job.id.value + i});
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids.size() != before;
}

void name_clusters(const State& state, const Job& job, const std::function<std::string(const std::string&)>& cluster_of,
                   Explanation& explanation) {
  for (ExplainedOption& option : explanation.options) option.cluster = cluster_of(option.pool);
  const Pool* pool = job.nodes.empty() ? nullptr : state.find_pool_of_node(job.nodes.front().name);
  if (pool != nullptr && !is_final(job.state)) explanation.cluster = cluster_of(pool->name);
}

}  // namespace

Status read_time(const Request& request, const std::string& name, std::optional<Time>& into) {
  const std::string* text = request.find_query(name);
  if (text == nullptr) return {};
  Result<Time> time = time_from_iso8601(*text);
  if (!time) return fail(Code::invalid, "'" + name + "': " + time.error().message);
  into = *time;
  return {};
}

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
  Result<JobFilter> filter = filter_of(request);
  if (!filter) return responder.error(filter.error());
  controller_.view([responder, filter = *std::move(filter), actor = request.actor](const Brain& brain) {
    JobsBody body;
    body.now = api_now(brain);
    add_jobs_of_state(brain.state(), filter, actor, body.jobs);
    responder.json_later(200, std::move(body));
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
  Result<JobFilter> filter = filter_of(request);
  if (!filter) return responder.error(filter.error());
  controller_.with_journal(
      [responder, filter = *std::move(filter), actor = request.actor](Journal& journal, const Brain& brain) {
        AccountQuery query;
        query.jobs = filter.ids;
        query.uid = filter.uid;
        query.ended_after = filter.ended_after;
        query.started_before = filter.started_before;
        Result<std::vector<Job>> archived = journal.archived_jobs(query);
        if (archived && !query.jobs.empty() && add_tasks(query.jobs, *archived))
          archived = journal.archived_jobs(query);
        if (!archived) return responder.error(archived.error());
        JobsBody body;
        body.now = api_now(brain);
        add_jobs_of_state(brain.state(), filter, actor, body.jobs);
        std::set<std::pair<JobId, std::uint32_t>> living;
        for (const Job& job : body.jobs) living.emplace(job.id, job.incarnation);
        for (Job& job : *archived) {
          if (!may_see(actor, job, brain.state().config) || living.contains({job.id, job.incarnation})) continue;
          body.jobs.push_back(std::move(job));
        }
        std::sort(body.jobs.begin(), body.jobs.end(), [](const Job& a, const Job& b) {
          return std::pair(a.id, a.incarnation) < std::pair(b.id, b.incarnation);
        });
        responder.json_later(200, std::move(body));
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
