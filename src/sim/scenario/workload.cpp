#include "sim/scenario/workload.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/assert.hpp"
#include "base/prng.hpp"

namespace virga {
namespace {

/// The chance of an arrival at this second, in ten-thousandths of that at the peak.
std::uint64_t arrival_weight(const WorkloadSpec& spec, std::int64_t second) {
  const std::int64_t minute = second / 60 % 1440;
  const std::int64_t apart = std::abs(minute - std::int64_t{spec.peak_hour} * 60);
  const auto from_peak = static_cast<std::uint64_t>(std::min(apart, 1440 - apart));  // 0 ... 720
  const std::uint64_t of_day = 100 - (100 - spec.night_percent) * from_peak / 720;
  const bool weekend = second / 86400 % 7 >= 5;
  return of_day * (weekend ? spec.weekend_percent : 100);
}

std::int64_t draw_seconds(const JobMix& mix, Prng& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
  };
  const std::int64_t median = std::max<std::int64_t>(1, mix.median.whole_seconds());
  const std::int64_t longest = std::max(median, mix.longest.whole_seconds());
  if (random.chance(50, 100)) return 1 + below(median);
  std::int64_t least = median;
  while (least < longest && random.chance(mix.tail_percent, 100)) least *= 2;
  return std::min(longest, least + below(least));
}

const JobMix& draw_mix(const WorkloadSpec& spec, Prng& random) {
  std::uint64_t sum = 0;
  for (const auto& mix : spec.mixes) sum += mix.weight;
  auto at = random.below(sum);
  for (const auto& mix : spec.mixes) {
    if (at < mix.weight) return mix;
    at -= mix.weight;
  }
  return spec.mixes.back();
}

std::uint32_t draw_gpus(const JobMix& mix, Prng& random) {
  std::uint32_t doublings = 0;
  while (mix.least_gpus << doublings < mix.most_gpus) ++doublings;
  return mix.least_gpus << random.below(doublings + 1);
}

SimJob draw_job(const WorkloadSpec& spec, std::int64_t second, Prng& random) {
  const auto& mix = draw_mix(spec, random);
  SimJob job;
  job.submit = Time::from_seconds(second);
  const auto user = random.below(random.below(spec.users) + 1);
  job.user = "user" + std::to_string(user + 1);
  if (!spec.tenants.empty()) job.tenant = spec.tenants[user % spec.tenants.size()];
  job.partition = mix.partition;
  const auto gpus = draw_gpus(mix, random);
  job.nodes = (gpus + spec.gpus_per_node - 1) / spec.gpus_per_node;
  job.gpus_per_node = std::min(gpus, spec.gpus_per_node);
  const auto seconds = draw_seconds(mix, random);
  const auto over = static_cast<std::int64_t>(random.below(spec.limit_over_percent + std::uint64_t{1}));
  job.duration = Duration::seconds(seconds);
  // Users write limits in minutes.
  job.limit = Duration::minutes((seconds * (100 + over) / 100 + 59) / 60);
  job.checkpoint = mix.checkpoint;
  job.requeue = mix.requeue;
  return job;
}

}  // namespace

std::vector<SimJob> make_workload(const WorkloadSpec& spec) {
  VIRGA_ASSERT(!spec.mixes.empty() && spec.users > 0, "the reader of the scenario refuses such a workload");
  Prng random(spec.seed);
  const auto span_s = static_cast<std::uint64_t>(spec.span.whole_seconds());
  const auto count = std::max<std::uint64_t>(1, spec.jobs_per_day * span_s / 86400);
  std::vector<std::int64_t> seconds;
  seconds.reserve(count);
  while (seconds.size() < count) {
    const auto second = static_cast<std::int64_t>(random.below(span_s));
    if (random.below(10'000) < arrival_weight(spec, second)) seconds.push_back(second);
  }
  std::sort(seconds.begin(), seconds.end());
  std::vector<SimJob> jobs;
  jobs.reserve(count);
  for (const auto second : seconds) jobs.push_back(draw_job(spec, second, random));
  return jobs;
}

}  // namespace virga
