// Notices of a node's end: from the metadata service over the watcher and the agent to the engine, and the approval.
#include "unit/engines_local/fake_metadata.hpp"
#include "unit/engines_local/nodes.hpp"
#include "wire/metadata_client.hpp"

namespace virga::test {
namespace {

std::string document(const std::string& id, const std::string& type, const std::string& vm,
                     const std::string& not_before = "") {
  return R"({"DocumentIncarnation":1,"Events":[{"EventId":")" + id + R"(","EventType":")" + type +
         R"(","ResourceType":"VirtualMachine","Resources":[")" + vm + R"("],"EventStatus":"Scheduled","NotBefore":")" +
         not_before + R"(","Description":""}]})";
}

/// A bench whose nodes have a metadata service, each under its own name.
struct NoticeBench : Bench {
  explicit NoticeBench(FakeMetadata& s, int node_count = 1)
      : Bench(node_count, [&s](const std::string& name) { return s.url(name); }), service(s) {}
  std::string name(std::size_t node = 0) const { return nodes[node].name; }
  std::size_t approvals() { return service.approvals(name()).size(); }
  /// The watcher has asked so often since now.
  bool asks_again(int times) {
    const int before = service.questions(name());
    return eventually([&] { return service.questions(name()) >= before + times; });
  }
  FakeMetadata& service;
};

}  // namespace

