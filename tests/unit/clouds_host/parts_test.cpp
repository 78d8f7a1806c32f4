// The host cloud's parts that are text in, text out.
#include <cstdlib>
#include <set>

#include "clouds/host/addresses.hpp"
#include "clouds/host/cgroup.hpp"
#include "clouds/host/gpus.hpp"
#include "clouds/host/private_files.hpp"
#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

TEST_CASE("control groups are found below the own group, in v1 and v2") {
  const char* v1 =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n"
      "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
  auto found = host::find_cgroups(v1, "4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n");
  CHECK(found.version == 1);
  CHECK(found.parents == std::vector<std::string>{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory/a/b"});
  CHECK(host::cgroup_folders(found, "virga-1f", VmId{7}) ==
        std::vector<std::string>{"/sys/fs/cgroup/cpu/virga-1f/7", "/sys/fs/cgroup/memory/a/b/virga-1f/7"});

  const char* v2 = "41 31 0:38 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
  found = host::find_cgroups(v2, "0::/user.slice/virga.service\n");
  CHECK(found.version == 2);
  CHECK(found.parents == std::vector<std::string>{"/sys/fs/cgroup/user.slice/virga.service"});

  CHECK(host::find_cgroups("", "").version == 0);
  CHECK(host::find_cgroups("nonsense\n", "nonsense\n").parents.empty());
}

TEST_CASE("a node with files of its own knows system users only, and no members of groups") {
  CHECK(host::system_entries(
            "root:x:0:0::/:/bin/sh\nada:x:1000:1000::/a:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n") ==
        "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
  CHECK(host::system_entries("root:x:0:\ngames:x:60:ada,grace\nada:x:1000:\nbroken\n") == "root:x:0:\ngames:x:60:\n");
}

TEST_CASE("addresses follow the node's number, and stay unique") {
  CHECK(host::choose_index("gpu-7", {}) == 6);
  CHECK(host::choose_index("gpu-7", {6}) == 0);
  CHECK(host::choose_index("gpu-7", {6, 0, 1}) == 2);
  CHECK(host::choose_index("login", {}) == 0);
  CHECK(host::choose_index("gpu-0", {}) == 0);
  CHECK(host::choose_index("gpu-99999999999999999999", {0}) == 1);

  Home home{"/var/lib/virga"};
  std::set<std::string> seen;
  host::VmFile file;
  for (Tier tier : {Tier::root, Tier::plain}) {
    file.tier = tier;
    for (file.index = 0; file.index < 1000; ++file.index) seen.insert(host::choose_address(home, file));
  }
  CHECK(seen.size() == 2000);
  file.tier = Tier::plain;
  file.name = "127.99.0.12";
  CHECK(host::choose_address(home, file) == "127.99.0.12");
  CHECK(plain_node_prefix(home) == plain_node_prefix(Home{"/var/lib/virga"}));
}

TEST_CASE("the record of a VM comes back as it was saved") {
  Instance instance;
  host::VmFile file;
  file.vm = VmId{18446744073709551615ULL};
  file.gang = GangId{3};
  file.pool = "gpu";
  file.name = "node-1";
  file.address = "10.1.2.3";
  file.index = 9;
  file.bridge = 3;
  file.tier = Tier::user;
  file.network = HostNetwork::host;
  file.limit_cpus = 4;
  file.limit_memory_bytes = 1ULL << 50;
  file.cgroups = {"/sys/fs/cgroup/a b", "/sys/fs/cgroup/c"};
  file.phase = host::VmPhase::up;
  file.init = {1234, 5678};
  file.boot = "boot";
  REQUIRE(host::make_folder(instance.home().vm(file.vm), 0700));
  REQUIRE(host::save_vm_file(instance.home(), file));
  auto files = host::load_vm_files(instance.home());
  REQUIRE(files);
  REQUIRE(files->size() == 1);
  const host::VmFile& back = (*files)[0];
  CHECK(back.vm == file.vm);
  CHECK(back.gang == file.gang);
  CHECK(back.pool == file.pool);
  CHECK(back.name == file.name);
  CHECK(back.address == file.address);
  CHECK(back.index == file.index);
  CHECK(back.bridge == file.bridge);
  CHECK(back.tier == file.tier);
  CHECK(back.network == file.network);
  CHECK(back.limit_cpus == file.limit_cpus);
  CHECK(back.limit_memory_bytes == file.limit_memory_bytes);
  CHECK(back.cgroups == file.cgroups);
  CHECK(back.phase == file.phase);
  CHECK(back.init.pid == file.init.pid);
  CHECK(back.init.start == file.init.start);
  CHECK(back.boot == file.boot);
}

TEST_CASE("a tier that was asked for wrongly is told") {
  Switch tier("VIRGA_TIER", "rooot");
  bool told = false;
  for (const ProbeLine& line : probe_tier().lines) told = told || line.why_not.find("'rooot'") != std::string::npos;
  CHECK(told);
}

TEST_CASE("GPUs are either there or missing for a reason") {
  RealGpus gpus = find_real_gpus();
  CHECK(gpus.names.empty() != gpus.why_none.empty());
}

}  // namespace virga::host_test
