// A cluster that exists: Virga owns a partition of it, and touches nothing else.
#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {

using engine_contract::RecordingSink;
using engine_contract::wait_ready;
using std::chrono::milliseconds;

TEST_CASE("slurm site: jobs run in a partition of a cluster that exists, beside those of others") {
  if (!World::usable()) return;
  World site;  // plays the site: its own cluster, node and job
  site.accounting = slurm::find_database().has_value();
  RecordingSink site_sink;
  auto site_engine = site.engine(site_sink);
  const JobNode others_node = site.boot("site-1");
  wait_ready(site_sink, *site_engine, {others_node});
  const Job others = site.job(1, {others_node});
  site_engine->start({others}, site.script("exec sleep 300"));
  site_sink.wait_for_job<JobStarted>(others.id);
  {
    World world(site.home().slurm() + "/slurm.conf");
    RecordingSink sink;
    auto engine = world.engine(sink, milliseconds(1000), "guest");
    const JobNode a = world.boot();
    const JobNode b = world.boot();
    wait_ready(sink, *engine, {a, b});
    const Job job = world.job(1, {b, a});
    engine->start({job}, world.script("srun -l hostname | sort; exit 4"));
    CHECK(sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{4, 0});
    if (site.accounting) CHECK(sink.wait_for_job<JobAccounted>(job.id).steps.size() == 1);
    CHECK(world.output(1) == "0: " + b.name + "\n1: " + a.name + "\n");
    engine->detach(a.vm);
    engine->detach(b.vm);
    REQUIRE(contract::eventually({}, [&] {
      const std::string states = site.slurm({"sinfo", "-h", "-N", "-o", "%N %t"});
      return states.find("nd-1 down") != std::string::npos && states.find("nd-2 down") != std::string::npos &&
             states.find("site-1 mix") != std::string::npos;
    }));
    engine.reset();
  }
  CHECK(site.controller() > 0);
  CHECK(site_sink.count<JobEnded>() == 0);
  CHECK(site_sink.count<VmFailed>() == 0);
  site_engine->end({others.id, 0, 9, others.nodes});
  site_sink.wait_for_job<JobEnded>(others.id);
  site_engine.reset();
}

}  // namespace virga::slurm_test
