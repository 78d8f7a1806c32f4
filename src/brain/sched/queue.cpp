#include "brain/sched/queue.hpp"

namespace virga {

namespace {

/// Nobody knows how long a job without a limit runs; the schedule needs a number, and is wrong about it at times.
constexpr Duration k_guess_without_limit = Duration::minutes(60);

}  // namespace

LaneKey lane_of(const JobSpec& spec) {
  return {spec.partition, spec.per_node.cpus, spec.per_node.gpus, spec.per_node.memory_bytes, spec.exclusive};
}

OrderKey order_of(const Job& job) { return {0, job.id.value}; }

Duration expected_time(const JobSpec& spec) {
  return spec.time_limit.is_infinite() ? k_guess_without_limit : spec.time_limit;
}

void Queue::insert(const Job& job) {
  lanes_[lane_of(job.spec)].insert({order_of(job), job.id, job.spec.nodes, expected_time(job.spec)});
}

void Queue::erase(const Job& job) {
  auto lane = lanes_.find(lane_of(job.spec));
  if (lane == lanes_.end()) return;
  lane->second.erase(order_of(job));
  if (lane->second.empty()) lanes_.erase(lane);
}

bool Queue::contains(const Job& job) const {
  auto lane = lanes_.find(lane_of(job.spec));
  return lane != lanes_.end() && lane->second.find(order_of(job)) != nullptr;
}

std::size_t Queue::size() const {
  std::size_t sum = 0;
  for (const auto& [key, lane] : lanes_) sum += lane.size();
  return sum;
}

std::size_t Queue::ahead_of(const Job& job) const {
  std::size_t sum = 0;
  for (const auto& [key, lane] : lanes_) {
    if (key.partition == job.spec.partition) sum += lane.ahead_of(order_of(job)).jobs;
  }
  return sum;
}

std::int64_t Queue::nodes_ahead_of(const Job& job) const {
  std::int64_t sum = 0;
  for (const auto& [key, lane] : lanes_) {
    if (key.partition == job.spec.partition) sum += lane.ahead_of(order_of(job)).units;
  }
  return sum;
}

}  // namespace virga
