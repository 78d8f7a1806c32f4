#include "cli/job_list.hpp"

#include "wire/job_list_layout.hpp"

namespace virga {
namespace {

Status not_understood(const Error& error) {
  return fail(Code::internal, "virgad's answer is not understood: " + error.message);
}

}  // namespace

Result<JobList> JobList::get(Client& client, const std::string& target) {
  const char* mark = target.find('?') == target.npos ? "?" : "&";
  Result<std::string> answer = client.get(target + mark + "layout=" + std::to_string(k_job_list_layout));
  if (!answer) return unexpected(answer.error());
  JobList list;
  if (answer->starts_with('{')) {
    Result<JobsBody> body = from_json_text<JobsBody>(*answer);
    if (!body) return unexpected(not_understood(body.error()).error());
    list.body_ = *std::move(body);
    list.now_ = list.body_.now;
    return list;
  }
  const Result<JobListReader> reader = JobListReader::open(*answer);
  if (!reader) return unexpected(not_understood(reader.error()).error());
  list.now_ = reader->now();
  list.bytes_ = *std::move(answer);
  return list;
}

Status JobList::for_each(const std::function<void(Job&)>& each) {
  for (Job& job : body_.jobs) each(job);
  if (bytes_.empty()) return {};
  Result<JobListReader> reader = JobListReader::open(bytes_);
  for (Job job; reader && reader->next(job);) each(job);
  if (!reader || !reader->ok()) return not_understood({Code::corrupt, "a list of jobs does not follow its layout"});
  return {};
}

Result<JobsBody> get_jobs(Client& client, const std::string& target) {
  Result<JobList> list = JobList::get(client, target);
  if (!list) return unexpected(list.error());
  JobsBody body{.now = list->now(), .jobs = {}};
  if (Status all = list->for_each([&](Job& job) { body.jobs.push_back(std::move(job)); }); !all) {
    return unexpected(all.error());
  }
  return body;
}

}  // namespace virga
