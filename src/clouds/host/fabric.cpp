#include "clouds/host/fabric.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <thread>

#include "clouds/host/metadata.hpp"
#include "clouds/host/namespaces.hpp"
#include "clouds/host/pidfd.hpp"
#include "clouds/host/process.hpp"
#include "clouds/host/spawn.hpp"
#include "clouds/host/subnet.hpp"
#include "clouds/host/vm_file.hpp"

namespace virga::host {

namespace {

constexpr std::int64_t k_start_ms_max = 10'000;
constexpr unsigned k_home_check_s = 2;
constexpr std::uint32_t k_machine_index = 250 * 250;  // nodes end at 240 * 250

/// A node and the machine know each other, and so do a node and the first one of its gang; as much again for what is
/// not collected yet.
constexpr std::size_t k_neighbours_per_node = 8;

/// The lock file's text, written once the bridge is there.
constexpr std::string_view k_ready = "ready\n";

Status build_fabric(const Home& home, Tier tier, const UniqueFd& lock) {
  if (ftruncate(lock.get(), 0) != 0) return fail_errno("truncate " + fabric_lock_path(home));
  if (tier == Tier::user) {
    if (auto ok = enter_new_user_namespace(); !ok) return ok;
  }
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("new network namespace");
  if (auto ok = run_ip("link add br0 type bridge\nlink set br0 addrgenmode none\nlink set br0 up\n"); !ok) return ok;
  if (pwrite(lock.get(), k_ready.data(), k_ready.size(), 0) < 0) return fail_errno("write " + fabric_lock_path(home));
  return {};
}

/// Of another network namespace.
bool has_link(int network, const std::string& name) {
  bool has = false;
  std::thread([&] { has = setns(network, CLONE_NEWNET) == 0 && if_nametoindex(name.c_str()) != 0; }).join();
  return has;
}

}  // namespace

Result<pid_t> ensure_fabric(const Home& home, const std::string& node_program, Tier tier) {
  std::string path = fabric_lock_path(home);
  std::int64_t deadline = monotonic_ms() + k_start_ms_max;
  std::string trouble = "it does not get ready";
  while (monotonic_ms() < deadline) {
    // It may be one that an earlier controller started, perhaps just before it died: then its set-up goes on.
    if (pid_t holder = lock_holder(path)) {
      auto text = read_file(path);
      if (text && *text == k_ready && lock_holder(path) == holder) return holder;
      poll(nullptr, 0, 2);
      continue;
    }
    auto child = spawn({node_program, "vm", "fabric", home.path, std::string(name_of(tier))});
    if (!child) return unexpected(child.error());
    BootReport report = read_report(child->out.get(), deadline);
    if (report.ok) return child->pid;
    kill(child->pid, SIGKILL);
    waitpid(child->pid, nullptr, 0);
    trouble = report.error.message;
    if (lock_holder(path) == 0) return fail(report.error.code, "the fabric between the nodes: " + trouble);
  }
  (void)seize_lock(path);
  return fail(Code::timeout, "the fabric between the nodes: " + trouble, true);
}

void stop_fabric(const Home& home) {
  UniqueFd lock = seize_lock(fabric_lock_path(home));
  if (lock) unlink(fabric_lock_path(home).c_str());
}

int run_fabric(const Home& home, Tier tier) {
  auto lock = take_lock(fabric_lock_path(home), 0);
  Status built = lock ? build_fabric(home, tier, *lock) : Status(unexpected(lock.error()));
  std::string line = "ok\n";
  if (!built) {
    line = fmt::format("failed {} {}\n", built.error().code == Code::exhausted ? "exhausted" : "fault",
                       built.error().message);
  }
  [[maybe_unused]] ssize_t n = write(1, line.data(), line.size());
  if (!built) return 1;
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 1);
  dup2(null, 2);
  if (chdir("/") != 0) return 1;
  // It ends by SIGKILL; or by itself when somebody has removed the home, and with it the only way to find it.
  while (access(fabric_lock_path(home).c_str(), F_OK) == 0 || errno != ENOENT) sleep(k_home_check_s);
  return 0;
}

Status join_fabric_users(pid_t fabric) {
  UniqueFd process(pidfd_open(fabric, 0));
  if (!process) return fail_errno("find the fabric's process");
  if (setns(process.get(), CLONE_NEWUSER) != 0) return fail_errno("join the fabric's user namespace");
  return keep_capabilities_over_exec();
}

