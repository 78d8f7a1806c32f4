// What waits for the control thread: facts, requests and readers, in order of arrival.
//
//   inbox.put(Fact{...});            // any thread
//   auto batch = inbox.take(until);  // control thread; empty after a time-out or stop
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "control/controller.hpp"

namespace virga {

struct FactItem {
  EventBody body;
};
struct RequestItem {
  EventBody body;
  std::optional<LaunchPayload> payload;
  Controller::Answer answer;
};
struct ReaderItem {
  std::function<void(Journal&, const Brain&)> read;
};
using InboxItem = std::variant<FactItem, RequestItem, ReaderItem>;

class Inbox {
 public:
  /// False when the inbox is full or closed. Only requests are turned away when it is full.
  bool put(InboxItem item);
  void stop();
  bool stopped() const;
  /// Ends the wait of take(), or the next one.
  void wake();
  /// Waits until something is there, `wait` has passed, wake(), or stop(). Takes at most `k_batch_max` items.
  std::vector<InboxItem> take(Duration wait);
  /// Everything that waits. Nothing is put after this.
  std::deque<InboxItem> close();

 private:
  static constexpr std::size_t k_batch_max = 4'096;
  static constexpr std::size_t k_requests_max = 100'000;

  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<InboxItem> items_;
  bool stopped_ = false;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace virga
