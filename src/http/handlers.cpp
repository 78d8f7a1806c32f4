// Requests that change something (see handlers.hpp).
#include "http/handlers.hpp"

#include <charconv>
#include <mutex>

#include "http/job_reads.hpp"
#include "wire/api_bodies.hpp"
#include "wire/openapi.hpp"
#include "wire/partition_body.hpp"
#include "wire/slurm_mail.hpp"

namespace virga {
namespace {

bool has_zero_byte(const std::string& text) { return text.find('\0') != text.npos; }

/// What the brain does not look at because it is not its business: the texts that reach the kernel and the shell.
Status check_texts(const JobSpec& spec, const LaunchPayload& payload) {
  const std::pair<const char*, const std::string*> texts[] = {
      {"name", &spec.name},       {"partition", &spec.partition}, {"account", &spec.account},
      {"comment", &spec.comment}, {"work_dir", &spec.work_dir},   {"command", &spec.command},
      {"std_in", &spec.std_in},   {"std_out", &spec.std_out},     {"std_err", &spec.std_err}};
  for (const auto& [name, text] : texts) {
    if (has_zero_byte(*text)) return fail(Code::invalid, std::string("'spec.") + name + "' holds a zero byte");
  }
  if (!spec.mail_user.empty() && !is_mail_receiver(spec.mail_user)) {
    return fail(Code::invalid, "'spec.mail_user' must be addresses with commas between them");
  }
  for (std::size_t i = 0; i < payload.arguments.size(); ++i) {
    if (has_zero_byte(payload.arguments[i])) {
      return fail(Code::invalid, "'payload.arguments[" + std::to_string(i) + "]' holds a zero byte");
    }
  }
  for (std::size_t i = 0; i < payload.environment.size(); ++i) {
    const std::string& variable = payload.environment[i];
    std::size_t equals = variable.find('=');
    if (equals == variable.npos || equals == 0 || has_zero_byte(variable)) {
      return fail(Code::invalid, "'payload.environment[" + std::to_string(i) + "]' is not of the form NAME=value");
    }
  }
  if (spec.kind == JobKind::batch && !payload.script.starts_with("#!")) {
    return fail(Code::invalid,
                "This does not look like a batch script. The first line must start with #! followed by the path to an "
                "interpreter, for instance: #!/bin/sh");
  }
  if (payload.umask > 0777) return fail(Code::invalid, "'payload.umask' must be from 0 to 511");
  return {};
}

HttpReply empty_reply() { return {200, "application/json", "{}", {}}; }

Result<JobId> job_id(const std::string& text) {
  JobId id;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), id.value);
  if (error != std::errc() || stop != text.data() + text.size() || !id) {
    return fail(Code::not_found, "Invalid job id specified: " + text);
  }
  return id;
}

/// "12" or, of an array, "12_3".
struct JobTarget {
  JobId job;
  std::uint32_t task = k_no_array_task;
};
Result<JobTarget> job_target(const std::string& text) {
  const std::size_t line = text.find('_');
  if (line == std::string::npos) {
    Result<JobId> id = job_id(text);
    if (!id) return unexpected(id.error());
    return JobTarget{*id};
  }
  JobTarget target;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), text.data() + line, target.job.value);
  auto [task_stop, task_error] = std::from_chars(text.data() + line + 1, end, target.task);
  if (error != std::errc() || stop != text.data() + line || !target.job || task_error != std::errc() ||
      task_stop != end) {
    return fail(Code::not_found, "Invalid job id specified: " + text);
  }
  return target;
}

/// What came of each of many requests, until all are answered; on whichever thread that is.
class Outcomes {
 public:
  Outcomes(std::vector<std::string> jobs, Responder responder)
      : jobs_(std::move(jobs)), errors_(jobs_.size()), left_(jobs_.size()), responder_(std::move(responder)) {}

  void tell(std::size_t at, std::optional<Error> error) {
    std::lock_guard lock(mutex_);
    errors_[at] = std::move(error);
    if (--left_ > 0) return;
    CancelledBody body;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (errors_[i]) body.refused.push_back({jobs_[i], errors_[i]->code, errors_[i]->message});
    }
    responder_.json_later(200, std::move(body));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> jobs_;
  std::vector<std::optional<Error>> errors_;
  std::size_t left_;
  Responder responder_;
};

}  // namespace

Result<JobId> job_parameter(const Request& request) { return job_id(request.parameters.at(0)); }

Api::Api(ApiOptions options, Controller& controller)
    : options_(std::move(options)),
      standing_(options_.leadership),
      controller_(controller),
      slurm_rest_(controller),
      openapi_(openapi_text(options_.version)),
      board_(std::make_shared<WaitBoard>(controller)),
      feed_(std::make_shared<EventFeed>(controller)),
      desk_(std::make_shared<MarketDesk>(options_.market)) {
  controller_.listen([board = board_, feed = feed_](Seq seq, const Event& event) {
    board->on_event(event);
    feed->on_event(seq, event);
  });
}

