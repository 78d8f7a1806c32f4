// A recorded run once more, under the real control code and brain, on simulated time: does it decide the same?
//
//   Result<RecordedRun> run = read_recorded_run(*journal);
//   Reproduction again = reproduce(*run);
//   if (again.deviation) say(again.deviation->recorded, again.deviation->simulated);
//
// Outside requests enter at their recorded times; cloud and engine answer as they did (recorded_world.hpp). What the
// controller writes itself is compared with the run: the timers that it fires, what it finds when it comes back after a
// restart, and the accounts. So is what it wants of cloud and engine.
//
// The real controller is late: it wakes a moment after a deadline. The simulated one wakes when the real one did, that
// is, at the times of the run's events, and must find the same deadlines over then, and no others. Events of one time
// are one batch, except where a request is only possible after the event before it. Each ControllerStarted is a new
// controller over the same journal and world. It ends at the first deviation: from there on the world is another one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/reproduce/recorded_run.hpp"
#include "sim/reproduce/recorded_world.hpp"

namespace virga {

struct Deviation {
  Seq seq;  ///< of the recorded event; one more than the last: after the run
  Time at;
  std::string recorded;  ///< one line each
  std::string simulated;
  std::vector<std::string> then = {};  ///< what the simulated controller decided then
};

struct Reproduction {
  std::optional<Deviation> deviation;
  std::uint64_t events = 0;  ///< of the run that came out the same
  Decisions decisions;
  std::uint64_t lives = 0;  ///< of the controller
  std::uint64_t submissions = 0;
  std::uint64_t refusals = 0;  ///< of gangs, by the cloud
  std::uint64_t job_accounts = 0;
  std::uint64_t vm_accounts = 0;
  std::uint64_t timers = 0;
  Duration latest_timer;            ///< after its deadline
  bool snapshot_confirmed = false;  ///< a later snapshot of the journal was met on the way, and is the same
  std::uint64_t digest = 0;         ///< of the state at the end
};

Reproduction reproduce(const RecordedRun& run);

}  // namespace virga
