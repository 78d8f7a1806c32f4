// What a node is from inside: its name, address, processes, /tmp, limits and rights.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>

#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

namespace cc = cloud_contract;

namespace {

using UserData = std::function<std::string(const WantedVm&)>;

/// A granted gang of `count` nodes, released at the end.
struct Nodes {
  Nodes(Tier tier, std::uint32_t count, const std::function<void(Pool&)>& change = {}, const UserData& user_data = {})
      : count(count) {
    auto under_test = instance.under_test(tier);
    if (change) change(under_test.pool);
    cloud = under_test.open(sink);
    cloud->reserve(cc::gang(under_test, 1, 1, count), user_data ? user_data : under_test.user_data);
    granted = sink.first<GangGranted>(1)[0];
  }
  ~Nodes() {
    for (std::uint32_t vm = 1; vm <= count; ++vm) cloud->release(VmId{vm});
    CHECK(cc::eventually({}, [&] { return sink.all<VmReleased>().size() == count; }));
    CHECK(cc::eventually({}, [&] { return instance.leftovers().empty(); }));
  }
  std::string in(std::uint32_t vm, const std::string& command) { return inside(instance, VmId{vm}, command); }

  Instance instance;
  std::uint32_t count;
  cc::RecordingSink sink;
  std::unique_ptr<Cloud> cloud;
  GangGranted granted;
};

void check_own_machine(Tier tier) {
  char other[] = "/tmp/virga-other-XXXXXX";
  REQUIRE(mkdtemp(other));
  {
    Nodes nodes(tier, 2);
    CHECK(nodes.in(1, "hostname") == "node-1");
    CHECK(nodes.in(2, "hostname") == "node-2");
    CHECK(nodes.in(1, "getent hosts node-2 | cut -d\" \" -f1") == nodes.granted.addresses[1]);
    CHECK(nodes.in(1, "ip -br -4 addr show eth0").find(nodes.granted.addresses[0] + "/16") != std::string::npos);
    CHECK(nodes.in(1, "ip -br link | grep -c UP") == "2");  // lo says UNKNOWN in its state column, but has the flag
    // Nobody listens there: that the other node says so proves name, address, way and way back.
    CHECK(nodes.in(1, "bash -c \"echo > /dev/tcp/node-2/9\"").find("Connection refused") != std::string::npos);
    CHECK(nodes.in(1, "bash -c \"echo > /dev/tcp/192.0.2.1/9\"").find("unreachable") != std::string::npos);
    CHECK(nodes.in(1, "cat /proc/sys/net/ipv4/tcp_congestion_control") == "reno");
    CHECK(std::stoi(nodes.in(1, "ls -d /proc/[0-9]* | wc -l")) < 10);
    CHECK(nodes.in(1, "stat -c %a /tmp") == "1777");
    CHECK(nodes.in(1, fmt::format("ls -d {}", other)).find("No such file") != std::string::npos);
    CHECK(nodes.in(1, "echo x > /dev/shm/virga-probe; ls /dev/shm") == "virga-probe");
    CHECK(nodes.in(2, "ls /dev/shm").empty());
    CHECK(access("/dev/shm/virga-probe", F_OK) != 0);
    CHECK(nodes.in(1, fmt::format("test -d {} && echo yes", nodes.instance.home().path)) == "yes");
    CHECK(nodes.in(1, fmt::format("test -x {} && echo yes", nodes.instance.program())) == "yes");
    struct stat folder {};
    REQUIRE(stat(nodes.instance.home().vm(VmId{1}).c_str(), &folder) == 0);
    CHECK((folder.st_mode & 0777) == 0700);
  }
  std::filesystem::remove_all(other);
}

void check_host_tmp(Tier tier) {
  char shown[] = "/tmp/virga-shown-XXXXXX";
  REQUIRE(mkdtemp(shown));
  {
    Nodes nodes(tier, 1, {}, [&](const WantedVm&) {
      // Written by hand below, once the instance's folder is known.
      return fmt::format(
          "#!/bin/sh\nexport PROGRAM FOLDER\nwhile ! test -e /dev/shm/go; do sleep 0.01; done\n. /dev/shm/go\n"
          "exec sleep 100000\n");
    });
    std::string program = nodes.instance.program();
    std::string folder = nodes.instance.folder();
    nodes.in(1, fmt::format("echo \"{0} expose {1}/deep; {0} expose {1}; {0} expose /tmp/no-such > {2}/missing; "
                            "echo hello > {1}/from-node; echo done > {2}/done\" > /dev/shm/go.new; "
                            "mv /dev/shm/go.new /dev/shm/go",
                            program, shown, folder));
    CHECK(cc::eventually({}, [&] { return nodes.instance.note("done") == "done"; }));
    INFO(host::read_file(host::vm_console_path(nodes.instance.home(), VmId{1})).value_or(""));
    CHECK(nodes.instance.note("missing").find("No such file") != std::string::npos);
    CHECK(host::read_file(std::string(shown) + "/from-node").value_or("nothing") == "hello\n");
    CHECK(nodes.in(1, fmt::format("cat {}/from-node", shown)) == "hello");
  }
  std::filesystem::remove_all(shown);
}

void check_shared_network(Tier tier) {
  Nodes nodes(tier, 2, [](Pool& pool) { pool.network = HostNetwork::host; });
  CHECK(nodes.granted.addresses[0].compare(0, 4, "127.") == 0);
  CHECK(nodes.in(1, "readlink /proc/self/ns/net") == std::filesystem::read_symlink("/proc/self/ns/net").string());
  CHECK(nodes.in(1, "hostname") == "node-1");
  CHECK(nodes.in(1, "getent hosts node-2 | cut -d\" \" -f1") == nodes.granted.addresses[1]);
}

}  // namespace

