// Threads for calls that block. It grows when all are busy, up to a limit, and finishes what it was given.
//
//   WorkerPool pool(16);
//   pool.run([] { … });
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace virga::host {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads_max) : threads_max_(threads_max) {}
  ~WorkerPool() { finish(); }

  void run(std::function<void()> task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < threads_max_) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (threads_.empty()) throw;  // with one thread all tasks get done, only later
      }
    }
    changed_.notify_one();
  }

  /// Returns when every task is done; the pool takes no more.
  void finish() {
    std::vector<std::thread> threads;
    for (;;) {
      {
        std::lock_guard lock(mutex_);
        finishing_ = true;
        threads.swap(threads_);
        changed_.notify_all();
      }
      if (threads.empty()) return;
      for (std::thread& thread : threads) thread.join();
      threads.clear();
    }
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      changed_.wait(lock, [this] { return finishing_ || !tasks_.empty(); });
      --idle_;
      if (tasks_.empty()) return;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t threads_max_;
  std::size_t idle_ = 0;
  bool finishing_ = false;
};

}  // namespace virga::host
