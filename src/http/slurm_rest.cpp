#include "http/slurm_rest.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "http/handlers.hpp"
#include "http/job_filter.hpp"
#include "http/job_reads.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using S = SlurmOperation;

HttpReply json_reply(int status, std::string text) { return {status, "application/json", std::move(text), {}}; }

/// slurmrestd's code for nearly everything that fails in Slurm.
constexpr int k_failed = 500;

HttpReply failed_reply(const Request& request, int status, const SlurmRestErrors& errors) {
  return json_reply(status, request.slurm.codec->failed(request.slurm.route->operation, errors));
}

/// The job that the path names; Slurm's own paths take tasks of arrays by their own numbers only.
std::optional<JobId> job_of_path(const Request& request) {
  const std::string& text = request.parameters.at(0);
  JobId id;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id.value);
  if (error != std::errc() || stop != text.data() + text.size() || !id) return std::nullopt;
  return id;
}

HttpReply no_number_reply(const Request& request, std::string source) {
  return failed_reply(request, 400,
                      {{.error = {9002, "Jobs description entry not found, empty or not dictionary or list"},
                        .description = "Unable to find JobId=" + request.parameters.at(0),
                        .source = std::move(source)}});
}

SlurmRestSite site_of(const Brain& brain) {
  const State& state = brain.state();
  SlurmRestSite site;
  site.site = {state.config.cluster_name, api_now(brain)};
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  site.controller = host;
  const std::string& listen = state.config.listen;
  const std::size_t colon = listen.rfind(':');
  if (colon != std::string::npos) {
    std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), site.controller_port);
  }
  return site;
}

/// The same with all jobs counted.
SlurmRestSite counted_site_of(const Brain& brain) {
  SlurmRestSite site = site_of(brain);
  for (const auto& [id, job] : brain.state().jobs) {
    site.jobs_pending += job.state == JobState::pending ? 1 : 0;
    site.jobs_running += job.state == JobState::running ? 1 : 0;
  }
  site.jobs_submitted = brain.state().last_job.value;
  return site;
}

std::vector<SlurmNode> nodes_of(const Brain& brain) {
  VmsBody vms;
  vms.now = api_now(brain);
  for (const auto& [id, vm] : brain.state().vms) vms.vms.push_back(vm);
  vms.marks = brain.state().node_marks;
  return slurm_nodes(brain.state().config, vms);
}

SlurmRestErrors no_such(int number, const char* text) {
  return {{.error = {number, text}, .shape = SlurmRestError::Shape::errno_}};
}

template <class All>
bool has_name(const All& all, std::string_view name) {
  return std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
}

}  // namespace

void SlurmRest::handle(const Request& request, const Responder& responder) {
  switch (request.slurm.route->operation) {
    case S::jobs:
      return jobs(request, responder);
    case S::job:
      return job(request, responder);
    case S::cancel_job:
      return cancel_job(request, responder);
    case S::accounted_jobs:
    case S::accounted_job:
      return accounted_jobs(request, responder);
    case S::change_database:
      return responder.send(failed_reply(request, k_failed,
                                         {{.error = {2002, "Access/permission denied"},
                                           .description = "who may use what is written in virga.toml",
                                           .source = "slurmdb"}}));
    case S::submit_job:
    case S::update_job:
      return responder.send(
          failed_reply(request, k_failed,
                       {{.error = {2037, "Requested operation is presently disabled"},
                         .description = "jobs are not submitted or changed over this interface yet; use sbatch and "
                                        "scontrol, or POST /v1/jobs"}}));
    default:
      return cluster_document(request, responder);
  }
}

void SlurmRest::jobs(const Request& request, const Responder& responder) {
  controller_.view([responder, codec = request.slurm.codec, actor = request.actor](const Brain& brain) {
    auto jobs = std::make_shared<std::vector<Job>>(jobs_of_state(brain.state(), {}, actor));
    const SlurmSite site{brain.state().config.cluster_name, api_now(brain)};
    responder.later([codec, jobs, site] { return json_reply(200, codec->jobs(*jobs, site, {})); });
  });
}

void SlurmRest::job(const Request& request, const Responder& responder) {
  const std::optional<JobId> id = job_of_path(request);
  if (!id) return responder.send(no_number_reply(request, "_handle_job_get"));
  controller_.view([responder, request, id = *id](const Brain& brain) {
    JobFilter filter;
    filter.ids = {id};
    const std::vector<Job> jobs = jobs_of_state(brain.state(), filter, request.actor);
    SlurmRestErrors errors;
    if (jobs.empty()) {
      errors.push_back({.error = {2017, "Invalid job id specified"},
                        .description = "Unable to find JobId=" + std::to_string(id.value),
                        .source = "slurm_load_job"});
    }
    const SlurmSite site{brain.state().config.cluster_name, api_now(brain)};
    responder.send(json_reply(errors.empty() ? 200 : k_failed, request.slurm.codec->jobs(jobs, site, errors)));
  });
}

