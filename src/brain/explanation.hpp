// Why a job is where it is: ranked reasons, what would help, and what it costs.
#pragma once

#include <string>
#include <vector>

#include "base/money.hpp"
#include "base/time.hpp"
#include "core/job.hpp"

namespace virga {

struct ExplainedReason {
  Reason reason = Reason::none;
  std::string text;  ///< one sentence with this job's own numbers
  std::string fix;   ///< what would remove it; empty if only waiting helps

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("reason", s.reason);
    v("text", s.text);
    v("fix", s.fix);
  }
};

struct Explanation {
  JobId job;
  JobState state = JobState::pending;
  std::vector<ExplainedReason> reasons;  ///< the one that matters most comes first
  std::uint32_t jobs_ahead = 0;          ///< pending jobs that are served before this one
  Time retry_at = Time::never();         ///< when the cloud is asked again, where a refusal is the reason
  Money price_per_hour;                  ///< of all its nodes, list price

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("state", s.state);
    v("reasons", s.reasons);
    v("jobs_ahead", s.jobs_ahead);
    v("retry_at", s.retry_at);
    v("price_per_hour", s.price_per_hour);
  }
};

}  // namespace virga