TEST_CASE("notices: a job is warned and saves itself, the event is approved when the node is free") {
  FakeMetadata service;
  NoticeBench bench(service);
  Job job = bench.job(1);
  const std::string ready = bench.cluster.work("ready");
  bench.engine->start(
      {job}, Bench::script("trap 'echo saved; exit 4' USR1; touch " + ready + "; while :; do sleep 0.01; done"));
  REQUIRE(eventually([&] { return std::filesystem::exists(ready); }));
  service.set_events(bench.name(), document("E-1", "Preempt", bench.name(), "Fri, 01 Jan 2100 00:00:00 GMT"));
  const auto notice = bench.sink.wait_for<VmEvicting>([&](const VmEvicting& e) { return e.vm == job.nodes[0].vm; });
  CHECK(notice.at == Time::from_seconds(4'102'444'800));
  REQUIRE(bench.asks_again(20));  // longer than the calm before an approval
  CHECK(bench.approvals() == 0);
  CHECK(bench.sink.count<JobEnded>() == 0);
  bench.engine->signal({job.id, 0, SIGUSR1, true});
  CHECK(bench.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{4, 0});
  CHECK(bench.output(1) == "saved\n");
  REQUIRE(eventually([&] { return bench.approvals() == 1; }));
  CHECK(service.approvals(bench.name())[0] == R"({"StartRequests":[{"EventId":"E-1"}]})");
  REQUIRE(bench.asks_again(20));
  CHECK(bench.approvals() == 1);
  CHECK(bench.sink.count<VmEvicting>() == 1);
  CHECK(service.wrong() == 0);
}

TEST_CASE("notices: told again to an engine that comes back, and not twice to one that stays") {
  FakeMetadata service;
  NoticeBench bench(service);
  Job job = bench.job(1);
  bench.engine->start({job}, Bench::script("exec sleep 300"));
  bench.sink.wait_for_job<JobStarted>(job.id);
  service.set_events(bench.name(), document("E-1", "Terminate", bench.name()));
  bench.sink.wait_for<VmEvicting>([](const VmEvicting&) { return true; });
  bench.engine.reset();
  RecordingSink second;
  bench.engine = bench.cluster.engine(second);
  bench.engine->attach(bench.nodes[0].vm, "nd");
  second.wait_for<VmEvicting>([](const VmEvicting&) { return true; });
  CHECK(second.count<VmReady>() == 1);  // which came first
  REQUIRE(bench.asks_again(20));
  CHECK(second.count<VmEvicting>() == 1);
  bench.engine.reset();
}

TEST_CASE("notices: events of other machines and freezes are nobody's business") {
  FakeMetadata service;
  NoticeBench bench(service, 2);
  service.set_events(bench.name(0), document("E-1", "Preempt", bench.name(1)));
  service.set_events(bench.name(1), document("E-2", "Freeze", bench.name(1)));
  REQUIRE(bench.asks_again(20));
  REQUIRE(eventually([&] { return service.questions(bench.name(1)) >= 20; }));
  CHECK(bench.sink.count<VmEvicting>() == 0);
  CHECK(bench.approvals() == 0);
}

TEST_CASE("notices: a service in trouble is asked until it answers") {
  FakeMetadata service;
  std::string trouble;
  SUBCASE("an error with a page") { trouble = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"; }
  SUBCASE("a page instead of a document") { trouble = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"; }
  SUBCASE("no HTTP") { trouble = "hello\n"; }
  SUBCASE("a closed connection") { trouble = ""; }
  SUBCASE("cut off") { trouble = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"Events\":["; }
  service.break_next(2, trouble);
  NoticeBench bench(service);
  REQUIRE(eventually([&] { return service.broken_left() == 0 && service.questions(bench.name()) >= 1; }));
  service.break_next(2, trouble);
  service.set_events(bench.name(), document("E-1", "Redeploy", bench.name()));
  bench.sink.wait_for<VmEvicting>([](const VmEvicting&) { return true; });
}

TEST_CASE("notices: a service that hangs holds up neither the agent nor the next question") {
  FakeMetadata service;
  service.break_next(1, "hang");
  NoticeBench bench(service);
  CHECK(bench.run(bench.job(1), Bench::script("exit 3")).exit == ExitStatus{3, 0});
  service.set_events(bench.name(), document("E-1", "Preempt", bench.name()));
  bench.sink.wait_for<VmEvicting>([](const VmEvicting&) { return true; });
}

TEST_CASE("notices: the watcher is started again, and ends with its agent") {
  FakeMetadata service;
  NoticeBench bench(service);
  const auto watcher = [&] {
    const std::string agent = std::to_string(bench.cluster.agent(bench.nodes[0].vm));
    const auto children = words_of("/proc/" + agent + "/task/" + agent + "/children");
    return children.size() == 1 && read_file("/proc/" + children[0] + "/comm") == "virga-notices\n" ? children[0] : "";
  };
  REQUIRE(eventually([&] { return !watcher().empty(); }));
  const std::string first = watcher();
  ::kill(std::stoi(first), SIGKILL);
  REQUIRE(eventually([&] { return !watcher().empty() && watcher() != first; }));
  service.set_events(bench.name(), document("E-1", "Preempt", bench.name()));
  bench.sink.wait_for<VmEvicting>([](const VmEvicting&) { return true; });
  const std::string second = watcher();
  bench.cluster.kill(bench.nodes[0].vm);
  CHECK(eventually([&] { return !alive(second); }));
}

TEST_CASE("notices: an address that is none keeps the agent from starting") {
  for (const char* bad : {"169.254.169.254", "https://169.254.169.254", "http://metadata", "http://127.0.0.1:0/",
                          "http://127.0.0.1:x", "http://127.0.0.1/a b", "http://"}) {
    auto client = MetadataClient::at(bad);
    REQUIRE_MESSAGE(!client, bad);
    CHECK(client.error().code == Code::invalid);
    CHECK(client.error().message.find(bad) != std::string::npos);
  }
  CHECK(MetadataClient::at("http://169.254.169.254"));
  CHECK(MetadataClient::at("http://[::1]:8080/vm/a/"));
  std::vector<std::string> words = {"agent", "--home", "/nowhere", "--vm", "1", "--name", "nd-1"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  setenv("VIRGA_IMDS", "metadata", 1);
  CHECK(virga_node_agent_main(static_cast<int>(words.size()), argv.data()) == 2);
  unsetenv("VIRGA_IMDS");
}

}  // namespace virga::test