void Api::handle(Request request, Responder responder) {
  std::optional<Responder> allowed = standing_.admit(request, responder);
  if (!allowed) return;
  request.route == nullptr ? slurm_rest_.handle(request, *allowed) : carry_out(request, *allowed);
}

namespace {

/// What is done to a job without a word more.
std::optional<JobAction> plain_action(Operation operation) {
  switch (operation) {
    case Operation::cancel:
      return JobAction::cancel;
    case Operation::hold:
      return JobAction::hold;
    case Operation::release:
      return JobAction::release;
    case Operation::requeue:
      return JobAction::requeue;
    case Operation::requeue_hold:
      return JobAction::requeue_hold;
    case Operation::user_hold:
      return JobAction::user_hold;
    case Operation::suspend:
      return JobAction::suspend;
    case Operation::resume:
      return JobAction::resume;
    default:
      return std::nullopt;
  }
}

}  // namespace

void Api::carry_out(const Request& request, const Responder& responder) {
  if (const auto action = plain_action(request.route->operation)) return act(request, responder, *action);
  switch (request.route->operation) {
    case Operation::ping:
      return ping(responder);
    case Operation::status:
      return status(responder);
    case Operation::config:
      return config(responder);
    case Operation::vms:
      return vms(responder);
    case Operation::jobs:
      return jobs(request, responder);
    case Operation::job:
      return job(request, responder);
    case Operation::submit:
      return submit(request, responder);
    case Operation::cancel_many:
      return cancel_many(request, responder);
    case Operation::change_job:
      return change_job(request, responder);
    case Operation::update_partition:
      return update_partition(request, responder);
    case Operation::signal:
      return signal(request, responder);
    case Operation::wait:
      return wait(request, responder);
    case Operation::explain:
      return explain(request, responder);
    case Operation::script:
      return script(request, responder);
    case Operation::start_step:
      return start_step(request, responder);
    case Operation::end_step:
      return end_step(request, responder);
    case Operation::checkpoint:
      return checkpoint(request, responder);
    case Operation::update_node:
      return update_node(request, responder);
    case Operation::accounted_jobs:
      return accounted_jobs(request, responder);
    case Operation::accounted_vms:
      return accounted_vms(responder);
    case Operation::cost:
      return cost(request, responder);
    case Operation::budgets:
      return budgets(request, responder);
    case Operation::priorities:
      return priorities(request, responder);
    case Operation::offers:
      return offers(request, responder);
    case Operation::market:
      return market(request, responder);
    case Operation::reload:
      return reload(request, responder);
    case Operation::shutdown:
      return shutdown(request, responder);
    case Operation::events:
      return events(request, responder);
    case Operation::journal:
      return journal(responder);
    case Operation::backup:
      return backup(request, responder);
    case Operation::openapi:
      return responder.send({200, "application/json", openapi_, {}});
    default:
      return responder.error({Code::internal, "nobody answers this route"});
  }
}

void Api::change(const Request& request, const Responder& responder, EventBody body,
                 std::optional<LaunchPayload> payload, MakeReply made) {
  if (made == nullptr) made = [](std::uint64_t, const Brain&) { return empty_reply(); };
  if (const std::string* dry = request.find_query("dry_run"); dry != nullptr && *dry != "false") {
    if (*dry != "true") return responder.error({Code::invalid, "dry_run must be true or false, not '" + *dry + "'"});
    controller_.view([responder, body = std::move(body), made = std::move(made)](const Brain& brain) {
      std::optional<Error> refused = brain.check(body);
      responder.send(refused ? error_reply(*refused) : made(0, brain));
    });
    return;
  }
  controller_.request(std::move(body), std::move(payload),
                      [responder, made = std::move(made)](Result<std::uint64_t> result, const Brain& brain) {
                        responder.send(result ? made(*result, brain) : error_reply(result.error()));
                      });
}

void Api::submit(const Request& request, const Responder& responder) {
  Result<SubmitBody> body = body_of<SubmitBody>(request);
  if (!body) return responder.error(body.error());
  if (Status sound = check_texts(body->spec, body->payload); !sound) return responder.error(sound.error());
  const std::string* dry_text = request.find_query("dry_run");
  const bool dry = dry_text != nullptr && *dry_text == "true";
  JobSubmitted event{request.actor, std::move(body->spec), std::move(body->idempotency_key)};
  JobSubmitted wish = dry ? event : JobSubmitted{};
  change(request, responder, std::move(event), std::move(body->payload),
         [dry, wish = std::move(wish)](std::uint64_t id, const Brain& brain) {
           SubmittedBody answer{{static_cast<std::uint32_t>(id)}, {}, std::nullopt};
           const State& state = brain.state();
           if (dry) {
             auto offers = brain.offers(wish, api_now(brain));
             if (!offers) return error_reply(offers.error());
             answer.dry_run = DryRun{state.next_job(), *std::move(offers)};
           }
           if (const auto job = state.jobs.find(answer.job_id); job != state.jobs.end()) {
             answer.warnings = brain.warnings(job->second);
           }
           return HttpReply{dry ? 200 : 201, "application/json", to_json_text(answer), {}};
         });
}

