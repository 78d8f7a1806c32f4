// Leadership: which of several controllers of one journal leads. Adapters: journals/postgres (a lease in the database);
// in memory for tests. A journal that one process alone may open needs none.
//
//   leadership.on_news([&] { … });        // somebody leads now, or nobody any more; or the journal has grown
//   leadership.campaign();                // take over as soon as nobody leads
//   if (leadership.leads()) …             // cheap; before every answer
//   if (leadership.confirm()) start();    // asks the store; before what cannot be taken back
//
// Contract (held by tests/unit/journals_postgres/lease_test.cpp; tests/unit/control/standby_test.cpp plays with it):
//  * Terms count up: each leader has a term of its own, which no one before it had, and every write to the journal
//    succeeds only under the newest term.
//  * leads() is false before anybody else can lead, judged by this process's own monotonic clock, whether or not the
//    store can be reached; so a process that was frozen finds it false when it wakes, if it took too long.
//  * Once is_lost() is true it stays so: the process has to start afresh, from the journal. It is true when another
//    term has begun, and when the store could not be reached for so long that waiting clients had better go elsewhere.
//  * confirm() is true only if nobody else led when it was called.
//  * leads(), is_lost() and view() may be called from any thread; the callback comes from any thread and must not
//  block.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace virga {

/// Who a controller is, and where clients find it.
struct ControllerId {
  std::string name;  ///< virgad --name
  std::string host;
  std::uint32_t pid = 0;
  std::string socket;  ///< of its API, on its host
  std::string url;     ///< of its API over TCP; "" if it has none
};

struct LeaderInfo {
  ControllerId who;
  std::uint64_t term = 0;
  Time since;
};

struct FollowerInfo {
  ControllerId who;
  Seq applied;        ///< the newest event that it knows
  Duration seen_ago;  ///< when it last said so
};

struct LeadershipView {
  ControllerId self;
  bool leads = false;
  std::optional<LeaderInfo> leader;  ///< the last one that is known of
  bool leader_is_alive = false;      ///< as far as is known here
  std::optional<LeaderInfo> before;  ///< who led before that one; its term was ended by a takeover, or given back
  Seq last;                          ///< the journal's newest event
  Seq applied;                       ///< the newest one that this controller knows, as it reported
  std::vector<FollowerInfo> followers;
};

class Leadership {
 public:
  virtual ~Leadership() = default;

  /// Called before campaign().
  virtual void on_news(std::function<void()> news) = 0;
  virtual void campaign() = 0;
  /// Gives the lead back, so that the next one need not wait.
  virtual void resign() = 0;

  virtual bool leads() const = 0;
  virtual bool is_lost() const = 0;
  virtual std::uint64_t term() const = 0;
  virtual bool confirm() = 0;

  /// How far this controller has come, for the view of others.
  virtual void report(Seq applied) = 0;
  virtual LeadershipView view() const = 0;
};

}  // namespace virga
