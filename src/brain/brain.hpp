// The brain: one deterministic decision for jobs, nodes and VMs.
//
//   Brain brain;
//   brain.apply(seq, event, request);             // changes the state …
//   for (Command& c : brain.take_commands()) …    // … and puts commands into the outbox
//   Time next = brain.next_deadline();            // control journals a TimerFired then
//
// apply() is pure: the same events give the same state and the same commands, bit for bit. It does no I/O, reads no
// clock and draws no random number. A request that cannot be granted changes nothing and is answered by a Reply with
// the reason; check() tells the same beforehand, so that control need not journal what will be refused.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "brain/explanation.hpp"
#include "brain/offers.hpp"
#include "brain/state.hpp"
#include "core/command.hpp"
#include "core/event.hpp"

namespace virga {

class Brain {
 public:
  void apply(Seq seq, const Event& event, RequestId request = 0);
  /// `room` is used for the next ones: with what the caller is done with, no memory is asked for anew.
  std::vector<Command> take_commands(std::vector<Command> room = {});

  /// When apply(TimerFired) would change something; Time::never() if nothing is due.
  Time next_deadline() const;

  /// Why this request would be refused now; nothing for facts from the ports, which are never refused.
  std::optional<Error> check(const EventBody& body) const;

  /// Every command whose answer is still missing. Given again after a restart; commands are idempotent.
  std::vector<Command> outstanding() const;

  const State& state() const { return state_; }
  Explanation explain(JobId job) const;
  /// What its owner should know of a job that was accepted: of the budgets that it is charged to, and of the training
  /// that it names (brain/training).
  std::vector<std::string> warnings(const Job& job) const;
  /// What each pool could do for such a submission now (brain/offers.hpp).
  Result<std::vector<PoolOffer>> offers(const JobSubmitted& job, Time now) const;

  std::string save() const;
  static Result<Brain> load(std::string_view bytes);
  std::uint64_t digest() const;

 private:
  State state_;
  std::vector<Command> outbox_;
};

}  // namespace virga
