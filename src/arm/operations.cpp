#include "arm/operations.hpp"

#include "arm/text.hpp"

namespace virga::arm {
namespace {

/// For how long an operation that has ended can still be asked for.
constexpr Duration k_memory = Duration::minutes(24 * 60);

}  // namespace

std::string Operation::status() const {
  if (!is_done() || (failure && failure->kind == FailureKind::never_ends)) return "InProgress";
  return error_code.empty() ? "Succeeded" : "Failed";
}

Operation& Operations::begin(Operation draft, Time now) {
  draft.id = new_guid(random_);
  draft.started = now;
  Operation& operation = operations_[draft.id];
  operation = std::move(draft);
  if (!operation.subject.empty()) ++running_[lower_case(operation.subject)];
  if (operation.failure && operation.failure->kind == FailureKind::async) {
    fail(operation.id, operation.failure->code, operation.failure->message);
  }
  return operation;
}

const Operation* Operations::find(const std::string& id) const {
  const auto found = operations_.find(lower_case(id));
  return found == operations_.end() ? nullptr : &found->second;
}

bool Operations::is_running(std::string_view subject) const { return running_.contains(lower_case(subject)); }

void Operations::when_ended(const std::string& id, Ended ended) { waiting_[id].push_back(std::move(ended)); }

void Operations::end_at(const std::string& id, Time when) {
  agenda_.at(when, [this, id](Time now) { end(id, now); });
}

void Operations::expect_machines(const std::string& id, std::uint32_t count) {
  operations_.at(id).machines_left += count;
}

void Operations::settle(const std::string& id, const std::string& code, const std::string& message, Time now) {
  const auto found = operations_.find(id);
  if (found == operations_.end() || found->second.is_done()) return;
  if (!code.empty()) fail(id, code, message);
  if (found->second.machines_left > 0 && --found->second.machines_left == 0) end(id, now);
}

void Operations::fail(const std::string& id, const std::string& code, const std::string& message) {
  Operation& operation = operations_.at(id);
  if (!operation.error_code.empty()) return;
  operation.error_code = code;
  operation.error_message = message;
}

void Operations::end(const std::string& id, Time now) {
  Operation& operation = operations_.at(id);
  if (operation.is_done()) return;
  if (operation.failure && operation.failure->kind == FailureKind::recovers) {
    fail(id, operation.failure->code, operation.failure->message);
  }
  operation.ended = now;
  const auto running = running_.find(lower_case(operation.subject));
  if (running != running_.end() && --running->second == 0) running_.erase(running);
  const auto waiting = waiting_.extract(id);
  if (waiting) {
    for (const Ended& ended : waiting.mapped()) ended(operation, now);
  }
  agenda_.at(now + k_memory, [this, id](Time) { operations_.erase(id); });
}

}  // namespace virga::arm
