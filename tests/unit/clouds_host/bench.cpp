#include "unit/clouds_host/bench.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "clouds/host/cgroup.hpp"
#include "clouds/host/fabric.hpp"
#include "clouds/host/node_main.hpp"
#include "wire/host_tmp.hpp"

namespace virga::host_test {

namespace {

constexpr unsigned k_ordinary_uid = 61234;

std::string own_program() {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return std::string(path, n > 0 ? static_cast<std::size_t>(n) : 0);
}

/// Started as "… vm …", this program is virga-node; as "… expose PATH", what an engine's agent does with that path.
__attribute__((constructor)) void be_virga_node(int argc, char** argv, char**) {
  if (argc > 1 && std::strcmp(argv[1], "vm") == 0) std::exit(virga_node_vm_main(argc - 1, argv + 1));
  if (argc == 3 && std::strcmp(argv[1], "expose") == 0) {
    auto done = expose_from_host_tmp(argv[2]);
    if (!done) fmt::print("{}\n", done.error().message);
    std::exit(done ? 0 : 1);
  }
}

int run_as_ordinary_user(const std::string& test_case) {
  char folder[] = "/tmp/virga-test-program-XXXXXX";
  if (!mkdtemp(folder)) return -1;
  chmod(folder, 0755);
  std::string program = std::string(folder) + "/test";
  std::filesystem::copy_file(own_program(), program);
  chmod(program.c_str(), 0755);
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    std::string filter = "--test-case=" + test_case;
    std::replace(filter.begin(), filter.end(), ',', '?');  // a comma would begin another filter
    if (setgroups(0, nullptr) != 0 || setgid(k_ordinary_uid) != 0 || setuid(k_ordinary_uid) != 0) _exit(98);
    if (chdir("/") != 0) _exit(98);
    execl(program.c_str(), program.c_str(), filter.c_str(), "--no-intro", nullptr);
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::filesystem::remove_all(folder);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

std::string folders_named(const std::string& name) {
  std::string found;
  std::error_code ignored;
  for (const auto& controller : std::filesystem::directory_iterator("/sys/fs/cgroup", ignored)) {
    std::string command = fmt::format("find {} -name {} 2>/dev/null", controller.path().string(), name);
    FILE* pipe = popen(command.c_str(), "r");
    char line[512];
    while (std::fgets(line, sizeof line, pipe)) found += line;
    pclose(pipe);
  }
  return found;
}

}  // namespace

Instance::Instance() {
  char folder[] = "/tmp/virga-test-XXXXXX";
  REQUIRE(mkdtemp(folder));
  folder_ = folder;
  home_.path = folder_ + "/home";
  REQUIRE(mkdir(home_.path.c_str(), 0755) == 0);
}

Instance::~Instance() {
  // After a failed test something may still run: end it the way that works without a cloud.
  auto files = host::load_vm_files(home_);
  for (const host::VmFile& file : *files) {
    host::UniqueFd nobody_else = host::seize_lock(host::vm_lock_path(home_, file.vm));
    host::ProcessId init = file.living_init();
    if (file.tier == Tier::plain) host::end_marked(host::vm_marker(home_, file.vm), init.pid);
    host::kill_and_wait(init);
    host::remove_cgroups(file.cgroups);
    (void)host::remove_vm_folder(home_, file.vm);
  }
  host::stop_fabric(home_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Instance::program() const { return own_program(); }

std::string Instance::note(const std::string& name) const {
  auto text = host::read_file(folder_ + "/" + name);
  if (text) text->erase(text->find_last_not_of('\n') + 1);
  return text.value_or("");
}

HostCloudOptions Instance::options() const { return {home_, own_program(), "test"}; }

Pool Instance::pool(Tier tier) const {
  Pool pool;
  pool.name = "gpu";
  pool.sku.name = "Standard_ND96isr_H100_v5";
  pool.sku.resources = {96, 8, 2'040'109'465'600};
  pool.node_prefix = tier == Tier::plain ? plain_node_prefix(home_) : "node-";
  return pool;
}

std::string Instance::user_data(VmId vm) const {
  return fmt::format("#!/bin/sh\necho run >> {}/runs.{}\nexec sleep 100000\n", folder_, vm.value);
}

int Instance::runs(VmId vm) const {
  std::ifstream in(fmt::format("{}/runs.{}", folder_, vm.value));
  int lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

std::string Instance::leftovers() const {
  std::string left;
  if (access(home_.vms().c_str(), F_OK) == 0) left += home_.vms() + "\n";
  left += folders_named(host::instance_name(home_));
  auto mounts = host::read_file("/proc/self/mountinfo");
  if (mounts && mounts->find(folder_) != std::string::npos) left += "a mount\n";
  DIR* proc = opendir("/proc");
  while (dirent* entry = readdir(proc)) {
    int pid = std::atoi(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    std::string folder = fmt::format("/proc/{}", pid);
    auto line = host::read_file(folder + "/cmdline");
    auto environment = host::read_file(folder + "/environ");
    auto stat = host::read_file(folder + "/stat");
    bool ours = (line && line->find(folder_) != std::string::npos) ||
                (environment && environment->find(folder_) != std::string::npos);
    // A zombie has neither; it is ours if we are its parent, and then a leak.
    bool zombie = stat && stat->find(fmt::format(") Z {} ", getpid())) != std::string::npos;
    if (ours || zombie) left += fmt::format("process {} {}\n", pid, line ? *line : "");
  }
  closedir(proc);
  return left;
}

CloudUnderTest Instance::under_test(Tier tier) {
  return {
      .open = [this](EventSink& sink) { return make_host_cloud(options(), sink); },
      .pool = pool(tier),
      .user_data = [this](const WantedVm& wanted) { return user_data(wanted.vm); },
      .runs = [this](VmId vm) { return runs(vm); },
      .kill = [this](VmId vm) { REQUIRE(::kill(file(vm).init.pid, SIGKILL) == 0); },
      .break_boot =
          [](const std::string& node) {
            if (node.empty()) {
              unsetenv("VIRGA_FAULT_BOOT");
            } else {
              setenv("VIRGA_FAULT_BOOT", (node + ":user_data").c_str(), 1);
            }
          },
      .leftovers = [this] { return leftovers(); },
  };
}

bool enter(Tier tier) {
  unsetenv("VIRGA_FAULT_BOOT");
  if (tier == Tier::root && geteuid() != 0) {
    MESSAGE("skipped: the root tier needs root");
    return false;
  }
  if (tier == Tier::user && geteuid() == 0) {
    CHECK(run_as_ordinary_user(doctest::getContextOptions()->currentTest->m_name) == 0);
    return false;
  }
  setenv("VIRGA_TIER", std::string(name_of(tier)).c_str(), 1);
  TierReport report = probe_tier();
  if (report.tier == tier) return true;
  std::string why;
  for (const ProbeLine& line : report.lines) {
    if (!line.works) why += line.what + ": " + line.why_not + "; ";
  }
  MESSAGE("skipped: this machine has no ", std::string(name_of(tier)), " tier: ", why);
  return false;
}

std::string inside(const Instance& instance, VmId vm, const std::string& command) {
  host::VmFile file = instance.file(vm);
  std::string user = file.tier == Tier::user ? "-U --preserve-credentials" : "";
  std::string network = file.on_fabric() ? "-n" : "";
  std::string line =
      fmt::format("nsenter -t {} {} -m -u -i -p {} sh -c '{}' 2>&1", file.init.pid, user, network, command);
  if (file.tier == Tier::plain) line = fmt::format("sh -c '{}' 2>&1", command);
  FILE* pipe = popen(line.c_str(), "r");
  REQUIRE(pipe);
  std::string output;
  char part[512];
  while (std::fgets(part, sizeof part, pipe)) output += part;
  pclose(pipe);
  output.erase(output.find_last_not_of('\n') + 1);
  return output;
}

Switch::Switch(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
Switch::~Switch() { unsetenv(name_); }

}  // namespace virga::host_test
