// Each assertion of brain/invariants.cpp is broken once, in a copy of a state that keeps them all. The table is
// compared with the source, so that an assertion without a row makes this fail.
#include "brain/invariants.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "base/assert.hpp"
#include "world.hpp"

namespace virga::test {

namespace {

/// A state with a job and a VM of every kind that the assertions tell apart. Nodes have 8 CPUs and 8 GPUs.
struct Everything {
  Everything() : world(small_config(10)) {
    ended = world.run(World::spec(1));
    world.event(JobEnded{ended, 0, {0, 0}, {}});
    alone = world.run(exclusive(2));
    first_of_two = world.run(with_gpus(1));
    second_of_two = world.run(with_gpus(1));
    shared_vm = world.job(first_of_two).nodes[0].vm;
    world.take<ArchiveJob>();
    configuring = world.submit(exclusive(2));
    const ReserveGang boots = world.take<ReserveGang>();
    world.event(GangGranted{boots.gang, {"a", "b"}});
    promised = world.submit(exclusive(2));
    asked = world.take<ReserveGang>();
    waiting = world.submit(exclusive(4));
  }

  static JobSpec exclusive(std::uint32_t nodes) {
    JobSpec spec = World::spec(nodes);
    spec.exclusive = true;
    return spec;
  }
  static JobSpec with_gpus(std::uint32_t nodes) {
    JobSpec spec = World::spec(nodes, 2);
    spec.per_node.gpus = 2;
    return spec;
  }

  const State& state() const { return world.brain.state(); }

