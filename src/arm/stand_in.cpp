#include "arm/stand_in.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "arm/text.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

/// A GET of these is of a view of one resource, not of a collection.
bool is_view(const Target& target) {
  return target.tail_key == "instanceview" || (target.tail_key == "skus" && !target.types.empty());
}

Answer unsound_path() {
  return refusal(400, "InvalidRequestUri",
                 "The path or query is no UTF-8 text, or has control characters, or a name has one of / ? # % \\.");
}

std::string operation_name(const Call& call) {
  const Target& target = call.target;
  if (!target.is_resource) return call.request.method + " " + (target.segments.empty() ? "/" : target.segments.back());
  return (call.is_list ? "LIST" : call.request.method) + " " + target.type_path();
}

Answer html_answer(int status) {
  Answer answer;
  answer.status = status;
  answer.content_type = "text/html";
  answer.body = fmt::format(
      "<html><head><title>{0} error</title></head><body><h1>{0}</h1>Our services aren't available "
      "right now.</body></html>",
      status);
  return answer;
}

Answer failure_answer(const FailureRule& rule) {
  Answer answer = rule.kind == FailureKind::html ? html_answer(static_cast<int>(rule.status))
                                                 : refusal(static_cast<int>(rule.status), rule.code, rule.message);
  if (rule.retry_after_s > 0) answer.headers.push_back({"Retry-After", std::to_string(rule.retry_after_s)});
  return answer;
}

}  // namespace

StandIn::StandIn(Scenario scenario, VmBackend& backend, Time now)
    : world_(std::move(scenario), backend, now),
      backend_(backend),
      login_(world_.scenario, world_.random.split()),
      random_(world_.random.split()) {
  for (const FailureRule& rule : world_.scenario.failures) add_failure(rule);
  world_.machines.on_gone([this](const Machine& machine, bool evicted, Time) {
    release_machine(world_, machine.spec.id);
    Resource* set = world_.resources.find(machine.spec.set);
    if (!evicted || set == nullptr) return;
    const std::int64_t capacity = number_at(*set->body, "sku.capacity", 0);
    set_number_at(*set->body, "sku.capacity", std::max<std::int64_t>(0, capacity - 1));
  });
  plan_evictions();
}

void StandIn::plan_evictions() {
  for (const EvictionRule& rule : world_.scenario.evictions) {
    world_.agenda.at(world_.started + rule.at,
                     [this, rule](Time now) { evict_machines(world_, rule.set, rule.count, rule.notice, now); });
  }
}

Time StandIn::next_due() const { return std::min(world_.agenda.next(), backend_.next_due()); }

void StandIn::advance(Time now) {
  for (Time due = next_due(); due <= now; due = next_due()) {
    backend_.advance(due);
    world_.agenda.run_until(due);
  }
}

std::optional<StandIn::ClockWish> StandIn::take_clock_wish() { return std::exchange(clock_wish_, std::nullopt); }

std::optional<FailureRule> StandIn::next_failure(const std::string& operation) {
  for (Failure& failure : failures_) {
    if (!same_word(failure.rule.operation, operation)) continue;
    const std::uint64_t number = failure.seen++;
    const std::uint64_t skip = failure.rule.skip;
    if (number >= skip && number < skip + failure.rule.count) return failure.rule;
  }
  return std::nullopt;
}

Answer StandIn::handle(const Request& request, Time now) {
  advance(now);
  Call call{request, parse_target(request.target), now, "", false, std::nullopt};
  const std::string_view host = request.header("Host");
  call.base_url = "https://" + std::string(host.empty() ? "localhost" : host);
  const Target& target = call.target;
  if (!target.is_sound) {
    calls_.note(request.method + " (refused path)", "", 400, now);
    return unsound_path();
  }
  const bool reads = request.method == "GET";
  call.is_list =
      reads && target.is_resource && !is_view(target) && (!target.tail.empty() || target.segments.size() == 1);
  if (!target.segments.empty() && same_word(target.segments.front(), "admin")) {
    return answer_admin(*this, request, target, now);
  }
  const std::string operation = operation_name(call);
  Answer answer = serve(call, operation);
  const std::string id = new_guid(random_);
  answer.headers.push_back({"x-ms-request-id", id});
  answer.headers.push_back({"x-ms-correlation-request-id", id});
  if (request.method == "HEAD") answer.body.clear();
  calls_.note(operation, request.target, answer.status, now);
  return answer;
}

