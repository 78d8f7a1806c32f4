// While a client waits for its allocation, ^C (or SIGTERM, SIGHUP) cancels the job and ends the process.
//
//   CancelOnSignal cancel;           // until the end of the block; the signals are held back from this thread
//   cancel.set_job(submit(…));       // one that came before is served now
//   wait_for_job(client, job, false);
#pragma once

#include <atomic>
#include <thread>

#include "base/ids.hpp"

namespace virga {

class CancelOnSignal {
 public:
  CancelOnSignal();
  ~CancelOnSignal();
  CancelOnSignal(const CancelOnSignal&) = delete;
  CancelOnSignal& operator=(const CancelOnSignal&) = delete;

  void set_job(JobId job) { job_ = job.value; }
  static void sleep_ms(int ms);

 private:
  void watch();
  bool wait_for_job_id();

  std::atomic<std::uint32_t> job_{0};
  int signals_ = -1;
  int stop_ = -1;
  std::thread thread_;
};

}  // namespace virga
