// What is asked and answered when many jobs are cancelled at once (POST /v1/jobs/cancel).
#pragma once

#include <string>
#include <vector>

#include "wire/error_codes.hpp"

namespace virga {

/// Many jobs at once: one write to stable storage for all of them.
struct CancelBody {
  std::vector<std::string> jobs;  ///< "12", a whole array too, or a task "12_3"

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("jobs", s.jobs);
  }
};

struct RefusedJobBody {
  std::string job;  ///< as it was asked for
  Code code = Code::internal;
  std::string message;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("code", s.code);
    v("message", s.message);
  }
};

struct CancelledBody {
  std::vector<RefusedJobBody> refused;  ///< in the order of the request; the others are cancelled

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("refused", s.refused);
  }
};

}  // namespace virga