Answer StandIn::handle_metadata(const Request& request, Time now) {
  advance(now);
  if (!parse_target(request.target).is_sound) return unsound_path();
  return answer_metadata(world_, login_, request, now);
}

Answer StandIn::serve(Call& call, const std::string& operation) {
  call.failure = next_failure(operation);
  if (call.failure && (call.failure->kind == FailureKind::status || call.failure->kind == FailureKind::html)) {
    return failure_answer(*call.failure);
  }
  const bool needs_operation =
      call.failure && (call.failure->kind == FailureKind::async || call.failure->kind == FailureKind::never_ends ||
                       call.failure->kind == FailureKind::recovers);
  if (needs_operation && !begins_operation(call)) return failure_answer(*call.failure);
  Answer answer;
  if (call.target.is_resource) {
    answer = serve_resource(call);
  } else if (auto login = login_.answer(call.request, call.target, call.base_url, call.now)) {
    answer = *login;
  } else {
    answer = refusal(404, "NotFound", "The stand-in serves nothing at '" + call.target.path + "'.");
  }
  if (call.failure && call.failure->kind == FailureKind::truncated) answer.delivery = Delivery::truncated;
  if (call.failure && call.failure->kind == FailureKind::hang) answer.delivery = Delivery::never;
  return answer;
}

Answer StandIn::serve_resource(Call& call) {
  const Target& target = call.target;
  const Result<std::string> principal = login_.check(call.request.header("Authorization"), call.now);
  if (!principal) {
    const bool expired = principal.error().message.find("expiry") != std::string::npos;
    Answer answer =
        refusal(401, expired ? "ExpiredAuthenticationToken" : "AuthenticationFailed", principal.error().message);
    answer.headers.push_back({"WWW-Authenticate", "Bearer authorization_uri=\"" + call.base_url + "/" +
                                                      world_.scenario.tenant + "\", error=\"invalid_token\""});
    return answer;
  }
  if (target.query_value("api-version").empty()) {
    return refusal(400, "MissingApiVersionParameter",
                   "The api-version query parameter (?api-version=) is required for all requests.");
  }
  if (!is_api_version(target.query_value("api-version"))) {
    return refusal(400, "InvalidApiVersionParameter",
                   "The api-version is invalid. It must be a date, such as 2022-08-01 or 2022-08-01-preview.");
  }
  Verdict verdict;
  if (world_.scenario.throttle) {
    ThrottledCall throttled{call.request.method, &target, call.is_list, false, region_of(target), *principal};
    throttled.exists = world_.resources.find(target.id()) != nullptr;
    verdict = throttle_.take(throttled, call.now);
    if (!verdict.allowed) return throttled_answer(verdict, world_.scenario.speed);
  }
  Answer answer;
  if (!target.subscription.empty() && !same_word(target.subscription, world_.scenario.subscription)) {
    answer = refusal(404, "SubscriptionNotFound",
                     fmt::format("The subscription '{}' could not be found.", target.subscription));
  } else if (auto refused = check_group(call)) {
    answer = *refused;
  } else {
    answer = route(world_, call);
  }
  answer.headers.insert(answer.headers.end(), verdict.headers.begin(), verdict.headers.end());
  return answer;
}

std::string StandIn::region_of(const Target& target) {
  if (!target.types.empty() && target.types.front() == "locations") return lower_case(target.names.front());
  if (const Group* group = world_.resources.find_group(target.group)) return group->location;
  return "global";
}

std::optional<Answer> StandIn::check_group(const Call& call) {
  const Target& target = call.target;
  if (target.group.empty() || target.provider.empty()) return std::nullopt;
  const Group* group = world_.resources.find_group(target.group);
  if (group == nullptr) {
    return refusal(404, "ResourceGroupNotFound", fmt::format("Resource group '{}' could not be found.", target.group));
  }
  if (!group->is_deleting() || !call.is("PUT")) return std::nullopt;
  return refusal(409, "ResourceGroupBeingDeleted",
                 fmt::format("The resource group '{}' is in deprovisioning state and cannot perform this operation.",
                             target.group));
}

}  // namespace virga::arm
