// What every journal on disk does alike with its records: canonical bytes (core/binary.hpp) under a key, with a CRC-32C
// over both, so that a record that was changed, or found under another key, is not believed.
//
//   put(seq, record_crc(seq, bytes), bytes);
//   Result<Event> event = read_record<Event>(seq, crc, bytes);   // Code::corrupt: "does not match its CRC-32C"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/crc32c.hpp"
#include "base/result.hpp"
#include "core/binary.hpp"
#include "core/job.hpp"

namespace virga {

inline std::uint32_t record_crc(std::uint64_t key, std::string_view record) {
  char raw[8];
  for (int i = 0; i < 8; ++i) raw[i] = static_cast<char>(key >> (8 * i));
  return crc32c(record, crc32c({raw, sizeof(raw)}));
}

/// The message lacks its subject: "event 7 " goes before it.
template <class T>
Result<T> read_record(std::uint64_t key, std::uint32_t crc, std::string_view record) {
  if (crc != record_crc(key, record)) return fail(Code::corrupt, "does not match its CRC-32C");
  Result<T> value = decode<T>(record);
  if (!value) return fail(Code::corrupt, "cannot be read: " + value.error().message);
  return value;
}

/// The key of an account record: job and incarnation, so that records of later jobs come later.
inline std::uint64_t job_key(JobId job, std::uint32_t incarnation) {
  return std::uint64_t{job.value} << 32 | incarnation;
}

/// The columns that a job's account is found by. One that never started counts as started when it ended.
struct JobColumns {
  std::int64_t uid, started, ended;

  explicit JobColumns(const Job& job)
      : uid(job.owner.uid), started(job.started.is_set() ? job.started.ns : job.ended.ns), ended(job.ended.ns) {}
};

/// Nobody will start this incarnation or a later one: its payload may go.
inline bool is_over(const Job& job) { return is_final(job.state) && !job.requeue_after_end; }

}  // namespace virga
