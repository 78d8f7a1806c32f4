// GET /v1/priorities: what the order of waiting jobs is made of, and the shares of tenants and users.
//
//   Result<PrioritiesBody> body = client.get_as<PrioritiesBody>("/v1/priorities");
#pragma once

#include <vector>

#include "base/time.hpp"
#include "brain/policy/priority_report.hpp"

namespace virga {

struct PrioritiesBody {
  Time now;
  bool by_factors = false;       ///< false: the order of the queue is another one, and there are no factors
  std::vector<JobFactors> jobs;  ///< ascending
  std::vector<ShareRow> shares;  ///< depth first; the root first

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("now", s.now);
    v("by_factors", s.by_factors);
    v("jobs", s.jobs);
    v("shares", s.shares);
  }
};

}  // namespace virga
