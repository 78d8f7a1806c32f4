// What every engine must do, whatever it runs jobs on (ports/engine.hpp). Included by an adapter's own doctest file:
//
//   TEST_CASE("local engine: contract") {
//     Nodes nodes;
//     check_engine_contract({.open = [&](EventSink& sink) { return make_local_engine(…, sink); }, …});
//   }
//
// The test case runs anew for every SUBCASE, so what it makes before the call is fresh. Waiting ends with success, or
// with the failure of the test after a minute.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ports/contract/recorder.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"

namespace virga {

struct EngineUnderTest {
  /// A controller's view of the same nodes; closing and opening again is a controller's restart.
  std::function<std::unique_ptr<Engine>(EventSink&)> open;
  /// Boots a node that runs the engine's user data, and names it as job.nodes does. Not attached.
  std::function<JobNode()> boot;
  /// Pulls the plug.
  std::function<void(VmId)> kill;
  Actor owner;
  std::string work_dir;
  /// A script that notes that it ran and ends with this exit code.
  std::function<LaunchPayload(int exit_code)> ending;
  /// A script that notes that it ran, and goes on for minutes; SIGTERM ends it.
  std::function<LaunchPayload()> lasting;
  /// How often a script of this job has run.
  std::function<int(JobId)> runs;
  /// Empty where nodes know nothing of their end; else lets the cloud say on this node that it will take it back.
  std::function<void(const JobNode&)> announce_end = {};
  /// Empty, or how a simulated world's time passes.
  contract::Advance advance = {};
};

namespace engine_contract {

using RecordingSink = contract::Recorder;

/// Of all nodes of the suite.
inline const std::string k_pool = "nd";

/// In a real world; a simulated one needs its own way to let time pass.
template <class Condition>
bool eventually(Condition condition) {
  return contract::eventually({}, condition);
}

inline Job job_on(const EngineUnderTest& t, std::uint32_t id, std::vector<JobNode> nodes) {
  Job job;
  job.id = {id};
  job.owner = t.owner;
  job.spec.edit().name = "contract";
  job.spec.edit().work_dir = t.work_dir;
  job.spec.edit().nodes = static_cast<std::uint32_t>(nodes.size());
  job.spec.edit().tasks = job.spec->nodes;
  job.spec.edit().per_node = {1, 0, 0};
  job.nodes = std::move(nodes);
  return job;
}

inline void wait_ready(RecordingSink& sink, Engine& engine, const std::vector<JobNode>& nodes) {
  for (const JobNode& node : nodes) engine.attach(node.vm, k_pool);
  for (const JobNode& node : nodes) sink.wait_for<VmReady>([&](const VmReady& f) { return f.vm == node.vm; });
}

inline void check_running(const EngineUnderTest& t) {
  RecordingSink sink(t.advance);
  auto engine = t.open(sink);
  std::vector<JobNode> nodes = {t.boot(), t.boot(), t.boot()};
  wait_ready(sink, *engine, nodes);
  CHECK(sink.count<VmReady>() == 3);

  SUBCASE("a job starts, ends, and its status is told") {
    Job job = job_on(t, 1, nodes);
    engine->start({job}, t.ending(7));
    sink.wait_for_job<JobStarted>(job.id);
    CHECK(sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{7, 0});
    CHECK(t.runs(job.id) == 1);

    engine->start({job}, t.ending(7));  // again: the same answers, and nothing runs
    sink.wait_for_job<JobStarted>(job.id, 1);
    CHECK(sink.wait_for_job<JobEnded>(job.id, 1).exit == ExitStatus{7, 0});
    CHECK(t.runs(job.id) == 1);
    engine->end({job.id, 0, 9, job.nodes});  // ended long ago
    CHECK(sink.wait_for_job<JobEnded>(job.id, 2).exit == ExitStatus{7, 0});
    engine->forget({job.id, 0, job.nodes});

    job.incarnation = 1;  // requeued
    engine->start({job}, t.ending(0));
    auto second = [&](const JobEnded& f) { return f.job == job.id && f.incarnation == 1; };
    CHECK(sink.wait_for<JobEnded>(second).exit.ok());
    CHECK(t.runs(job.id) == 2);
  }
  SUBCASE("start() twice at once runs once") {
    Job job = job_on(t, 2, nodes);
    engine->start({job}, t.ending(0));
    engine->start({job}, t.ending(0));
    sink.wait_for_job<JobEnded>(job.id);
    CHECK(t.runs(job.id) == 1);
  }
  SUBCASE("several jobs on one node") {
    for (std::uint32_t id = 10; id < 20; ++id)
      engine->start({job_on(t, id, {nodes[0]})}, t.ending(static_cast<int>(id)));
    for (std::uint32_t id = 10; id < 20; ++id) {
      sink.wait_for_job<JobStarted>({id});
      CHECK(sink.wait_for_job<JobEnded>({id}).exit == ExitStatus{id, 0});
    }
  }
  SUBCASE("end() ends a running job; its incarnation never runs again") {
    Job job = job_on(t, 3, nodes);
    engine->start({job}, t.lasting());
    sink.wait_for_job<JobStarted>(job.id);
    REQUIRE(contract::eventually(t.advance, [&] { return t.runs(job.id) == 1; }));
    engine->end({job.id, 0, 15, job.nodes});
    CHECK(sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{0, 15});
    engine->start({job}, t.lasting());
    sink.wait_for_job<JobEnded>(job.id, 1);
    CHECK(t.runs(job.id) == 1);
  }
  SUBCASE("end() of a job that never started answers, and keeps it from starting") {
    Job job = job_on(t, 4, nodes);
    engine->end({job.id, 0, 9, job.nodes});
    sink.wait_for_job<JobEnded>(job.id);
    engine->start({job}, t.ending(0));
    sink.wait_for_job<JobEnded>(job.id, 1);
    CHECK(t.runs(job.id) == 0);
  }
}

inline void check_losses(const EngineUnderTest& t) {
  RecordingSink sink(t.advance);
  auto engine = t.open(sink);
  std::vector<JobNode> nodes = {t.boot(), t.boot()};
  wait_ready(sink, *engine, nodes);
  Job job = job_on(t, 1, nodes);

  SUBCASE("a controller that comes back finds the running job") {
    engine->start({job}, t.lasting());
    sink.wait_for_job<JobStarted>(job.id);
    REQUIRE(contract::eventually(t.advance, [&] { return t.runs(job.id) == 1; }));
    engine.reset();
    RecordingSink second(t.advance);
    engine = t.open(second);
    wait_ready(second, *engine, nodes);
    engine->start({job}, t.lasting());
    second.wait_for_job<JobStarted>(job.id);
    CHECK(second.count<JobEnded>() == 0);
    engine->end({job.id, 0, 15, job.nodes});
    second.wait_for_job<JobEnded>(job.id);
    CHECK(t.runs(job.id) == 1);
    engine.reset();
  }
  SUBCASE("a controller that comes back is told of a job that ended meanwhile") {
    engine->start({job}, t.ending(5));
    engine.reset();  // before or after the launch: both must do
    RecordingSink second(t.advance);
    engine = t.open(second);
    for (const JobNode& node : nodes) engine->attach(node.vm, k_pool);
    engine->start({job}, t.ending(5));
    CHECK(second.wait_for_job<JobEnded>(job.id).exit == ExitStatus{5, 0});
    CHECK(t.runs(job.id) == 1);
    engine.reset();
  }
  SUBCASE("a lost node counts as ended") {
    engine->start({job}, t.lasting());
    sink.wait_for_job<JobStarted>(job.id);
    t.kill(nodes[1].vm);
    engine->detach(nodes[1].vm);
    engine->end({job.id, 0, 9, job.nodes});
    sink.wait_for_job<JobEnded>(job.id);
  }
  SUBCASE("a lost first node too") {
    engine->start({job}, t.lasting());
    sink.wait_for_job<JobStarted>(job.id);
    t.kill(nodes[0].vm);
    engine->end({job.id, 0, 9, job.nodes});
    engine->detach(nodes[0].vm);
    sink.wait_for_job<JobEnded>(job.id);
  }
  SUBCASE("a job cannot start on a node that is gone, and may try elsewhere") {
    t.kill(nodes[1].vm);
    engine->detach(nodes[1].vm);
    engine->start({job}, t.ending(0));
    CHECK_FALSE(sink.wait_for_job<JobLaunchFailed>(job.id).job_at_fault);
    CHECK(t.runs(job.id) == 0);
  }
}

inline void check_notices(const EngineUnderTest& t) {
  RecordingSink sink(t.advance);
  auto engine = t.open(sink);
  std::vector<JobNode> nodes = {t.boot(), t.boot()};
  wait_ready(sink, *engine, nodes);
  Job job = job_on(t, 1, nodes);
  engine->start({job}, t.lasting());
  sink.wait_for_job<JobStarted>(job.id);
  t.announce_end(nodes[0]);
  const auto of_it = [&](const VmEvicting& e) { return e.vm == nodes[0].vm; };
  sink.wait_for<VmEvicting>(of_it);
  CHECK(sink.count<VmEvicting>() == 1);
  engine.reset();
  RecordingSink second(t.advance);
  engine = t.open(second);
  wait_ready(second, *engine, nodes);
  second.wait_for<VmEvicting>(of_it);
  CHECK(second.count<VmEvicting>() == 1);
  CHECK(second.count<JobEnded>() == 0);
  engine.reset();
}

}  // namespace engine_contract

inline void check_engine_contract(const EngineUnderTest& t) {
  SUBCASE("running") { engine_contract::check_running(t); }
  SUBCASE("losses") { engine_contract::check_losses(t); }
  SUBCASE("the end of a node is told once to every controller, and ends nothing by itself") {
    if (t.announce_end) engine_contract::check_notices(t);
  }
}

}  // namespace virga