TEST_CASE("root tier: a node is a machine of its own") {
  if (enter(Tier::root)) check_own_machine(Tier::root);
}
TEST_CASE("user tier: a node is a machine of its own") {
  if (enter(Tier::user)) check_own_machine(Tier::user);
}
TEST_CASE("root tier: the machine's /tmp is brought in entry by entry") {
  if (enter(Tier::root)) check_host_tmp(Tier::root);
}
TEST_CASE("user tier: the machine's /tmp is brought in entry by entry") {
  if (enter(Tier::user)) check_host_tmp(Tier::user);
}
TEST_CASE("root tier: a pool can use this machine's network") {
  if (enter(Tier::root)) check_shared_network(Tier::root);
}
TEST_CASE("user tier: a pool can use this machine's network") {
  if (enter(Tier::user)) check_shared_network(Tier::user);
}

TEST_CASE("user tier: user data runs as the user, with the capabilities that node set-up needs") {
  if (!enter(Tier::user)) return;
  Nodes nodes(Tier::user, 1, {}, [&](const WantedVm&) {
    return "#!/bin/sh\nid -u > /dev/shm/uid\ngrep CapEff /proc/self/status > /dev/shm/caps\nexec sleep 100000\n";
  });
  CHECK(cc::eventually({}, [&] { return nodes.in(1, "cat /dev/shm/caps").find("CapEff") != std::string::npos; }));
  CHECK(nodes.in(1, "cat /dev/shm/uid") == std::to_string(geteuid()));
  CHECK(nodes.in(1, "cat /dev/shm/caps").find("0000000000000000") == std::string::npos);
}

TEST_CASE("root tier: a node is held to its limits") {
  if (!enter(Tier::root)) return;
  TierReport report = probe_tier();
  if (!report.cgroup_memory || !report.cgroup_cpu) {
    MESSAGE("skipped: this machine has no control groups to use");
    return;
  }
  auto limits = [](Pool& pool) {
    pool.limit_cpus = 1;
    pool.limit_memory_bytes = 64 << 20;
  };
  Nodes nodes(Tier::root, 1, limits, [](const WantedVm&) {
    // The first one wants more memory than the node has, and is killed; the node lives on.
    return "#!/bin/sh\nhead -c 200m /dev/zero | tail > /dev/null\necho $? > /dev/shm/code\nexec sleep 100000\n";
  });
  CHECK(cc::eventually({}, [&] { return nodes.in(1, "cat /dev/shm/code") == "137"; }));
  CHECK(nodes.sink.all<VmFailed>().empty());
  bool cpu_limited = false;
  for (const std::string& folder : nodes.instance.file(VmId{1}).cgroups) {
    auto v1 = host::read_file(folder + "/cpu.cfs_quota_us");
    auto v2 = host::read_file(folder + "/cpu.max");
    if (v1) cpu_limited = *v1 == "100000\n";
    if (v2) cpu_limited = *v2 == "100000 100000\n";
  }
  CHECK(cpu_limited);
}

TEST_CASE("plain tier: names are addresses") {
  if (!enter(Tier::plain)) return;
  Nodes nodes(Tier::plain, 3);
  CHECK(nodes.granted.addresses[2] == plain_node_prefix(nodes.instance.home()) + "3");
}

}  // namespace virga::host_test
