#include "engines/local/health_desk.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "engines/local/supervisor.hpp"

namespace virga {
namespace {

/// In the forked child, which ends with it.
[[noreturn]] void run_checks(FrameChannel agent, const HealthSettings& settings, bool full, const LinkDowns& before) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "virga-health");
  close_descriptors_except({agent.fd()});
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const HealthReport report = check_health({settings.limits, full}, real_tools(settings.tools), before);
  HealthChecked result;
  if (const HealthFinding* failure = report.first_failure()) {
    result.check = failure->check;
    result.message = sentence_of(*failure);
  }
  result.link_downs = report.link_downs;
  agent.send(result);
  agent.flush();
  _exit(0);
}

}  // namespace

void HealthDesk::begin(Extent extent) {
  if (!settings_) return;
  if (channel_) {
    again_ = true;
  } else {
    start(extent);
  }
}

void HealthDesk::start(Extent extent) {
  ++round_;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return heard({"checker", "no socket for the checks, expected one", {}});
  }
  pid_ = fork();
  if (pid_ == 0) run_checks(FrameChannel(ends[1]), *settings_, extent == Extent::full, link_downs_);
  close(ends[1]);
  channel_.emplace(ends[0]);  // of a fork that failed it is closed, which read() sees
}

bool HealthDesk::read() {
  if (!channel_) return false;
  const bool alive = channel_->receive();
  auto message = channel_->next();
  const auto* result = message && *message ? std::get_if<HealthChecked>(&**message) : nullptr;
  if (alive && message && result == nullptr) return false;
  heard(result != nullptr ? *result : HealthChecked{"checker", "it ended without a result, expected one", {}});
  channel_.reset();
  pid_ = -1;
  if (!again_) return true;
  again_ = false;
  start(Extent::brief);
  return !channel_.has_value();
}

void HealthDesk::heard(const HealthChecked& result) {
  spoke_ = true;
  for (const auto& [port, downs] : result.link_downs) link_downs_[port] = downs;
  sick_.reset();
  if (result.check.empty()) return;
  sick_ = NodeSick{round_, result.check, result.message};
  std::fprintf(stderr, "virga-node agent: health check %s: %s\n", result.check.c_str(), result.message.c_str());
}

void HealthDesk::end() {
  settings_.reset();
  channel_.reset();
  pid_ = -1;
}

}  // namespace virga
