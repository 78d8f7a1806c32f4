// Events and the small words of core.
#include "core/event.hpp"

#include <doctest/doctest.h>

#include <set>

#include "core/vm.hpp"
#include "unit/core/filler.hpp"

namespace virga {

TEST_CASE("event: each type has a name of its own, and its place in the variant is fixed") {
  std::vector<std::string_view> names;
  for (const EventBody& body : test::one_of_each(EventBody{}, 1)) names.push_back(name_of(body));
  const std::vector<std::string_view> in_order = {
      "config_changed",    "job_submitted",   "job_acted",          "node_updated",       "step_started",
      "step_ended",        "checkpoint_done", "shutdown_requested", "controller_started", "gang_granted",
      "gang_refused",      "vm_ready",        "vm_failed",          "vm_released",        "job_started",
      "job_launch_failed", "job_ended",       "timer_fired"};
  REQUIRE(names.size() >= in_order.size());
  names.resize(in_order.size());
  CHECK(names == in_order);
  CHECK(std::set(names.begin(), names.end()).size() == names.size());
}

TEST_CASE("job states: Slurm's names; final ones hold no nodes") {
  int final_states = 0;
  for (std::size_t i = 0; i < std::size(EnumNames<JobState>::names); ++i) {
    const auto state = static_cast<JobState>(i);
    CHECK(enum_from_name<JobState>(name_of(state)) == state);
    CHECK_FALSE((is_final(state) && holds_nodes(state)));
    final_states += is_final(state) ? 1 : 0;
  }
  CHECK(final_states == 7);
  CHECK_FALSE(is_final(JobState::completing));
  CHECK(holds_nodes(JobState::completing));
  CHECK_FALSE(holds_nodes(JobState::pending));
  CHECK(name_of(JobState::node_fail) == "NODE_FAIL");
  CHECK_FALSE(enum_from_name<JobState>("RUNNIN").has_value());
}

TEST_CASE("enum tables have one name for each enumerator") {
  CHECK(name_of(Reason::config_refuses) == "config_refuses");
  CHECK(std::size(EnumNames<Reason>::names) == static_cast<std::size_t>(Reason::licenses) + 1);
  CHECK(name_of(Reason::licenses) == "licenses");
  CHECK(name_of(JobState::deadline) == "DEADLINE");
  CHECK(std::size(EnumNames<JobState>::names) == static_cast<std::size_t>(JobState::deadline) + 1);
  CHECK(name_of(DependencyKind::aftercorr) == "aftercorr");
  CHECK(std::size(EnumNames<VmState>::names) == static_cast<std::size_t>(VmState::releasing) + 1);
  CHECK(std::size(EnumNames<JobAction>::names) == static_cast<std::size_t>(JobAction::user_hold) + 1);
  CHECK(std::size(EnumNames<Refusal>::names) == static_cast<std::size_t>(Refusal::setup) + 1);
  CHECK(std::size(EnumNames<JobKind>::names) == static_cast<std::size_t>(JobKind::allocation) + 1);
}

TEST_CASE("resources fit in each of their parts") {
  const Resources room{8, 2, 100};
  CHECK(Resources{8, 2, 100}.fits_in(room));
  CHECK_FALSE(Resources{9, 0, 0}.fits_in(room));
  CHECK_FALSE(Resources{0, 3, 0}.fits_in(room));
  CHECK_FALSE(Resources{0, 0, 101}.fits_in(room));
}

}  // namespace virga
