// The slurm engine keeps the engine's contract, with a real slurmctld and real slurmds.
#include "unit/engines_slurm/world.hpp"

namespace virga {

TEST_CASE("slurm engine: contract") {
  if (!slurm_test::World::usable()) return;
  slurm_test::World world;
  check_engine_contract({
      .open = [&](EventSink& sink) { return world.engine(sink); },
      .boot = [&] { return world.boot(); },
      .kill = [&](VmId vm) { world.kill(vm); },
      .owner = world.owner(),
      .work_dir = world.work(),
      .ending = [&](int code) { return world.script("exit " + std::to_string(code)); },
      .lasting = [&] { return world.script("exec sleep 300"); },
      .runs = [&](JobId job) { return world.runs(job); },
  });
}

}  // namespace virga
