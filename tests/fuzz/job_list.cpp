// Lists of jobs in the commands' own layout: bytes of anybody are read to their end or refused.
#include "fuzz/must.hpp"
#include "wire/job_list_layout.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes = virga::JobListWriter(virga::Time{}).end();
  bytes.resize(16);  // the head that says what it is
  bytes.append(reinterpret_cast<const char*>(data), size);
  auto reader = virga::JobListReader::open(bytes);
  must(reader.has_value());
  virga::JobListWriter writer(reader->now());
  std::size_t count = 0;
  for (virga::Job job; reader->next(job); ++count) writer.put(job);
  must(count <= size);
  if (!reader->ok()) return 0;
  const std::string again = writer.end();
  auto second = virga::JobListReader::open(again);
  for (virga::Job job; second->next(job);) --count;
  must(second->ok() && count == 0);
  return 0;
}
