#include "cli/cancel_on_signal.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "cli/client.hpp"
#include "wire/api_bodies.hpp"

namespace virga {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

CancelOnSignal::CancelOnSignal() {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { watch(); });
}

CancelOnSignal::~CancelOnSignal() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) < 0) std::perror("srun: eventfd");
  thread_.join();
  ::close(stop_);
  ::close(signals_);
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void CancelOnSignal::sleep_ms(int ms) {
  const timespec time{ms / 1000, ms % 1000 * 1'000'000L};
  ::nanosleep(&time, nullptr);
}

/// A signal may come while the submission is under way. False: there will be no job; a second signal ends us at once.
bool CancelOnSignal::wait_for_job_id() {
  signalfd_siginfo info;
  if (::read(signals_, &info, sizeof info) < 0) return false;
  pollfd wait[2] = {{signals_, POLLIN, 0}, {stop_, POLLIN, 0}};
  while (job_ == 0) {
    ::poll(wait, 2, 10);
    if ((wait[0].revents & POLLIN) != 0) ::_exit(1);
    if ((wait[1].revents & POLLIN) != 0) return job_ != 0;
  }
  return true;
}

void CancelOnSignal::watch() {
  pollfd wait[2] = {{signals_, POLLIN, 0}, {stop_, POLLIN, 0}};
  while (::poll(wait, 2, -1) < 0) {
  }
  if ((wait[0].revents & POLLIN) == 0 || !wait_for_job_id()) return;
  std::fprintf(stderr, "srun: Job allocation %u has been revoked\n", job_.load());
  if (Result<Client> client = Client::from_environment(); client) {
    (void)client->post_as<NoBody>("/v1/jobs/" + std::to_string(job_.load()) + "/cancel", NoBody{}, Client::Retry::safe);
  }
  std::fflush(nullptr);
  ::_exit(1);
}

}  // namespace virga
