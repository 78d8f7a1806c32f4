#include "clouds/host/tier.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdlib>
#include <map>

#include "base/digest.hpp"
#include "clouds/host/cgroup.hpp"
#include "clouds/host/namespaces.hpp"
#include "clouds/host/process.hpp"

namespace virga {

namespace {

using host::fail_errno;
using host::UniqueFd;

/// What a node's boot does with namespaces, in short.
Status try_namespaces(bool as_user) {
  if (as_user) {
    if (auto ok = host::enter_new_user_namespace(); !ok) return ok;
  }
  if (unshare(CLONE_NEWNET) != 0) return fail_errno("new network namespace");
  if (auto ok =
          host::run_ip("link add br0 type bridge\nlink add v0 type veth peer name eth0\nlink set v0 master br0 up\n");
      !ok) {
    return ok;
  }
  if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID) != 0) return fail_errno("new namespaces");
  pid_t inside = fork();
  if (inside < 0) return fail_errno("fork");
  if (inside == 0) {
    int number = 0;
    if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0 || sethostname("probe", 5) != 0) {
      number = errno;
    }
    _exit(number);
  }
  int status = 0;
  waitpid(inside, &status, 0);
  if (!WIFEXITED(status)) return fail(Code::internal, "a process in new namespaces was killed");
  if (WEXITSTATUS(status) != 0) return fail_errno("own /proc, /tmp and hostname", WEXITSTATUS(status));
  return {};
}

/// Runs the trial in a child, whose namespaces vanish with it. Empty: it works.
std::string why_not(bool as_user) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe").value().message;
  UniqueFd from_child(ends[0]), to_parent(ends[1]);
  pid_t child = fork();
  if (child < 0) return fail_errno("fork").value().message;
  if (child == 0) {
    if (auto ok = try_namespaces(as_user); !ok) {
      std::string text = ok.error().message;
      [[maybe_unused]] ssize_t n = write(to_parent.get(), text.data(), text.size());
      _exit(1);
    }
    _exit(0);
  }
  to_parent.reset();
  std::string text;
  char buffer[512];
  for (ssize_t n; (n = read(from_child.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (text.empty() && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) text = "the trial was killed";
  return text;
}

ProbeLine namespaces_line(const char* what, bool as_user) {
  std::string reason = why_not(as_user);
  return {what, reason.empty(), reason};
}

TierReport try_tiers() {
  TierReport report;
  const char* forced_text = std::getenv("VIRGA_TIER");
  auto forced = enum_from_name<Tier>(forced_text ? forced_text : "root");
  if (!forced) {
    report.lines.push_back({"$VIRGA_TIER", false, fmt::format("'{}' is none of root, user, plain", forced_text)});
    forced = Tier::root;
  } else if (forced_text) {
    report.lines.push_back({"$VIRGA_TIER", true, fmt::format("nothing better than '{}' is tried", forced_text)});
  }

  bool found = false;
  if (*forced == Tier::root) {
    if (geteuid() != 0) {
      report.lines.push_back({"namespaces as root", false, "not run by root"});
    } else {
      report.lines.push_back(namespaces_line("namespaces as root", false));
      if ((found = report.lines.back().works)) report.tier = Tier::root;
    }
  }
  if (!found && *forced <= Tier::user) {
    report.lines.push_back(namespaces_line("user namespaces", true));
    if ((found = report.lines.back().works)) report.tier = Tier::user;
  }
  if (!found) {
    report.tier = Tier::plain;
    report.lines.push_back(
        {"processes on 127.x addresses", true, "nodes share /tmp and process ids with this machine"});
  }

  host::CgroupSupport cgroups = host::probe_cgroups();
  report.cgroup_cpu = cgroups.cpu;
  report.cgroup_memory = cgroups.memory;
  report.cgroup_pids = cgroups.pids;
  report.cgroup_version = cgroups.version;
  report.lines.push_back({"limit of CPU time", cgroups.cpu, cgroups.cpu ? "" : cgroups.why_not});
  report.lines.push_back({"limit of memory", cgroups.memory, cgroups.memory ? "" : cgroups.why_not});
  report.lines.push_back({"limit of processes", cgroups.pids, cgroups.pids ? "" : cgroups.why_not});
  return report;
}

}  // namespace

TierReport probe_tier() {
  // virgad asks twice at its start; what is asked for is the same question only for the same user and tier.
  static std::map<std::string, TierReport> known;
  const char* forced = std::getenv("VIRGA_TIER");
  auto [found, is_new] = known.try_emplace(fmt::format("{} {}", geteuid(), forced ? forced : ""));
  if (is_new) found->second = try_tiers();
  return found->second;
}

std::string plain_node_prefix(const Home& home) { return fmt::format("127.{}.0.", 64 + digest_of(home.path) % 128); }

}  // namespace virga