  World world;
  JobId ended, alone, first_of_two, second_of_two, configuring, promised, waiting;
  VmId shared_vm;  ///< of the two jobs that share one
  ReserveGang asked;
};

/// The assertion's text, and what breaks it.
struct Row {
  std::string why;
  std::function<void(State&, const Everything&)> corrupt;
};

const std::vector<Row>& job_rows() {
  static const std::vector<Row> rows = {
      {"every job that holds nodes is indexed as living",
       [](State& s, const Everything& e) { s.index.living.erase(e.alone); }},
      {"every job that holds nodes is indexed as living",
       [](State& s, const Everything& e) { s.index.living.insert(e.waiting); }},
      {"a gang is all or nothing", [](State& s, const Everything& e) { s.jobs.at(e.alone).nodes.edit().pop_back(); }},
      {"a waiting job holds nothing",
       [](State& s, const Everything& e) { s.jobs.at(e.waiting).nodes = s.jobs.at(e.alone).nodes; }},
      {"a running job was launched", [](State& s, const Everything& e) { s.jobs.at(e.alone).launched = false; }},
      {"an ended job has an end", [](State& s, const Everything& e) { s.jobs.at(e.ended).ended = {}; }},
      {"a promise is all or nothing, and for waiting jobs only",
       [](State& s, const Everything& e) { s.jobs.at(e.promised).promised.edit().pop_back(); }},
      {"a promise is all or nothing, and for waiting jobs only",
       [](State& s, const Everything& e) { s.jobs.at(e.alone).promised = s.jobs.at(e.alone).nodes; }},
      {"a configuring job knows how many of its nodes boot",
       [](State& s, const Everything& e) { --s.jobs.at(e.configuring).nodes_booting; }},
      {"a sick node is taken from who was not launched there",
       [](State& s, const Everything& e) {
         Vm& vm = s.vms.at(s.jobs.at(e.configuring).nodes[0].vm);
         vm.sick_since = s.now;
         vm.drained = true;
       }},
      {"the queue has who waits", [](State& s, const Everything& e) { s.index.queue.erase(s.jobs.at(e.waiting)); }},
      {"the queue has who waits", [](State& s, const Everything& e) { s.index.queue.insert(s.jobs.at(e.alone)); }},
  };
  return rows;
}

Vm& shared(State& s, const Everything& e) { return s.vms.at(e.shared_vm); }

const std::vector<Row>& vm_rows() {
  static const std::vector<Row> rows = {
      {"no node holds more than it has", [](State& s, const Everything& e) { shared(s, e).used.cpus = 9; }},
      {"each used GPU has an index", [](State& s, const Everything& e) { shared(s, e).gpus_used.pop_back(); }},
      {"no GPU is used twice",
       [](State& s, const Everything& e) { shared(s, e).gpus_used[2] = shared(s, e).gpus_used[1]; }},
      {"a sick node takes no jobs", [](State& s, const Everything& e) { shared(s, e).sick_since = s.now; }},
      {"quarantine is the time of a sick node without jobs",
       [](State& s, const Everything& e) { shared(s, e).wasted_since = s.now; }},
      {"an exclusive node has one job", [](State& s, const Everything& e) { shared(s, e).exclusive = true; }},
      {"a requested VM belongs to an open gang", [](State& s, const Everything& e) { s.gangs.erase(e.asked.gang); }},
      {"a requested VM belongs to an open gang",
       [](State& s, const Everything& e) { shared(s, e).state = VmState::requested; }},
      {"a node's jobs hold nodes", [](State& s, const Everything& e) { shared(s, e).jobs.push_back(e.ended); }},
      {"a node's jobs hold nodes", [](State& s, const Everything& e) { shared(s, e).jobs.push_back({999}); }},
      {"a VM's pool is configured", [](State& s, const Everything& e) { shared(s, e).pool = "nowhere"; }},
      {"what a node has given is what its jobs took", [](State& s, const Everything& e) { --shared(s, e).used.cpus; }},
      {"what a node has given is what its jobs took",
       [](State& s, const Everything& e) { shared(s, e).jobs.pop_back(); }},
      {"a pool stays within its limit", [](State& s, const Everything&) { s.config.pools[0].max_nodes = 6; }},
  };
  return rows;
}

std::vector<Row> all_rows() {
  std::vector<Row> rows = job_rows();
  rows.insert(rows.end(), vm_rows().begin(), vm_rows().end());
  return rows;
}

/// The assertion that fails; empty if none does.
std::string broken_in(const State& state) {
  struct Guard {
    AssertionHandler before = assertion_handler;
    ~Guard() { assertion_handler = before; }
  } guard;
  assertion_handler = [](const char*, const char* why, const char*, int) { throw std::string(why); };
  try {
    check_invariants(state);
  } catch (const std::string& why) {
    return why;
  }
  return "";
}

/// The source file, from a program that lies somewhere below the project's root.
std::string source_text() {
  namespace fs = std::filesystem;
  for (fs::path folder = fs::read_symlink("/proc/self/exe"); folder.has_relative_path();) {
    folder = folder.parent_path();
    std::ifstream file(folder / "src" / "brain" / "invariants.cpp");
    if (file) return {std::istreambuf_iterator<char>(file), {}};
  }
  return "";
}

/// The text of each VIRGA_ASSERT: the last string before the semicolon.
std::vector<std::string> asserted_in(const std::string& source) {
  const std::string macro = "VIRGA_ASSERT(";
  std::vector<std::string> found;
  for (std::size_t at = source.find(macro); at != std::string::npos; at = source.find(macro, at + 1)) {
    const std::size_t last = source.rfind('"', source.find(");\n", at));
    const std::size_t first = source.rfind('"', last - 1);
    found.push_back(first > at && last != std::string::npos ? source.substr(first + 1, last - first - 1) : "");
  }
  return found;
}

/// What a child says that checks this state without a handler, and how it ends.
std::pair<std::string, int> check_in_child(const State& state) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // the test program's own handler would report it
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    check_invariants(state);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char block[256];
  for (ssize_t size; (size = ::read(ends[0], block, sizeof block)) > 0;) {
    said.append(block, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return {said, status};
}

}  // namespace

TEST_CASE("invariants: each assertion is broken by the corruption that it is for") {
  const Everything everything;
  REQUIRE(everything.world.job(everything.configuring).state == JobState::configuring);
  REQUIRE(everything.world.job(everything.promised).promised.size() == 2);
  REQUIRE(everything.world.job(everything.waiting).indexed_as == IndexedAs::queued);
  REQUIRE(everything.state().vms.at(everything.shared_vm).jobs.size() == 2);
  REQUIRE(broken_in(everything.state()).empty());
  for (const Row& row : all_rows()) {
    State copy = everything.state();
    row.corrupt(copy, everything);
    CHECK(broken_in(copy) == row.why);
  }
  CHECK(broken_in(everything.state()).empty());  // the copies shared nothing with it
}

TEST_CASE("invariants: no assertion of the source is without a row, and no row without its assertion") {
  const std::vector<std::string> asserted = asserted_in(source_text());
  REQUIRE_FALSE(asserted.empty());
  std::set<std::string> planted;
  for (const Row& row : all_rows()) planted.insert(row.why);
  std::set<std::string> written;
  for (const std::string& why : asserted) {
    INFO(why);
    CHECK(planted.contains(why));
    CHECK(written.insert(why).second);  // two assertions with one text could not be told apart
  }
  for (const std::string& why : planted) {
    INFO(why);
    CHECK(written.contains(why));
  }
}

TEST_CASE("invariants: without a handler a broken one ends the program and says which") {
  const Everything everything;
  State copy = everything.state();
  copy.jobs.at(everything.alone).launched = false;
  const auto ended = check_in_child(copy);
  CHECK(WIFSIGNALED(ended.second));
  CHECK(WTERMSIG(ended.second) == SIGABRT);
  CHECK(ended.first.find("virga: broken invariant: a running job was launched (") == 0);
  CHECK(ended.first.find("invariants.cpp:") != std::string::npos);
  const auto whole = check_in_child(everything.state());
  CHECK(whole.second == 0);
  CHECK(whole.first.empty());
}

}  // namespace virga::test
