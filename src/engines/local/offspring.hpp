// All processes that a supervisor is responsible for: reaps them, signals them, and ends them for sure.
//
//   Offspring offspring;                       // once per process: makes it a child subreaper
//   poll offspring.signal_fd() with offspring.timeout_ms(); then
//   offspring.reap([](pid_t pid, int status) { … });
//   offspring.kill_all();                      // from now on, in rounds, until any() is false
#pragma once

#include <sys/types.h>

#include <functional>

#include "core/job.hpp"

namespace virga {

class Offspring {
 public:
  Offspring();
  ~Offspring();
  Offspring(const Offspring&) = delete;
  Offspring& operator=(const Offspring&) = delete;

  int signal_fd() const { return signal_fd_; }
  /// Collects every child that has ended, and does the next round of killing when it is due.
  void reap(const std::function<void(pid_t, int)>& ended);
  bool any() const { return any_; }
  void signal_all(int signal);
  void kill_all();
  bool killing() const { return killing_; }
  /// How long poll() may sleep; -1 for ever.
  int timeout_ms() const { return killing_ && any_ ? round_ms_ : -1; }
  const Usage& usage() const { return usage_; }

 private:
  int signal_fd_ = -1;
  bool any_ = false;
  bool killing_ = false;
  int round_ms_ = 1;
  int refused_rounds_ = 0;
  Usage usage_;
};

ExitStatus exit_status_of(int wait_status);

}  // namespace virga
