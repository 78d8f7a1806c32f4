// Tells the end of processes, whoever their parent is, at once: a thread that polls their pidfds.
//
//   Watcher watcher([] {});
//   watcher.watch(init, [] { … });   // called once, on the watcher's thread; at once if it is dead already
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/result.hpp"
#include "clouds/host/process.hpp"

namespace virga::host {

class Watcher {
 public:
  /// `every_second` is called on the watcher's thread.
  explicit Watcher(std::function<void()> every_second);
  ~Watcher();

  /// Code::exhausted when there is no descriptor left for it.
  Status watch(ProcessId process, std::function<void()> on_end);

 private:
  struct Watched {
    UniqueFd fd;
    std::function<void()> on_end;
  };
  void run();

  std::function<void()> every_second_;
  std::mutex mutex_;
  std::map<int, Watched> watched_;  ///< by descriptor
  UniqueFd epoll_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace virga::host
