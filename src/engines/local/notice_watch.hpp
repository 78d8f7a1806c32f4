// The process that asks the cloud's metadata service, once a second, whether this node is about to end.
//
// The agent forks it (no exec) and reads NodeNotice and NoticeOver from it; ApproveNotice goes back. It may block in
// HTTP without holding up the agent, ends with it, and the agent starts another one if it dies. A service that does not
// answer, answers nonsense or an error is asked again after pauses that grow to 5 s; what is wrong is logged when it
// changes. The first answer may take two minutes, as the cloud turns the service on at the first question.
//
// Protocol: GET and POST /metadata/scheduledevents?api-version=2020-07-01; own name from /metadata/instance.
#pragma once

#include <chrono>

#include "wire/frame_channel.hpp"
#include "wire/metadata_client.hpp"

namespace virga {

struct NoticeTimes {
  std::chrono::milliseconds interval{1'000};       ///< between two questions
  std::chrono::milliseconds pause_longest{5'000};  ///< after failures in a row
  std::chrono::milliseconds first_answer{150'000};
  std::chrono::milliseconds answer{10'000};
  std::chrono::milliseconds restart{1'000};  ///< before another watcher
  std::chrono::milliseconds calm{2'000};     ///< without a job, before an event is approved
};

/// Runs in the forked child, and ends it. Closes every descriptor that is not its own.
[[noreturn]] void run_notice_watch(FrameChannel agent, const MetadataClient& service, const NoticeTimes& times);

}  // namespace virga
