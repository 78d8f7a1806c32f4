#include "brain/sched/queue.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "core/binary.hpp"

namespace virga {

namespace {

/// Nobody knows how long a job without a limit runs; the schedule needs a number, and is wrong about it at times.
constexpr Duration k_guess_without_limit = Duration::minutes(60);
/// A job that can start at once opens a lane and closes it again: a few are kept for the next ones.
constexpr std::size_t k_spare_lanes = 4;

}  // namespace

LaneKey lane_of(const Job& job) {
  const JobSpec& spec = job.spec;
  return {job.partition_number, spec.per_node.cpus, spec.per_node.gpus,   spec.per_node.memory_bytes,
          spec.exclusive,       job.placement_key,  job.files_on_storage, job.full_age};
}

OrderKey order_of(const Job& job) { return {job.rank, job.id.value}; }

Time switches_until(const Job& job) {
  if (job.spec->switches == 0) return {};
  return job.spec->switches_wait.is_infinite() ? Time::never() : job.eligible + job.spec->switches_wait;
}

Duration expected_time(const JobSpec& spec) {
  return spec.time_limit.is_infinite() ? k_guess_without_limit : spec.time_limit;
}

Duration shortest_time(const JobSpec& spec) {
  const Duration expected = expected_time(spec);
  return spec.time_min > Duration{} ? std::min(expected, spec.time_min) : expected;
}

std::uint64_t placement_key_of(const JobSpec& spec) {
  if (spec.placement == Placement{}) return 0;
  return digest_of(encode(spec.placement)) | 1;  // never that of nothing
}

void Queue::insert(const Job& job) {
  const LaneKey key = lane_of(job);
  auto lane = lanes_.find(key);
  if (lane == lanes_.end() && !spare_.empty()) {
    lane = lanes_.emplace(key, std::move(spare_.back())).first;
    spare_.pop_back();
  } else if (lane == lanes_.end()) {
    lane = lanes_.emplace(key, WaitingList{}).first;
  }
  lane->second.insert({order_of(job), job.id, job.spec->nodes, shortest_time(job.spec)});
}

void Queue::erase(const Job& job) {
  auto lane = lanes_.find(lane_of(job));
  if (lane == lanes_.end()) return;
  lane->second.erase(order_of(job));
  if (!lane->second.empty()) return;
  if (spare_.size() < k_spare_lanes) spare_.push_back(std::move(lane->second));
  lanes_.erase(lane);
}

bool Queue::contains(const Job& job) const {
  auto lane = lanes_.find(lane_of(job));
  return lane != lanes_.end() && lane->second.find(order_of(job)) != nullptr;
}

std::size_t Queue::size() const {
  std::size_t sum = 0;
  for (const auto& [key, lane] : lanes_) sum += lane.size();
  return sum;
}

WaitingList::Ahead Queue::ahead_of(const Job& job, std::int64_t shift) const {
  WaitingList::Ahead sum;
  for (const auto& [key, lane] : lanes_) {
    if (key.partition != job.partition_number) continue;
    OrderKey own = order_of(job);
    own.rank += (job.full_age ? shift : 0) - (key.full_age ? shift : 0);
    const WaitingList::Ahead ahead = lane.ahead_of(own);
    sum.jobs += ahead.jobs;
    sum.units += ahead.units;
  }
  return sum;
}

}  // namespace virga
