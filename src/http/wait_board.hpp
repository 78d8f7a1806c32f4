// Long polls: who waits for which job to start or end. No thread waits, and a job's waiters are found by its id.
//
//   board->wait(job, WaitFor::ended, actor, responder);      // any thread
//   board->on_event(seq, event);                             // control thread, for every event
//
// An event that can have changed a job's state marks it; marked jobs are looked at once, after the batch that the event
// came with. All members live on the control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/controller.hpp"
#include "http/exchange.hpp"

namespace virga {

enum class WaitFor : std::uint8_t { started, ended };
template <>
struct EnumNames<WaitFor> {
  static constexpr std::string_view names[] = {"started", "ended"};
};

class WaitBoard : public std::enable_shared_from_this<WaitBoard> {
 public:
  explicit WaitBoard(Controller& controller) : controller_(controller) {}

  void wait(JobId job, WaitFor what, Actor actor, Responder responder);
  void on_event(const Event& event);

 private:
  struct Waiter {
    WaitFor what = WaitFor::ended;
    Actor actor;
    Responder responder;
  };
  using WaiterKey = std::pair<JobId, std::uint64_t>;

  void mark(JobId job);
  void mark_all();
  void check_soon();
  void check_marked(Journal& journal, const Brain& brain);
  bool answer_if_reached(JobId job, const Waiter& waiter, Journal& journal, const Brain& brain);

  Controller& controller_;
  std::map<WaiterKey, Waiter> waiters_;
  std::uint64_t last_waiter_ = 0;
  std::set<JobId> marked_;
  bool all_marked_ = false;
  bool check_is_coming_ = false;
};

}  // namespace virga
