// Long lists of jobs for Virga's own commands, a tenth of the size of their JSON and read in a fiftieth of the time.
//
//   JobListWriter writer(now);                                           // application/x-virga-jobs
//   for (const Job& job : wanted) writer.put(job);
//   std::string bytes = writer.end();
//   Result<JobListReader> reader = JobListReader::open(bytes);           // which `bytes` outlives
//   for (Job job; reader->next(job);) …                                  // one at a time: the list is nowhere as a
//   whole if (!reader->ok()) …                                                 // it was cut, or is another's
//
// It is a way of transport, never stored: both ends are of the same Virga, which the number at its head tells
// (k_job_list_layout: k_schema_version). Layout, in core/binary.hpp's terms: "VJOB", that number, the time; of each job
// a u64 with a bit for each field of Job::visit() that is told, since it differs from a new job's, then those fields.
// In place of the specification there is its number (u32) among those told so far; a new number is followed by it. At
// the end there are a u64 of ones and the count of jobs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/binary.hpp"
#include "core/event.hpp"
#include "core/job.hpp"

namespace virga {

inline constexpr std::uint32_t k_job_list_layout = k_schema_version;

class JobListWriter {
 public:
  explicit JobListWriter(Time now);
  ~JobListWriter();
  JobListWriter(JobListWriter&&) noexcept;

  void put(const Job& job);
  std::string end();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

class JobListReader {
 public:
  /// Code::corrupt for anything but such a list in this program's layout.
  static Result<JobListReader> open(std::string_view bytes);

  Time now() const { return now_; }
  /// The next one; false at the end, and for what does not follow the layout.
  bool next(Job& job);
  bool ok() const { return is_sound_ && bytes_.ok(); }

 private:
  explicit JobListReader(std::string_view bytes) : bytes_(bytes) {}

  BinaryReader bytes_;
  Time now_;
  std::uint32_t read_ = 0;
  bool at_end_ = false;
  bool is_sound_ = true;
  std::vector<Shared<JobSpec>> specs_;
};

}  // namespace virga