std::string fabric_address(const Home& home, std::uint32_t index) {
  return fmt::format("10.{}.{}.{}", subnet_of(home), index / 250, 1 + index % 250);
}

std::string machine_address(const Home& home) { return fabric_address(home, k_machine_index); }

Status connect_machine(const Home& home, pid_t fabric, const std::string& address) {
  const std::string network = fmt::format("/proc/{}/ns/net", fabric);
  UniqueFd fabric_network(open(network.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fabric_network) return fail_errno("find the fabric's network");
  // The kernel removes the port with the fabric's end of it: one that is there is this fabric's.
  const std::string port = machine_port(home);
  if (if_nametoindex(port.c_str()) == 0) {
    if (auto ok = run_ip(fmt::format("link add {} type veth peer name machine netns {}\n", port, fabric)); !ok)
      return ok;
  }
  const std::string inside = "link set machine master br0 addrgenmode none up\n";
  if (auto ok = run_ip(inside, fabric_network.get()); !ok) return ok;
  const std::string chosen = address.empty() ? machine_address(home) : address;
  return run_ip(
      fmt::format("link set {0} addrgenmode none\naddr replace {1}/16 dev {0}\nlink set {0} up\n", port, chosen));
}

Status ensure_bridges(pid_t fabric, std::uint32_t count) {
  if (count < 2) return {};
  UniqueFd network(open(fmt::format("/proc/{}/ns/net", fabric).c_str(), O_RDONLY | O_CLOEXEC));
  if (!network) return fail_errno("find the fabric's network");
  std::string batch;
  for (std::uint32_t i = 1; i < count; ++i) {
    // Who died in the middle of this left some of it behind.
    if (!has_link(network.get(), fmt::format("br{}", i))) batch += fmt::format("link add br{} type bridge\n", i);
    if (!has_link(network.get(), fmt::format("up{}", i))) {
      batch += fmt::format("link add up{0} type veth peer name down{0}\n", i);
    }
    batch += fmt::format(
        "link set br{0} addrgenmode none up\n"
        "link set up{0} master br0 addrgenmode none up\n"
        "link set down{0} master br{0} addrgenmode none up\n",
        i);
  }
  return run_ip(batch, network.get());
}

void make_room_for_neighbours(std::size_t nodes) {
  const std::string folder = "/proc/sys/net/ipv4/neigh/default/";
  const std::size_t wanted = nodes * k_neighbours_per_node;
  // The third is the limit; above the second, entries older than five seconds go.
  for (const char* name : {"gc_thresh3", "gc_thresh2"}) {
    const auto text = read_file(folder + name);
    if (text && std::strtoull(text->c_str(), nullptr, 10) < wanted) {
      (void)write_into(folder + name, std::to_string(wanted));
    }
  }
}

Status connect_to_fabric(pid_t fabric, const FabricPort& port) {
  UniqueFd fabric_network(open(fmt::format("/proc/{}/ns/net", fabric).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fabric_network) return fail_errno("find the fabric's network");
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("new network namespace");
  // The MAC follows from the address, so that neighbours' tables stay right when a new node gets an old address.
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::sscanf(port.address.c_str(), "%u.%u.%u.%u", &a, &b, &c, &d);
  std::string outside = fmt::format(
      "link add {0} type veth peer name eth0 address 02:00:{1:02x}:{2:02x}:{3:02x}:{4:02x} netns {5}\n"
      "link set {0} master br{6} addrgenmode none up\n",
      port.port, a, b, c, d, getpid(), port.bridge);
  if (auto ok = run_ip(outside, fabric_network.get()); !ok) return ok;
  std::string inside = fmt::format(
      "link set lo up\nlink set eth0 addrgenmode none\naddr add {}/16 dev eth0\nlink set eth0 up\n", port.address);
  if (port.metadata) inside += fmt::format("route add {} dev eth0\n", k_metadata_address);
  if (auto ok = run_ip(inside); !ok) return ok;
  // The machine's default may be one that shares slow links unfairly (BBR does); not every kernel lets us choose.
  (void)write_into("/proc/sys/net/ipv4/tcp_congestion_control", "reno");
  return {};
}

}  // namespace virga::host
