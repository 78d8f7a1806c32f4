#include "control/inbox.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace virga {

bool Inbox::put(InboxItem item) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    if (items_.size() >= k_requests_max && std::holds_alternative<RequestItem>(item)) return false;
    items_.push_back(std::move(item));
  }
  filled_.notify_one();
  return true;
}

void Inbox::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  filled_.notify_one();
}

void Inbox::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  filled_.notify_one();
}

bool Inbox::stopped() const {
  std::lock_guard lock(mutex_);
  return stopped_;
}

std::deque<InboxItem> Inbox::close() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  closed_ = true;
  return std::exchange(items_, {});
}

std::vector<InboxItem> Inbox::take(Duration wait) {
  // A day is as good as for ever, and keeps the sum below the clock's range.
  const auto bounded = std::chrono::nanoseconds(std::clamp<std::int64_t>(wait.ns, 0, 86'400'000'000'000));
  std::unique_lock lock(mutex_);
  if (wait.ns > 0) filled_.wait_for(lock, bounded, [&] { return stopped_ || woken_ || !items_.empty(); });
  woken_ = false;
  const std::size_t n = std::min(items_.size(), k_batch_max);
  std::vector<InboxItem> taken;
  taken.reserve(n);
  std::move(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n), std::back_inserter(taken));
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(n));
  return taken;
}

}  // namespace virga
