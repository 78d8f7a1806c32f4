// What is due later: calls by time, and in the order in which they were written down where times are equal.
//
//   Agenda agenda;
//   agenda.at(now + Duration::seconds(3), [id](Time when) { finish(id, when); });
//   agenda.run_until(now);       // also what the calls themselves put on it, if that is due
//   agenda.next();               // Time::never() when empty
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/time.hpp"

namespace virga::arm {

class Agenda {
 public:
  using Work = std::function<void(Time when)>;

  void at(Time when, Work work) {
    if (!when.is_never()) entries_.emplace(std::pair(when, ++last_), std::move(work));
  }
  Time next() const { return entries_.empty() ? Time::never() : entries_.begin()->first.first; }
  void run_until(Time now) {
    while (next() <= now) {
      auto entry = entries_.extract(entries_.begin());
      entry.mapped()(entry.key().first);
    }
  }

 private:
  std::map<std::pair<Time, std::uint64_t>, Work> entries_;
  std::uint64_t last_ = 0;
};

}  // namespace virga::arm
