// Workloads of the simulator's tests: random ones, and the recorded ones where they are at hand.
//
//   Workload w = random_workload(seed);
//   if (const auto folder = shared_data()) … else MESSAGE("skipped: …");
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/flat/flat_simulator.hpp"
#include "support/random.hpp"

namespace virga::test {

struct Workload {
  std::int64_t units = 0;
  std::vector<TraceJob> jobs;
};

/// Short and crowded, so that many things happen at the same second; some with many small jobs, some with few sizes.
inline Workload random_workload(std::uint64_t seed, std::int64_t jobs_max = 30) {
  Random random(seed);
  Workload w;
  w.units = random.between(1, 24);
  const std::int64_t count = random.between(1, jobs_max);
  const std::int64_t arrivals_s = random.between(0, 4 * count);
  const std::int64_t length_s = random.between(1, 40);
  const bool has_few_sizes = random.one_in(2);
  const bool has_limits = !random.one_in(4);
  for (std::int64_t i = 0; i < count; ++i) {
    TraceJob job;
    job.submit_s = random.between(0, arrivals_s);
    job.units = static_cast<std::uint32_t>(random.between(1, w.units));
    if (has_few_sizes) job.units = random.one_in(3) ? static_cast<std::uint32_t>(w.units) : 1 + job.units / 3;
    job.units = std::min(job.units, static_cast<std::uint32_t>(w.units));
    job.duration_s = random.between(1, length_s);
    job.estimate_s = has_limits ? job.duration_s + random.between(0, 2 * length_s) : job.duration_s;
    w.jobs.push_back(job);
  }
  std::stable_sort(w.jobs.begin(), w.jobs.end(), [](const auto& a, const auto& b) { return a.submit_s < b.submit_s; });
  return w;
}

/// Every combination of options, for a pool of so many units.
inline std::vector<FlatOptions> all_options(std::int64_t units) {
  std::vector<FlatOptions> all;
  for (const auto policy :
       {QueuePolicy::fcfs, QueuePolicy::easy, QueuePolicy::easy_sjbf, QueuePolicy::conservative, QueuePolicy::virga}) {
    for (const auto pass : {FlatPass::time, FlatPass::event}) {
      for (const auto estimates : {FlatEstimates::request, FlatEstimates::exact}) {
        all.push_back({units, policy, pass, estimates});
      }
    }
  }
  return all;
}

inline std::string text_of(const FlatOptions& o) {
  return std::string(name_of(o.policy)) + ", pass " + std::string(name_of(o.pass)) + ", estimates " +
         std::string(name_of(o.estimates));
}

/// The folder of recorded workloads: $VIRGA_SHARED_DATA, or shared/data beside a folder that this program lies in.
inline std::optional<std::string> shared_data() {
  namespace fs = std::filesystem;
  if (const char* set = std::getenv("VIRGA_SHARED_DATA")) return set;
  std::error_code failed;
  for (fs::path folder = fs::read_symlink("/proc/self/exe", failed); folder.has_relative_path();
       folder = folder.parent_path()) {
    const fs::path found = folder.parent_path() / "shared" / "data";
    if (fs::exists(found / "traces", failed)) return found.string();
  }
  return std::nullopt;
}

}  // namespace virga::test
