#include "engines/local/step_task.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace virga {
namespace {

constexpr char k_end_of_input = 4;  // ^D
constexpr mode_t k_terminal_mode = 0620;

winsize winsize_of(WindowSize size) { return {size.rows, size.columns, 0, 0}; }

void give(Task& task, int in, int out, int err) {
  task.given[0] = in;
  task.given[1] = out;
  task.given[2] = err;
}

int copy_of(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

}  // namespace

void close_fd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

bool make_pipe(Pipe& made) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return false;
  made = {fds[0], fds[1]};
  return true;
}

void make_non_blocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void close_given(Task& task) {
  for (int& fd : task.given) close_fd(fd);
}

bool open_pipes(Task& task, bool input) {
  Pipe in;
  Pipe out;
  Pipe err;
  bool piped = make_pipe(out) && make_pipe(err);
  if (input) {
    piped = piped && make_pipe(in);
  } else {
    in.read = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  const int error = errno;
  give(task, in.read, out.write, err.write);
  task.in = in.write;
  task.out[0] = out.read;
  task.out[1] = err.read;
  for (int fd : {task.in, task.out[0], task.out[1]}) {
    if (fd >= 0) make_non_blocking(fd);
  }
  errno = error;
  return piped && in.read >= 0;
}

bool open_nothing(Task& task) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  give(task, null, copy_of(null), copy_of(null));
  return true;
}

bool open_terminal(Task& task, WindowSize size, const JobIdentity& identity) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return false;
  char name[64];
  int slave = -1;
  if (grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof(name)) == 0) {
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (slave < 0) {
    const int error = errno;
    close_fd(master);
    errno = error;
    return false;
  }
  struct stat info {};
  if (fstat(slave, &info) == 0 && info.st_uid != identity.uid) {
    // Where we may not give it away it stays ours: the descriptors work for the task all the same.
    if (fchown(slave, identity.uid, info.st_gid) == 0) fchmod(slave, k_terminal_mode);
  }
  const winsize window = winsize_of(size);
  if (size.rows != 0 && size.columns != 0) ioctl(slave, TIOCSWINSZ, &window);
  give(task, slave, copy_of(slave), copy_of(slave));
  task.terminal = true;
  task.out[0] = master;
  task.in = copy_of(master);
  make_non_blocking(master);  // both are one open file
  return true;
}

void resize_terminal(const Task& task, WindowSize size) {
  const winsize window = winsize_of(size);
  const int fd = task.out[0] >= 0 ? task.out[0] : task.in;
  if (fd >= 0) ioctl(fd, TIOCSWINSZ, &window);
}

void end_input(Task& task) {
  if (task.terminal && task.in >= 0) (void)!write(task.in, &k_end_of_input, 1);
  close_fd(task.in);
}

}  // namespace virga
