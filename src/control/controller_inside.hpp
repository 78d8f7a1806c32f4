// What is inside a Controller; only the files that implement it include this.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/controller.hpp"
#include "control/inbox.hpp"

namespace virga {

struct Controller::Inside {
  Ports ports;
  Brain brain;
  Inbox inbox;
  std::vector<Listener> listeners;
  std::function<void(CrashPoint)> crash_hook;
  std::function<void(const std::string&)> say;
  std::uint64_t events_per_snapshot = 0;
  Leadership* leadership = nullptr;  ///< where several controllers share the journal

  std::vector<Command> commands;        ///< of the batch; kept for its memory
  std::vector<FactItem> waiting_facts;  ///< could not be made durable yet
  std::vector<Job> jobs_to_archive;     ///< go into the next commit
  std::vector<VmRecord> vms_to_archive;
  std::uint64_t events_since_snapshot = 0;
  bool journal_failing = false;
  Time journal_retry_at;  ///< while it fails

  struct Pending {
    JournalEntry entry;
    Answer answer;  ///< empty for facts
  };

  Status replay();
  Status recover_rest(const Config& config);
  Status reconcile(const Config& config);
  void watch_again(const Vm& vm);
  bool commit(std::vector<Pending>& batch);
  bool flush_archive();
  void apply(Seq seq, Pending& item, RequestId id);
  void execute(Command& command, const std::vector<Pending>* batch);
  void dispatch(std::vector<Pending>& batch);
  void pass(CrashPoint point);
  void step(std::vector<InboxItem> items);
  void serve_what_waits();
  bool save_snapshot();
  void compact();
  void leave_snapshot();
  bool is_down() const;
  Time due() const;
  Duration time_to_wait() const;

  // follow.cpp
  Status catch_up();
  void keep_accounts(Seq seq);
  void serve_following(Duration wait);
  Result<std::optional<Followed>> follow_turn();
  bool is_lost() const { return leadership != nullptr && leadership->is_lost(); }
  bool may_act(bool asks_the_store);

  struct Account {
    Seq seq;
    std::variant<Job, VmRecord> record;
  };
  std::deque<Account> late_accounts;  ///< of a follower: what the leader may not have written yet
  bool shutdown_seen = false;         ///< it was asked for while this one followed
};

}  // namespace virga
