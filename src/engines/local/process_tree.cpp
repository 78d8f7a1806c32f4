// Reading the tree of processes from /proc/<pid>/stat.
#include "engines/local/process_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace virga {
namespace {

constexpr int k_stop_rounds_max = 50;

/// The parent of `pid`; 0 if it is gone or a zombie. Zombies have no children, and need no signal.
pid_t parent_of(const char* pid) {
  char path[288];  // /proc's names are short, but the compiler only knows the limit of any name: 255
  std::snprintf(path, sizeof(path), "/proc/%s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  // The name stands in parentheses and may hold anything, so the last ')' ends it.
  const char* end = std::strrchr(text, ')');
  char state = 0;
  int parent = 0;
  if (end == nullptr || std::sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z' || state == 'X') return 0;
  return parent;
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root, const std::set<pid_t>& spared) {
  std::multimap<pid_t, pid_t> children;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return {};
  while (const dirent* entry = readdir(proc)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (pid_t parent = parent_of(entry->d_name); parent != 0) children.emplace(parent, std::atoi(entry->d_name));
  }
  closedir(proc);
  std::vector<pid_t> found;
  auto add_children = [&](pid_t parent) {
    auto [first, last] = children.equal_range(parent);
    for (auto it = first; it != last; ++it) {
      if (!spared.contains(it->second)) found.push_back(it->second);
    }
  };
  add_children(root);
  for (std::size_t i = 0; i < found.size(); ++i) add_children(found[i]);
  return found;
}

SignalCount signal_descendants(pid_t root, int signal) {
  SignalCount count;
  for (pid_t pid : descendants_of(root)) {
    if (kill(pid, signal) == 0) {
      ++count.sent;
    } else if (errno == EPERM) {
      ++count.refused;
    }
  }
  return count;
}

SignalCount kill_descendants(pid_t root, const std::set<pid_t>& spared) {
  std::set<pid_t> stopped;
  for (int round = 0; round < k_stop_rounds_max; ++round) {
    bool new_ones = false;
    for (pid_t pid : descendants_of(root, spared)) {
      if (!stopped.insert(pid).second) continue;
      kill(pid, SIGSTOP);
      new_ones = true;
    }
    if (!new_ones) break;
  }
  SignalCount count;
  for (pid_t pid : stopped) {
    if (kill(pid, SIGKILL) == 0) {
      ++count.sent;
    } else if (errno == EPERM) {
      ++count.refused;
    }
  }
  return count;
}

}  // namespace virga
