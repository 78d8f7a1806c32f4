#include "clouds/host/boot.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>

#include "clouds/host/cgroup.hpp"
#include "clouds/host/fabric.hpp"
#include "clouds/host/init.hpp"

namespace virga::host {

void BootReporter::say(const std::string& line) {
  if (fd_ < 0) return;
  [[maybe_unused]] ssize_t n = write(fd_, line.data(), line.size());
}

Status BootReporter::step(const std::string& name) {
  say("step " + name + "\n");
  const char* fault = std::getenv("VIRGA_FAULT_BOOT");
  std::string here = node_ + ":" + name;
  if (!fault) return {};
  if (fault == here + ":hang") {
    for (;;) pause();
  }
  if (fault == here) return fail_errno("VIRGA_FAULT_BOOT", EIO);
  return {};
}

void BootReporter::failed(const Error& error) {
  say(fmt::format("failed {} {}\n", error.code == Code::exhausted ? "exhausted" : "fault", error.message));
}

void BootReporter::ok() { say("ok\n"); }

void BootReporter::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

/// A launcher of an earlier controller may have the lock, until it sees that the record is no longer its own.
constexpr int k_lock_patience_ms = 5000;

/// The launcher enters the control groups and the network; its child inherits them.
Status prepare_surroundings(const Home& home, const VmFile& file, BootReporter& report) {
  if (auto ok = report.step("cgroup"); !ok) return ok;
  if (auto ok = make_cgroups(file.cgroups, {file.limit_cpus, file.limit_memory_bytes}); !ok) return ok;
  if (auto ok = join_cgroups(file.cgroups); !ok) return ok;

  if (auto ok = report.step("network"); !ok) return ok;
  if (file.tier == Tier::user || file.on_fabric()) {
    pid_t fabric = lock_holder(fabric_lock_path(home));
    if (fabric == 0) return fail(Code::internal, "the fabric's process is gone");
    if (file.tier == Tier::user) {
      if (auto ok = join_fabric_users(fabric); !ok) return ok;
    }
    if (file.on_fabric()) {
      // The kernel removes the port of a dead node a while after its death: the name must be another one each time.
      std::string port = fmt::format("v{}-{}", file.vm.value % 100'000, getpid());
      if (auto ok = connect_to_fabric(fabric, {port, file.address, file.metadata, file.bridge}); !ok) return ok;
    }
  }
  return {};
}

/// Starts the init, waits until its steps are done, writes it down, and lets it go. False: it told its trouble itself.
Result<bool> start_init(const Home& home, VmFile file, BootReporter& report, UniqueFd uplink) {
  int ready_ends[2];
  int go_ends[2];
  if (pipe2(ready_ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd ready(ready_ends[0]), to_ready(ready_ends[1]);
  if (pipe2(go_ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd from_go(go_ends[0]), go(go_ends[1]);

  if (file.tier != Tier::plain && unshare(CLONE_NEWPID) != 0) return fail_errno("new process id namespace");
  pid_t child = fork();
  if (child < 0) return fail_errno("fork the node's init");
  if (child == 0) {
    ready.reset();
    go.reset();
    run_init({home, file, &report, std::move(to_ready), std::move(uplink), std::move(from_go)});
  }
  to_ready.reset();
  from_go.reset();

  char byte = 0;
  if (read(ready.get(), &byte, 1) != 1) {
    waitpid(child, nullptr, 0);
    return false;
  }
  file.init = identify(child);
  file.boot = boot_id();
  file.phase = VmPhase::up;
  Status saved = file.init.start ? save_vm_file(home, file) : fail(Code::internal, "the node's init died at once");
  if (!saved) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return unexpected(saved.error());
  }
  if (write(go.get(), "g", 1) != 1) return fail_errno("start the node's user data");
  // The init dies with us until it has seen this: wait for the end of its pipe.
  while (read(ready.get(), &byte, 1) > 0) {
  }
  return true;
}

Result<bool> boot(const Home& home, VmId vm, std::uint64_t attempt, BootReporter& report) {
  auto lock = take_lock(vm_lock_path(home, vm), k_lock_patience_ms);
  if (!lock) return unexpected(lock.error());
  VmFile file = load_vm_file(home, vm);
  report.set_node(file.name);
  if (auto ok = report.step("record"); !ok) return unexpected(ok.error());
  if (file.attempt != attempt || file.phase != VmPhase::intent)
    return fail(Code::conflict, "the VM's record is not fresh");
  UniqueFd uplink;
  if (file.has_uplink()) {  // opened before the node gets a network of its own
    uplink.reset(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!uplink) return fail_errno("open this machine's network /proc/self/ns/net");
  }
  if (auto ok = prepare_surroundings(home, file, report); !ok) return unexpected(ok.error());
  return start_init(home, std::move(file), report, std::move(uplink));
}

}  // namespace

int run_boot(const Home& home, VmId vm, std::uint64_t attempt) {
  signal(SIGPIPE, SIG_IGN);
  UniqueFd out(fcntl(1, F_DUPFD_CLOEXEC, 3));
  dup2(2, 1);
  BootReporter report(out.get(), "");
  auto booted = boot(home, vm, attempt, report);
  if (!booted) {
    report.failed(booted.error());
    return 1;
  }
  if (!*booted) return 1;
  report.ok();
  return 0;
}

}  // namespace virga::host