void Api::act(const Request& request, const Responder& responder, JobAction action) {
  Result<JobTarget> target = job_target(request.parameters.at(0));
  if (!target) return responder.error(target.error());
  if (Result<NoBody> body = body_of<NoBody>(request); !body) return responder.error(body.error());
  change(request, responder,
         JobActed{.actor = request.actor, .job = target->job, .action = action, .task = target->task});
}

void Api::cancel_many(const Request& request, const Responder& responder) {
  Result<CancelBody> body = body_of<CancelBody>(request);
  if (!body) return responder.error(body.error());
  if (body->jobs.empty()) return responder.json(200, CancelledBody{});
  const auto outcomes = std::make_shared<Outcomes>(body->jobs, responder);
  for (std::size_t at = 0; at < body->jobs.size(); ++at) {
    const Result<JobTarget> target = job_target(body->jobs[at]);
    if (!target) {
      outcomes->tell(at, target.error());
      continue;
    }
    controller_.request(JobActed{.actor = request.actor, .job = target->job, .task = target->task}, std::nullopt,
                        [outcomes, at](const Result<std::uint64_t>& done, const Brain&) {
                          outcomes->tell(at, done ? std::nullopt : std::optional(done.error()));
                        });
  }
}

void Api::change_job(const Request& request, const Responder& responder) {
  Result<JobTarget> target = job_target(request.parameters.at(0));
  if (!target) return responder.error(target.error());
  Result<JobSpec> spec = body_of<JobSpec>(request);
  if (!spec) return responder.error(spec.error());
  LaunchPayload nothing;  // which stays what it is
  nothing.script = "#!";
  if (Status sound = check_texts(*spec, nothing); !sound) return responder.error(sound.error());
  change(request, responder,
         JobChanged{.actor = request.actor, .job = target->job, .spec = *std::move(spec), .task = target->task});
}

void Api::signal(const Request& request, const Responder& responder) {
  Result<JobTarget> target = job_target(request.parameters.at(0));
  if (!target) return responder.error(target.error());
  Result<SignalBody> body = body_of<SignalBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder,
         JobActed{request.actor, target->job, JobAction::signal, body->signal, body->batch_shell_only, target->task,
                  body->step, body->whole_job});
}

void Api::start_step(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  Result<StartStepBody> body = body_of<StartStepBody>(request);
  if (!body) return responder.error(body.error());
  StepStarted event{request.actor, *id, std::move(body->name), body->nodes, body->tasks};
  change(request, responder, std::move(event), std::nullopt, [](std::uint64_t step, const Brain&) {
    StepStartedBody answer{static_cast<std::uint32_t>(step)};
    return HttpReply{201, "application/json", to_json_text(answer), {}};
  });
}

void Api::end_step(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  const std::string& text = request.parameters.at(1);
  std::uint32_t step = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), step);
  if (error != std::errc() || stop != text.data() + text.size()) {
    return responder.error({Code::not_found, "Invalid step id specified: " + text});
  }
  Result<EndStepBody> body = body_of<EndStepBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder, StepEnded{request.actor, *id, step, body->exit, body->usage});
}

void Api::checkpoint(const Request& request, const Responder& responder) {
  Result<JobId> id = job_parameter(request);
  if (!id) return responder.error(id.error());
  Result<CheckpointBody> body = body_of<CheckpointBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder, CheckpointDone{request.actor, *id, body->step, body->bytes});
}

void Api::update_node(const Request& request, const Responder& responder) {
  Result<NodeBody> body = body_of<NodeBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder,
         NodeUpdated{request.actor, request.parameters.at(0), body->drained, std::move(body->reason)});
}

void Api::update_partition(const Request& request, const Responder& responder) {
  Result<PartitionBody> body = body_of<PartitionBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder,
         PartitionUpdated{request.actor, request.parameters.at(0), body->up, body->takes_jobs, body->max_time,
                          body->default_time});
}

void Api::shutdown(const Request& request, const Responder& responder) {
  Result<ShutdownBody> body = body_of<ShutdownBody>(request);
  if (!body) return responder.error(body.error());
  change(request, responder, ShutdownRequested{request.actor, body->cancel_jobs});
}

void Api::reload(const Request& request, const Responder& responder) {
  if (Result<NoBody> body = body_of<NoBody>(request); !body) return responder.error(body.error());
  if (!request.actor.is_operator) {
    return responder.error({Code::denied, "Access/permission denied: only operators reload the configuration"});
  }
  if (!options_.reload) return responder.error({Code::internal, "this virgad has no configuration to reload"});
  Status reloaded = options_.reload();
  if (!reloaded) return responder.error(reloaded.error());
  responder.send(empty_reply());
}

}  // namespace virga
