#include "clouds/host/watcher.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/assert.hpp"
#include "clouds/host/pidfd.hpp"

namespace virga::host {

Watcher::Watcher(std::function<void()> every_second)
    : every_second_(std::move(every_second)), epoll_(epoll_create1(EPOLL_CLOEXEC)), stop_(eventfd(0, EFD_CLOEXEC)) {
  VIRGA_ASSERT(epoll_ && stop_, "no file descriptor left to start with");
  epoll_event event{.events = EPOLLIN, .data = {.fd = stop_.get()}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event);
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

Status Watcher::watch(ProcessId process, std::function<void()> on_end) {
  // For a process that is dead already stands an event that is there from the start.
  UniqueFd fd(process.start ? pidfd_open(process.pid, 0) : -1);
  if (!fd && process.start && errno != ESRCH) return fail_errno("watch the node's init");
  if (!fd || !is_alive(process)) {
    UniqueFd dead(eventfd(1, EFD_CLOEXEC));
    if (!dead) return fail_errno("watch the node's init");
    if (fd) reap(fd.get());
    fd = std::move(dead);
  }
  std::lock_guard lock(mutex_);
  int number = fd.get();
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.fd = number}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, number, &event) != 0) return fail_errno("watch the node's init");
  watched_[number] = {std::move(fd), std::move(on_end)};
  return {};
}

void Watcher::run() {
  for (;;) {
    epoll_event event{};
    int ready = epoll_wait(epoll_.get(), &event, 1, 1000);
    if (ready == 0) every_second_();
    if (ready < 1) continue;
    if (event.data.fd == stop_.get()) return;
    Watched ended;
    {
      std::lock_guard lock(mutex_);
      auto found = watched_.find(event.data.fd);
      if (found == watched_.end()) continue;
      ended = std::move(found->second);
      watched_.erase(found);
    }
    reap(ended.fd.get());
    ended.on_end();
  }
}

}  // namespace virga::host
