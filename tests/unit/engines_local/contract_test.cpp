// The local engine keeps the engine's contract, with real agents and real processes.
#include "unit/engines_local/fake_metadata.hpp"
#include "unit/engines_local/nodes.hpp"

namespace virga {

TEST_CASE("local engine: contract") {
  test::FakeMetadata metadata;
  test::Nodes nodes;
  auto payload = [&](const std::string& rest) {
    LaunchPayload p = test::Bench::script("echo x >> " + nodes.work() + "/runs.$SLURM_JOB_ID\n" + rest);
    return p;
  };
  check_engine_contract({
      .open = [&](EventSink& sink) { return nodes.engine(sink); },
      .boot = [&] { return nodes.boot([&](const std::string& name) { return metadata.url(name); }); },
      .kill = [&](VmId vm) { nodes.kill(vm); },
      .owner = test::somebody(),
      .work_dir = nodes.work(),
      .ending = [&](int code) { return payload("exit " + std::to_string(code)); },
      .lasting = [&] { return payload("exec sleep 300"); },
      .runs =
          [&](JobId job) {
            return static_cast<int>(test::words_of(nodes.work("runs." + std::to_string(job.value))).size());
          },
      .announce_end =
          [&](const JobNode& node) {
            metadata.set_events(node.name, R"({"DocumentIncarnation":1,"Events":[{"EventId":"E","EventType":"Preempt",)"
                                           R"("Resources":[")" +
                                               node.name + R"("],"EventStatus":"Scheduled","NotBefore":""}]})");
          },
  });
}

}  // namespace virga
