// Questions about the market, which may take as long as a cloud takes to answer: on a thread of their own, one after
// the other.
//
//   MarketDesk desk([&](const MarketQuery& query) { return clouds.market(query); });
//   desk.ask({config.pools, ""}, [responder](Market market) { … });       // from any thread, at once
//
// The thread begins with the first question. Closing lets the question that is being answered end, and forgets the
// rest.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/market.hpp"

namespace virga {

class MarketDesk {
 public:
  using Answer = std::function<void(Market)>;

  /// `look` may be empty: then the market is, too.
  explicit MarketDesk(std::function<Market(const MarketQuery&)> look) : look_(std::move(look)) {}
  ~MarketDesk();
  MarketDesk(const MarketDesk&) = delete;
  MarketDesk& operator=(const MarketDesk&) = delete;

  /// Too many at a time are answered at once, with a failure that says so.
  void ask(MarketQuery query, Answer answer);

 private:
  void run();

  std::function<Market(const MarketQuery&)> look_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<MarketQuery, Answer>> questions_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace virga
