// Leadership as a lease in the database: the rows `head` and `beats` of schema.cpp.
//
// The leader of a term moves `beat` every fifth of the lease. Who follows looks at it ten times a lease, and may begin
// the next term once it has seen the same beat for a whole lease, by its own monotonic clock; the change of both rows
// is one statement that names the term and the beat it saw. The leader counts its lease from before it sent its last
// beat that was acknowledged, and ends it a fifth early. So no wall clock is compared with another, the database's
// included, and a leader knows that it is over before anybody else can lead, also one that was frozen or cut off: this
// needs only clocks that run equally fast within some percent. What comes too late all the same fails at `head.term`.
//
// An advisory lock would add nothing: a frozen leader keeps it, and one that was cut off loses it before its lease
// ends.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "journals/postgres/connection.hpp"
#include "ports/leadership.hpp"

namespace virga {

struct LeaseOptions {
  std::string url;
  ControllerId self;
  Duration lease = Duration::seconds(1);
  std::function<void(const std::string&)> say = nullptr;  ///< what an operator should know, a line each
};

class Lease : public Leadership {
 public:
  explicit Lease(LeaseOptions options);
  ~Lease() override;

  void on_news(std::function<void()> news) override { news_ = std::move(news); }
  void campaign() override;
  void resign() override;
  bool leads() const override;
  bool is_lost() const override { return lost_; }
  std::uint64_t term() const override { return term_; }
  bool confirm() override;
  void report(Seq applied) override { applied_ = applied.value; }
  LeadershipView view() const override;

  /// Until is_lost() will be true if nothing gets better; for waits of a leader.
  int ms_until_lost() const;
  /// Waits until this one leads; Code::conflict as soon as another one is seen to live.
  Status wait_to_lead();

 private:
  struct Seen {  ///< what the tables said last
    std::uint64_t term = 0;
    std::int64_t beat = 0;
    std::int64_t since_ns = 0;  ///< our clock, when it was first seen so
  };

  void run();
  void turn();
  Status look();
  Status beat();
  Status try_lead();
  Status tell_members();
  Status read_members();
  Result<PgRows> ask(const char* statement, const PgArguments& arguments);
  void wait_for_news(std::int64_t ns);
  void lose(const std::string& why);
  std::int64_t lease_ns() const { return options_.lease.ns; }

  const LeaseOptions options_;
  std::function<void()> news_ = [] {};

  // Between threads.
  std::atomic<std::uint64_t> term_ = 0;        ///< zero: does not lead
  std::atomic<std::int64_t> leads_until_ = 0;  ///< by CLOCK_BOOTTIME
  std::atomic<std::int64_t> renewed_at_ = 0;
  std::atomic<bool> lost_ = false;
  std::atomic<bool> campaigns_ = false;
  std::atomic<std::uint64_t> applied_ = 0;
  std::atomic<bool> other_lives_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  LeadershipView view_;
  bool stopping_ = false;
  bool resigning_ = false;

  // The thread's own.
  std::optional<PgConnection> db_;
  Seen seen_;
  int turns_ = 0;
  bool complained_ = false;

  // Of who calls confirm().
  std::optional<PgConnection> asker_;
  std::int64_t confirmed_at_ = 0;

  int wake_ = -1;
  std::thread thread_;
};

}  // namespace virga