void SlurmRest::cancel_job(const Request& request, const Responder& responder) {
  const JobId id = job_of_path(request).value_or(JobId{});  // 0 is no job's
  constexpr std::uint32_t k_kill = 9;
  std::uint32_t number = k_kill;
  if (const std::string* text = request.find_query("signal")) {
    Result<std::uint32_t> parsed = parse_signal(*text);
    if (!parsed) {
      return responder.send(failed_reply(request, 400,
                                         {{.error = {9000, "Query empty or not RFC7320 compliant"},
                                           .description = "invalid signal: 0",
                                           .source = "HTTP request: signal"}}));
    }
    number = *parsed;
  }
  JobActed wish{.actor = request.actor, .job = id};
  if (number != k_kill) {
    wish.action = JobAction::signal;
    wish.signal = number;
  }
  controller_.request(
      std::move(wish), std::nullopt, [responder, request, number](Result<std::uint64_t> done, const Brain&) {
        if (done) return responder.send(failed_reply(request, 200, {}));
        const SlurmError error = slurm_error(done.error());
        const std::string what =
            fmt::format("unable to kill JobId={} with signal {}: {}", request.parameters.at(0), number, error.text);
        responder.send(
            failed_reply(request, k_failed, {{.error = error, .description = what, .source = "slurm_kill_job"}}));
      });
}

void SlurmRest::accounted_jobs(const Request& request, const Responder& responder) {
  JobFilter filter;
  if (request.slurm.route->operation == S::accounted_job) {
    const std::optional<JobId> id = job_of_path(request);
    if (!id) return responder.send(no_number_reply(request, "slurmdb_jobs_get"));
    filter.ids = {*id};
  }
  controller_.with_journal([responder, request, filter](Journal& journal, const Brain& brain) {
    Result<std::vector<Job>> found = accounted_jobs_of(journal, brain.state(), filter, request.actor);
    if (!found) {
      return responder.send(failed_reply(request, k_failed, {{.error = slurm_error(found.error())}}));
    }
    SlurmRestErrors errors;
    if (found->empty() && !filter.ids.empty()) {
      errors.push_back(
          {.error = {9003, "Nothing found with query"}, .description = "Nothing found", .source = "slurmdb_jobs_get"});
    }
    auto jobs = std::make_shared<std::vector<Job>>(*std::move(found));
    const SlurmSite site{brain.state().config.cluster_name, api_now(brain)};
    responder.later([codec = request.slurm.codec, jobs, site, errors] {
      return json_reply(200, codec->accounted_jobs(*jobs, site, errors));
    });
  });
}

void SlurmRest::cluster_document(const Request& request, const Responder& responder) {
  controller_.view([responder, request](const Brain& brain) {
    const SlurmRestCodec& codec = *request.slurm.codec;
    const S what = request.slurm.route->operation;
    const Config& config = brain.state().config;
    const std::string name = request.parameters.empty() ? "" : request.parameters.front();
    std::vector<SlurmNode> nodes = nodes_of(brain);
    SlurmRestErrors errors;
    const auto send = [&](std::string text) {
      responder.send(json_reply(errors.empty() ? 200 : k_failed, std::move(text)));
    };
    switch (what) {
      case S::ping:
        return send(codec.ping(site_of(brain)));
      case S::diag:
        return send(codec.diag(counted_site_of(brain)));
      case S::licenses:
        return send(codec.licenses());
      case S::node:
        std::erase_if(nodes, [&](const SlurmNode& node) { return node.name != name; });
        if (nodes.empty()) errors = no_such(2018, "Invalid node name specified");
        return send(codec.nodes(nodes, errors));
      case S::nodes:
        return send(codec.nodes(nodes, {}));
      case S::partition:
        if (!has_name(config.partitions, name)) errors = no_such(2000, "Invalid partition name specified");
        return send(codec.partitions(config, nodes, name, errors));
      case S::partitions:
        return send(codec.partitions(config, nodes, {}, {}));
      case S::reservation:
        if (!has_name(config.reservations, name)) errors = no_such(2053, "Requested reservation is invalid");
        return send(codec.reservations(config, nodes, name, errors));
      case S::reservations:
        return send(codec.reservations(config, nodes, {}, {}));
      default: {
        std::map<std::string, std::string> wanted = request.query;
        if (!name.empty()) wanted["name"] = name;
        SlurmRestAnswer answer = codec.database(what, config, nodes, site_of(brain), wanted);
        return responder.send(json_reply(answer.status, std::move(answer.text)));
      }
    }
  });
}

}  // namespace virga
