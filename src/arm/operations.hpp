// Long-running operations: begun by a request, ended by time or by the machines that they wait for.
//
//   Operation& operation = operations.begin({.location = "eastus", .subject = set.id}, now);
//   operations.when_ended(operation.id, [&](const Operation& o, Time when) { … });   // o.error_code says how
//   operations.end_at(operation.id, now + Duration::seconds(3));
//
// One that an injected failure keeps from ending stays InProgress, though its effects happen.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arm/agenda.hpp"
#include "arm/scenario.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"

namespace virga::arm {

struct Operation {
  std::string id;  ///< a GUID
  std::string location;
  std::string subject;   ///< id of the resource that a poll of Location gives back; "" for none
  std::string provider;  ///< whose URL it has
  Time started;
  Time ended;  ///< unset while it runs
  std::string error_code;
  std::string error_message;
  std::optional<FailureRule> failure;  ///< injected
  std::uint32_t machines_left = 0;     ///< it ends when the last of them has settled

  bool is_done() const { return ended.is_set(); }
  std::string status() const;
};

class Operations {
 public:
  using Ended = std::function<void(const Operation&, Time)>;

  Operations(Agenda& agenda, Prng random) : agenda_(agenda), random_(random) {}

  Operation& begin(Operation draft, Time now);
  const Operation* find(const std::string& id) const;
  /// Whether one with this subject has not ended.
  bool is_running(std::string_view subject) const;
  void when_ended(const std::string& id, Ended ended);
  void end_at(const std::string& id, Time when);
  void expect_machines(const std::string& id, std::uint32_t count);
  /// One of the expected machines is there, or failed with this code; the first failure counts.
  void settle(const std::string& id, const std::string& code, const std::string& message, Time now);
  void fail(const std::string& id, const std::string& code, const std::string& message);

 private:
  void end(const std::string& id, Time now);

  Agenda& agenda_;
  Prng random_;
  std::map<std::string, Operation> operations_;
  std::map<std::string, std::vector<Ended>> waiting_;
  std::map<std::string, std::uint32_t> running_;  ///< by the lower-case id of their subject
};

}  // namespace virga::arm
