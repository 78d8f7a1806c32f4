// The jobs that wait for nodes and for nothing else, in the order in which they are served.
//
//   queue.insert(job);
//   for (auto& [key, lane] : queue.lanes()) { … lane.first() … }
//
// Jobs of one partition that ask the same of each node, and could have the same pools, form a lane. Within a lane only
// the number of nodes and the expected time differ, so "the first one that fits into what is free" is one search in a
// WaitingList, whatever the length of the queue. The order over all lanes is (rank, job id): lower first; ranks in
// lanes of full age are behind the others by a shift that grows with the time (policy/priority.hpp).
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <vector>

#include "brain/sched/waiting_list.hpp"
#include "core/job.hpp"

namespace virga {

/// What all jobs of a lane have in common.
struct LaneKey {
  std::uint32_t partition = 0;  ///< its place in Config::partitions
  std::uint32_t cpus = 0;
  std::uint32_t gpus = 0;
  std::uint64_t memory_bytes = 0;
  bool exclusive = false;
  std::uint64_t placement = 0;    ///< Job::placement_key: features and single nodes
  bool files_on_storage = false;  ///< pools without shared files may serve it
  bool full_age = false;          ///< its jobs' priorities do not grow any more

  friend auto operator<=>(const LaneKey&, const LaneKey&) = default;
};

LaneKey lane_of(const Job& job);
/// Of a job in the queue, by the place that it was given; lower is served first.
OrderKey order_of(const Job& job);
/// Until then it waits for as few leaves of the fabric as it asked for; Time{} if it did not ask.
Time switches_until(const Job& job);
/// How long the schedule expects a job to run: its limit, or a guess for one that has none.
Duration expected_time(const JobSpec& spec);
/// The shortest time that it would take as its limit: expected_time(), or less with --time-min.
Duration shortest_time(const JobSpec& spec);
/// Job::placement_key of this spec. Jobs that have the same one want the same nodes.
std::uint64_t placement_key_of(const JobSpec& spec);

class Queue {
 public:
  void insert(const Job& job);
  /// Nothing happens if the job does not wait here.
  void erase(const Job& job);
  void clear() { lanes_.clear(); }

  bool contains(const Job& job) const;
  std::size_t size() const;
  /// How many jobs of the same partition are served before this one, and how many nodes they ask for. `shift` is
  /// rank_shift() of now.
  WaitingList::Ahead ahead_of(const Job& job, std::int64_t shift) const;
  const std::map<LaneKey, WaitingList>& lanes() const { return lanes_; }

 private:
  std::map<LaneKey, WaitingList> lanes_;  ///< none is empty
  std::vector<WaitingList> spare_;        ///< emptied ones, whose memory is used again
};

}  // namespace virga
