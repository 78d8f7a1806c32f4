// What a node learns of its own end from the cloud's Scheduled Events: pure, documents in, notices out.
//
//   EventBook book("nd_0");                              // the name of this instance
//   auto document = parse_scheduled_events(body);        // {"DocumentIncarnation":…, "Events":[…]}
//   if (document) for (const NodeNotice& n : book.read(*document, now).notices) tell(n);
//
// Told once per EventId, soonest first: Preempt, Terminate, Redeploy and Reboot of this very instance (names compared
// without case). `at` is NotBefore; now, if it is empty, over or unreadable, or if the event has started already: a
// failing machine skips straight to Started. Freeze (a pause of seconds) and types that nobody knows are remarks for
// the log. An event that is gone from the document was called off, as the agent of a node that ended reads no more.
// Events go by their ids alone; DocumentIncarnation is not looked at, as an unchanged document has no new ids.
// Source: learn.microsoft.com/azure/virtual-machines/linux/scheduled-events, api-version 2020-07-01.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wire/agent_protocol.hpp"

namespace virga {

struct ScheduledEvent {
  std::string id;
  std::string type;                    ///< Freeze, Reboot, Redeploy, Preempt, Terminate
  std::vector<std::string> resources;  ///< names of the instances that it is about
  bool started = false;
  std::string not_before;  ///< RFC 1123, or empty
  std::string description;
};

/// Code::invalid for what is no such document; an event without an id or a type makes it none.
Result<std::vector<ScheduledEvent>> parse_scheduled_events(std::string_view body);

/// "Mon, 19 Sep 2016 18:29:47 GMT"; nothing for any other text.
std::optional<Time> time_from_rfc1123(std::string_view text);

class EventBook {
 public:
  struct News {
    std::vector<NodeNotice> notices;
    std::vector<NoticeOver> called_off;
    std::vector<std::string> remarks;  ///< lines for the log
  };

  explicit EventBook(std::string instance) : instance_(std::move(instance)) {}
  News read(const std::vector<ScheduledEvent>& document, Time now);

 private:
  std::string instance_;
  std::map<std::string, bool> seen_;  ///< by id: was a notice given?
};

}  // namespace virga
