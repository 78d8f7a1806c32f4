// One seed's world while it runs: the lender, the machines, the users, and the lives of the controller.
//
//   SeedWorld world(seed, limits, hooks);
//   SeedOutcome outcome = world.run();
//
// Used by run_seed() alone; a class because what happens in it refers to it.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/controller.hpp"
#include "sim/world/seed_checks.hpp"
#include "sim/world/seed_run.hpp"

namespace virga {

class SeedWorld {
 public:
  SeedWorld(std::uint64_t seed, const SeedLimits& limits, const SeedHooks& hooks);
  SeedOutcome run();

 private:
  struct Crash {};
  struct Life {
    Controller controller;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<Cloud> cloud;
    std::unique_ptr<Engine> engine;
  };

  // The controller's lives.
  void begin_life();
  void die(const char* how);
  void turn();
  void look();
  template <class Condition>
  bool run_until(Time deadline, Condition reached);
  void say(const std::string& line) const;

  // Users and operators.
  void submit(std::size_t planned);
  void request(EventBody body);
  void act(const PlannedTrouble& trouble);
  void set_up(const Partition& partition, bool up);
  void resume_all();
  void work_beside(const Run& run);

  // What goes wrong.
  void happen(const PlannedTrouble& trouble);
  void calm_down();
  bool wind_down();
  std::string starved_words();

  const std::uint64_t seed_;
  const SeedHooks& hooks_;
  SeedPlan plan_;
  Prng random_;
  EventQueue queue_;
  SimClock clock_;
  Machines machines_;
  Processes processes_;
  JournalDisk disk_;
  SeedChecks checks_;
  std::unique_ptr<Life> life_;
  std::set<std::size_t> unanswered_;  ///< places in the plan that were submitted and not answered yet
  std::set<std::string> drained_;
  std::size_t open_submissions_ = 0;
  std::uint32_t crash_countdown_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t turns_ = 0;
  std::uint32_t lives_ = 0;
};

}  // namespace virga
