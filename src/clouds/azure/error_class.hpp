// What an answer of Azure that is no success means, from its status, headers and body alone.
//
//   ArmError error = classify_answer(answer.status, retry_after, answer.body);
//   GangRefused{gang, refusal_of(error.kind), error.text(), error.retry_after}
//
// The kinds are never mixed, since each has its own reaction: throttling says nothing about capacity, a used-up quota
// nothing about the region. The outer code alone does not tell: "OperationNotAllowed" stands for throttling, for quota
// and for a set that is being deleted. Bodies may be pages of a gateway, cut off, or empty.
//
// Sources: Microsoft's "Troubleshoot Azure Resource Manager throttling", "Resolve common Azure deployment errors",
// and what karpenter-provider-azure tells apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/enum_names.hpp"
#include "base/time.hpp"
#include "core/event.hpp"

namespace virga::azure {

enum class ArmErrorKind : std::uint8_t {
  throttled,    ///< too many calls; wait
  quota,        ///< the subscription may not have more
  capacity,     ///< Azure has no such machines now, here
  request,      ///< wrong, and stays wrong until somebody changes something
  dependency,   ///< something else has to end first; again soon
  credentials,  ///< who we are, or what we may do
  fault,        ///< Azure's or the network's failure; may go over
};

}  // namespace virga::azure

template <>
struct virga::EnumNames<virga::azure::ArmErrorKind> {
  static constexpr std::string_view names[] = {"throttled",  "quota",       "capacity", "request",
                                               "dependency", "credentials", "fault"};
};

namespace virga::azure {

/// vCPUs, as the message of a quota refusal tells them.
struct QuotaNumbers {
  std::uint64_t limit = 0;
  std::uint64_t usage = 0;
  std::uint64_t required = 0;
};

struct ArmError {
  ArmErrorKind kind = ArmErrorKind::fault;
  int status = 0;       ///< of HTTP; 0: no answer came, or the failure is an operation's
  std::string code;     ///< the most telling one of the answer
  std::string message;  ///< one line
  Duration retry_after;
  std::optional<QuotaNumbers> numbers = {};
  bool may_recover = false;  ///< Azure calls it Failed, but it may be well soon: look again

  /// Azure says that the thing is not there. A wrong subscription or address says nothing about it.
  bool says_absent() const;
  std::string text() const { return code.empty() ? message : code + ": " + message; }
};

/// `retry_after` is that of the header; zero without one.
ArmError classify_answer(int status, Duration retry_after, std::string_view body);
/// The body of an operation that ended other than Succeeded.
ArmError classify_operation(std::string_view body);

Refusal refusal_of(ArmErrorKind kind);

}  // namespace virga::azure
