// Leaders that follow one another: agents hear the one with the highest term, and no other.
#include "unit/engines_local/nodes.hpp"

namespace virga::test {

TEST_CASE("terms: what an engine of an earlier term asks for has no effect any more") {
  Bench bench(2);  // of no term, as a leader of before the nodes heard of a second one
  const std::string trace = bench.cluster.work() + "/late";
  decltype(bench.sink) sink;
  auto next = bench.cluster.engine(sink);
  next->lead(2);
  engine_contract::wait_ready(sink, *next, bench.nodes);

  bench.engine->start({bench.job(7)}, Bench::script("touch " + trace));
  bench.engine->end({JobId{8}, 0, 9, bench.job(8).nodes, Reason::cancelled});
  for (std::uint32_t id : {8, 9}) {
    next->start({bench.job(id)}, Bench::script("sleep 0.2"));
    JobEnded ended = sink.wait_for_job<JobEnded>(JobId{id});
    CHECK(ended.exit == ExitStatus{0, 0});
  }
  CHECK(bench.sink.count<JobStarted>() == 0);
  CHECK_FALSE(std::filesystem::exists(trace));

  // The same term again is the same leader, which lost its connection.
  auto again = bench.cluster.engine(sink);
  again->lead(2);
  engine_contract::wait_ready(sink, *again, bench.nodes);
  again->start({bench.job(10)}, Bench::script("exit 3"));
  CHECK(sink.wait_for_job<JobEnded>(JobId{10}).exit == ExitStatus{3, 0});
}

}  // namespace virga::test
