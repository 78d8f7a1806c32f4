// Times, sizes, arrays, dependencies, patterns of file names: the first byte says which; what is written again is read
// as the same.
#include "core/job.hpp"
#include "fuzz/must.hpp"
#include "wire/output_pattern.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_text.hpp"

namespace {

using virga::Duration;

void time_limit(const std::string& text) {
  const auto limit = virga::parse_time_limit(text);
  if (!limit) return;
  must(limit->is_infinite() || limit->ns >= 0);
  const auto again = virga::parse_time_limit(virga::time_limit_text(*limit, "UNLIMITED", true));
  must(again && (*again == *limit || limit->ns == 0 || !limit->is_infinite()));
}

void array(const std::string& text) {
  const auto array = virga::parse_array(text);
  if (!array) return;
  const auto again = virga::parse_array(virga::array_text(*array));
  must(again && *again == *array);
}

void dependencies(const std::string& text) {
  const auto list = virga::parse_dependencies(text);
  if (!list) return;
  virga::JobSpec spec;
  spec.dependencies = list->all;
  spec.any_dependency = list->any;
  const auto again = virga::parse_dependencies(virga::dependencies_text(spec));
  must(again && again->all == list->all);
}

void memory(const std::string& text) {
  const auto bytes = virga::parse_memory(text);
  if (bytes) must(!virga::memory_text(*bytes).empty());
}

void moment(const std::string& text) {
  const auto time = virga::parse_local_time(text, virga::Time::from_seconds(1'800'000'000));
  if (time) must(!virga::local_time_text(*time).empty());
}

void others(const std::string& text) {
  const auto signal = virga::parse_signal(text);
  must(!signal || *signal < 128);
  (void)virga::parse_switches(text);
  (void)virga::parse_count(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr void (*k_all[])(const std::string&) = {time_limit, array, dependencies, memory, moment, others};
  if (size == 0) return 0;
  k_all[data[0] % std::size(k_all)](std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  return 0;
}
