// One pass over the queue: EASY backfilling, on whatever machine.
//
//   const PassResult done = backfill_pass(queue, &queue, machine);    // EASY: the walk follows the queue
//   backfill_pass(queue, &by_estimate, machine);                      // EASY-SJBF: the same jobs, shortest first
//   backfill_pass(queue, nullptr, machine);                           // FCFS: nobody overtakes
//   backfill_pass(by_due_time, &by_due_time, machine);                // Virga's order: due_order.hpp
//
// Queue heads are started in order while they can be. For the first that cannot, the machine computes its shadow: the
// earliest time at which the estimated ends of the running jobs free enough, and what is left over then. The rest is
// walked once; a job starts if it fits now and either ends by the shadow time or takes no more than what is left over,
// which it then uses up. So the head never starts later than its first shadow time.
//
// Cost: O(log n) for each job started, plus O(log n) for the shadow and for the search that finds nothing.
// Lifka, "The ANL/IBM SP Scheduling System", 1995; SJBF: Tsafrir, Etsion, Feitelson, "Backfilling Using
// System-Generated Predictions Rather than User Runtime Estimates", 2007.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/enum_names.hpp"
#include "brain/sched/release_profile.hpp"
#include "brain/sched/waiting_list.hpp"

namespace virga {

enum class QueuePolicy : std::uint8_t { fcfs, easy, easy_sjbf, conservative, virga };
template <>
struct EnumNames<QueuePolicy> {
  static constexpr std::string_view names[] = {"fcfs", "easy", "easy-sjbf", "conservative", "virga"};
};

/// What a pass needs of a machine. start() takes the job out of every list and counts it as running; it may refuse a
/// job for which enough units are free (they may be free in the wrong places), and then changes nothing.
template <class M>
concept PassMachine = requires(M& machine, const WaitingEntry& entry) {
  { machine.now() } -> std::convertible_to<Time>;
  { machine.free_units() } -> std::convertible_to<std::int64_t>;
  { machine.shadow(entry) } -> std::convertible_to<Shadow>;
  { machine.start(entry) } -> std::convertible_to<bool>;
};

struct PassResult {
  std::uint64_t heads_started = 0;
  std::uint64_t backfilled = 0;
  std::optional<WaitingEntry> blocked;  ///< the head that waits
  Shadow shadow;                        ///< of that head; computed only where somebody may overtake it
};

/// Starts queue heads in order; the first that cannot be started is the result's `blocked`.
template <PassMachine M>
PassResult start_heads(const WaitingList& queue, M& machine) {
  PassResult result;
  while (const WaitingEntry* head = queue.first()) {
    const WaitingEntry entry = *head;
    if (entry.units > machine.free_units() || !machine.start(entry)) {
      result.blocked = entry;
      break;
    }
    ++result.heads_started;
  }
  return result;
}

/// `walk` holds the same jobs as `queue`, in the order in which they may overtake; null if nobody may.
template <PassMachine M>
PassResult backfill_pass(const WaitingList& queue, const WaitingList* walk, M& machine) {
  PassResult result = start_heads(queue, machine);
  if (!result.blocked || walk == nullptr) return result;
  result.shadow = machine.shadow(*result.blocked);
  std::int64_t extra = result.shadow.extra_units;
  const Duration ends_within =
      result.shadow.at.is_never() ? Duration::infinite() : result.shadow.at - Time(machine.now());
  auto gap = [&] { return Gap{machine.free_units(), ends_within, extra}; };
  const WaitingEntry* found = walk->first_fit(gap());
  while (found != nullptr) {
    const WaitingEntry entry = *found;
    if (entry.key != result.blocked->key && machine.start(entry)) {
      ++result.backfilled;
      if (entry.estimate > ends_within) extra -= entry.units;
    }
    found = walk->next_fit(entry.key, gap());
  }
  return result;
}

}  // namespace virga
