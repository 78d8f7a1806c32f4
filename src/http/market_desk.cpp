#include "http/market_desk.hpp"

namespace virga {

namespace {
constexpr std::size_t k_questions_most = 64;
}

MarketDesk::~MarketDesk() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void MarketDesk::ask(MarketQuery query, Answer answer) {
  Market none;
  {
    std::lock_guard lock(mutex_);
    if (look_ && !closing_ && questions_.size() < k_questions_most) {
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      questions_.emplace_back(std::move(query), std::move(answer));
      changed_.notify_all();
      return;
    }
    if (look_) none.failure = "too many questions about the market wait for their answers; ask again later";
  }
  answer(std::move(none));
}

void MarketDesk::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !questions_.empty(); });
    if (closing_) return;
    auto [query, answer] = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    answer(look_(query));
    lock.lock();
  }
}

}  // namespace virga
