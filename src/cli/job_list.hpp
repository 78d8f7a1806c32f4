// Lists of jobs as virgad has them, in the layout that is cheapest for both (wire/job_list_layout.hpp); JSON where the
// controller is another Virga.
//
//   Result<JobsBody> body = get_jobs(client, "/v1/jobs?state=RUNNING");
//   Result<JobList> list = JobList::get(client, "/v1/jobs");       // 100,000 of them, and only one in memory at a time
//   Status all = list->for_each([&](const Job& job) { … });
#pragma once

#include <functional>
#include <string>

#include "cli/client.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

class JobList {
 public:
  /// `target`: /v1/jobs with or without a query.
  static Result<JobList> get(Client& client, const std::string& target);

  Time now() const { return now_; }
  /// Code::internal if the answer is not understood; some jobs may have been told before it.
  Status for_each(const std::function<void(Job&)>& each);

 private:
  std::string bytes_;  ///< in the binary layout, or empty
  JobsBody body_;      ///< from JSON
  Time now_;
};

Result<JobsBody> get_jobs(Client& client, const std::string& target);

}  // namespace virga
