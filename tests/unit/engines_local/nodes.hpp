// Agents as ordinary processes: what the "plain" tier of a host cloud would boot, without a cloud. And the files of a
// test: a Virga home and a folder for the job's user.
#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "engines/local/agent.hpp"
#include "engines/local/agent_main.hpp"
#include "engines/local/local_engine.hpp"
#include "ports/contract/engine_contract.hpp"

namespace virga::test {

using engine_contract::eventually;
using engine_contract::RecordingSink;

/// Debian's "nobody" and "daemon": they exist everywhere and own nothing that matters.
inline constexpr std::uint32_t k_nobody = 65534;
inline constexpr std::uint32_t k_daemon = 1;
inline bool is_root() { return geteuid() == 0; }

inline Actor me() { return {geteuid(), getegid(), "", true}; }
inline Actor nobody() { return {k_nobody, k_nobody, "nobody", false}; }
/// The owner of most jobs: somebody else than we are, if we may.
inline Actor somebody() { return is_root() ? nobody() : me(); }

inline std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Nodes {
 public:
  Nodes() {
    char pattern[] = "/tmp/virga-engine-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    home_.path = pattern;
    chmod(pattern, 0755);
    work_ = home_.path + "/work";
    mkdir(work_.c_str(), 0777);
    chmod(work_.c_str(), 0777);
  }
  ~Nodes() {
    for (auto& [vm, pid] : agents_) ::kill(pid, SIGTERM);
    for (auto& [vm, pid] : agents_) waitpid(pid, nullptr, 0);
    std::filesystem::remove_all(home_.path);
  }
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  const Home& home() const { return home_; }
  const std::string& work() const { return work_; }
  std::string work(const std::string& name) const { return work_ + "/" + name; }

  /// `metadata`: the URL of the metadata service of the node with this name. `more`: further arguments of its agent.
  JobNode boot(const std::function<std::string(const std::string&)>& metadata = {},
               const std::vector<std::string>& more = {}) {
    VmId vm{next_++};
    std::string name = "nd-" + std::to_string(vm.value);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing behind
      close_range(3, ~0U, 0);
      setsid();
      if (metadata) _exit(watched_agent(vm, name, metadata(name)));
      std::vector<std::string> words = {
          "agent", "--home",    home_.path, "--vm",      std::to_string(vm.value), "--name",
          name,    "--cluster", "testing",  "--bin-dir", "/opt/virga-test/bin"};
      words.insert(words.end(), more.begin(), more.end());
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      _exit(virga_node_agent_main(static_cast<int>(words.size()), argv.data()));
    }
    agents_[vm] = pid;
    return {vm, name, {}};
  }
  void kill(VmId vm, int signal = SIGKILL) {
    ::kill(agents_.at(vm), signal);
    waitpid(agents_.at(vm), nullptr, 0);
    agents_.erase(vm);
  }
  pid_t agent(VmId vm) const { return agents_.at(vm); }

  std::unique_ptr<Engine> engine(EventSink& sink) const {
    return make_local_engine(
        {.home = home_, .node_program = "/bin/false", .cluster_name = "testing", .bin_dir = "/opt"}, sink);
  }

 private:
  /// An agent in a hurry, as it has a metadata service to ask.
  int watched_agent(VmId vm, const std::string& name, const std::string& service) const {
    using std::chrono::milliseconds;
    auto client = MetadataClient::at(service);
    if (!client) return 2;
    AgentSettings settings;
    settings.home = home_;
    settings.checkpoints = home_.checkpoints();
    settings.vm = vm;
    settings.node_name = name;
    settings.cluster_name = "testing";
    settings.bin_dir = "/opt/virga-test/bin";
    settings.metadata = std::move(*client);
    settings.notice_times = {milliseconds(20),  milliseconds(100), milliseconds(500),
                             milliseconds(500), milliseconds(20),  milliseconds(150)};
    Agent agent(std::move(settings));
    if (!agent.listen()) return 1;
    agent.run();
    return 0;
  }

  Home home_;
  std::string work_;
  std::uint64_t next_ = 1;
  std::map<VmId, pid_t> agents_;
};

/// A job of somebody's on all of these nodes, in this folder.
inline Job job_on(const std::vector<JobNode>& nodes, const std::string& work_dir, std::uint32_t id) {
  Job made;
  made.id = {id};
  made.owner = somebody();
  made.spec.edit().name = "test";
  made.spec.edit().work_dir = work_dir;
  made.spec.edit().nodes = static_cast<std::uint32_t>(nodes.size());
  made.spec.edit().tasks = made.spec->nodes;
  made.spec.edit().per_node = {2, 0, 0};
  made.nodes = nodes;
  return made;
}

/// One engine, some nodes, and jobs of one owner on all of them.
struct Bench {
  explicit Bench(int node_count = 1, const std::function<std::string(const std::string&)>& metadata = {}) {
    for (int i = 0; i < node_count; ++i) nodes.push_back(cluster.boot(metadata));
    engine = cluster.engine(sink);
    engine_contract::wait_ready(sink, *engine, nodes);
  }
  Job job(std::uint32_t id) const { return job_on(nodes, cluster.work(), id); }
  static LaunchPayload script(const std::string& text) {
    LaunchPayload payload;
    payload.script = "#!/bin/sh\n" + text + "\n";
    payload.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    return payload;
  }
  JobEnded run(const Job& j, const LaunchPayload& payload) {
    engine->start({j}, payload);
    return sink.wait_for_job<JobEnded>(j.id);
  }
  std::string output(std::uint32_t id) const { return read_file(cluster.work("slurm-" + std::to_string(id) + ".out")); }

  Nodes cluster;
  std::vector<JobNode> nodes;
  RecordingSink sink;
  std::unique_ptr<Engine> engine;
};

/// A process that a script named in a file: is it still there? (Zombies are not.)
inline bool alive(const std::string& pid) {
  std::string stat = read_file("/proc/" + pid + "/stat");
  std::size_t end = stat.rfind(')');
  return end != std::string::npos && end + 2 < stat.size() && stat[end + 2] != 'Z' && stat[end + 2] != 'X';
}
inline std::vector<std::string> words_of(const std::string& path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

}  // namespace virga::test
