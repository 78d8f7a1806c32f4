#include "programs/mail_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "wire/slurm_mail.hpp"

namespace virga {
namespace {

constexpr std::size_t k_waiting_max = 10'000;
constexpr auto k_look = std::chrono::milliseconds(20);
constexpr int k_looks_most = 3'000;

void tell(const std::string& subject, const std::string& why) {
  std::fprintf(stderr, "virgad: mail \"%s\": %s\n", subject.c_str(), why.c_str());
}

}  // namespace

MailProgram::MailProgram(std::string program, Clock& clock) : program_(std::move(program)), clock_(clock) {
  thread_ = std::thread([this] { run(); });
}

MailProgram::~MailProgram() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MailProgram::send(const SendMail& mail) {
  Mail ready{mail_subject(mail.job, mail.what, clock_.now()), mail_receiver(mail.job)};
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < k_waiting_max) {
      waiting_.push_back(std::move(ready));
      ready.subject.clear();
    }
  }
  if (!ready.subject.empty()) tell(ready.subject, "not sent, too many others wait");
  changed_.notify_all();
}

bool MailProgram::is_stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void MailProgram::run() {
  while (true) {
    Mail mail;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      mail = std::move(waiting_.front());
      waiting_.pop_front();
    }
    deliver(mail);
  }
}

void MailProgram::deliver(const Mail& mail) {
  if (!is_mail_receiver(mail.to)) return tell(mail.subject, "not sent: \"" + mail.to + "\" is no address");
  std::string option = "-s";
  std::string subject = mail.subject;
  std::string to = mail.to;
  char* const argv[] = {program_.data(), option.data(), subject.data(), to.data(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program_.c_str(), &files, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return tell(mail.subject, "cannot start " + program_ + ": " + std::strerror(error));
  int status = 0;
  for (int look = 0;; ++look) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) break;
    if (ended < 0 && errno != EINTR) return;  // somebody else has waited for it
    if (look >= k_looks_most || is_stopping()) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      return tell(mail.subject, program_ + " did not end in time");
    }
    std::this_thread::sleep_for(k_look);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  tell(mail.subject, program_ + (WIFEXITED(status) ? " exited with " + std::to_string(WEXITSTATUS(status))
                                                   : " was killed by signal " + std::to_string(WTERMSIG(status))));
}

}  // namespace virga
