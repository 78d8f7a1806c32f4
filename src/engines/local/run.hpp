// One start() (or end()) of one job incarnation, as the engine sees it.
//
//   start:  other nodes bind → first node launches → JobStarted … first node says BoundEnded → the others end →
//   JobEnded end:    EndBound to every node that has not ended; a node that is detached counts as ended
//
// A Run is rebuilt from nothing after a crash: sending any of its messages again changes nothing at the agents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wire/agent_protocol.hpp"

namespace virga {

struct RunNode {
  VmId vm;
  bool bound = false;
  bool ended = false;
  bool gone = false;  ///< detached, or its agent does not answer any more
};

struct Run {
  JobKey key;
  bool start_asked = false;
  std::optional<JobBinding> binding;  ///< none: end() of a job that this engine was never told to start
  LaunchPayload payload;              ///< until the launch is answered
  std::vector<RunNode> nodes;         ///< in rank order
  std::optional<LaunchAnswer> answer;
  bool ended_before = false;     ///< a node says that it was ended there: the first node knows how, and starts nothing
  std::uint32_t end_signal = 0;  ///< of the strongest end() so far; 0: none
  Reason end_why = Reason::none;
  bool first_ended = false;
  bool finished = false;  ///< JobEnded or JobLaunchFailed was posted for this start
  ExitStatus exit;
  Usage usage;
  std::string unsaved;  ///< of the nodes that could not save what was written there

  bool failed() const { return answer && !answer->ok; }
  bool others_bound() const {
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      if (!nodes[i].bound) return false;
    }
    return true;
  }
  bool all_ended() const {
    for (const RunNode& node : nodes) {
      if (!node.ended && !node.gone) return false;
    }
    return true;
  }
};

}  // namespace virga
