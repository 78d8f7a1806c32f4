// The way of facts from a simulated port to the controller: they take time, some come late, some twice.
//
//   Courier courier(queue, random.next(), faults, sink);
//   courier.send(gang.value, GangGranted{…}, Duration::milliseconds(20));
//
// Facts of one stream (a gang, a job, a VM's agent) arrive in the order in which they were sent; those of different
// streams overtake each other. When the courier goes, as it does with its controller, all that is under way is lost.
// Nothing else is ever lost: the ports promise their facts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "base/prng.hpp"
#include "ports/event_sink.hpp"
#include "sim/world/event_queue.hpp"

namespace virga {

/// What goes wrong on the way; rates in thousandths of all facts. Shared, so that they can be stopped for all at once.
struct DeliveryFaults {
  std::uint32_t late = 0;
  std::uint32_t twice = 0;
  Duration latest;  ///< how late a late one is at most
};

class Courier {
 public:
  Courier(EventQueue& queue, std::uint64_t seed, const DeliveryFaults& faults, EventSink& sink)
      : queue_(queue), random_(seed), faults_(faults), sink_(std::make_shared<EventSink*>(&sink)) {}

  void send(std::uint64_t stream, EventBody fact, Duration delay) {
    deliver(stream, fact, delay);
    if (random_.chance(faults_.twice, 1'000)) deliver(stream, std::move(fact), delay + lateness());
  }

 private:
  Duration lateness() { return random_.between(Duration{}, faults_.latest); }

  void deliver(std::uint64_t stream, EventBody fact, Duration delay) {
    if (random_.chance(faults_.late, 1'000)) delay = delay + lateness();
    Time& last = last_of_[stream];
    last = std::max(last, queue_.now() + delay);
    queue_.at(last, [sink = std::weak_ptr<EventSink*>(sink_), fact = std::move(fact)]() mutable {
      if (auto there = sink.lock()) (*there)->post(std::move(fact));
    });
  }

  EventQueue& queue_;
  Prng random_;
  const DeliveryFaults& faults_;
  std::shared_ptr<EventSink*> sink_;  ///< goes with the courier
  std::map<std::uint64_t, Time> last_of_;
};

}  // namespace virga
