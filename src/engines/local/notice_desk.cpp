#include "engines/local/notice_desk.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace virga {
void NoticeDesk::turn(Clock::time_point now, bool any_job) {
  if (!service_) return;
  if (!watcher_ && start_at_ <= now) {
    start_at_ = now + times_.restart;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) run_notice_watch(FrameChannel(ends[1]), *service_, times_);
    close(ends[1]);
    if (pid_ < 0) {
      close(ends[0]);
      return;
    }
    watcher_.emplace(ends[0]);
  }
  if (any_job) {
    free_since_.reset();
    return;
  }
  if (!free_since_) free_since_ = now;
  if (!watcher_ || now - *free_since_ < times_.calm) return;
  for (auto& [id, entry] : pending_) {
    if (!entry.told || entry.approved) continue;
    entry.approved = true;
    watcher_->send(ApproveNotice{id});
  }
}

std::optional<NoticeDesk::Clock::time_point> NoticeDesk::due() const {
  if (!service_) return std::nullopt;
  if (!watcher_) return start_at_;
  const bool any = std::any_of(pending_.begin(), pending_.end(),
                               [](const auto& entry) { return entry.second.told && !entry.second.approved; });
  if (!any || !free_since_) return std::nullopt;
  return *free_since_ + times_.calm;
}

std::vector<NodeNotice> NoticeDesk::read() {
  std::vector<NodeNotice> fresh;
  if (!watcher_) return fresh;
  watcher_->flush();
  const bool alive = watcher_->receive();
  auto message = watcher_->next();
  for (; message && *message; message = watcher_->next()) {
    if (const auto* notice = std::get_if<NodeNotice>(&**message)) {
      if (pending_.try_emplace(notice->event, Pending{*notice, false, false}).second) fresh.push_back(*notice);
    } else if (const auto* over = std::get_if<NoticeOver>(&**message)) {
      pending_.erase(over->event);
      std::fprintf(stderr,
                   "virga-node agent: event %s was called off; engines that heard of it keep the node drained\n",
                   over->event.c_str());
    }
  }
  if (alive && message) return fresh;
  std::fprintf(stderr, "virga-node agent: lost the watcher of the cloud's notices; starting another one\n");
  watcher_.reset();  // one that still lives ends by that
  pid_ = -1;
  // What the lost one was to approve, the next one is asked again.
  for (auto& [id, entry] : pending_) entry.approved = false;
  return fresh;
}

std::vector<NodeNotice> NoticeDesk::pending() const {
  std::vector<NodeNotice> all;
  for (const auto& [id, entry] : pending_) all.push_back(entry.notice);
  return all;
}

void NoticeDesk::told(Clock::time_point now) {
  if (free_since_) free_since_ = now;
  for (auto& [id, entry] : pending_) entry.told = true;
}

void NoticeDesk::end() {
  service_.reset();
  watcher_.reset();
  pid_ = -1;
}

}  // namespace virga
