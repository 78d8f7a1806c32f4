// vfork() and execve() with the identity of the job's user.
#include "wire/program.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string_view>

#include "wire/process_limits.hpp"

namespace virga {
namespace {

constexpr int k_pid_digits = 10;

/// Written by the child in the parent's memory, which vfork() lets them share.
struct ChildReport {
  volatile int error = 0;
  volatile bool in_exec = false;
};

struct ChildArguments {
  const ProgramStart* request;
  char* const* argv;
  char* const* environment;
  std::span<const LimitWish> limits;
  const cpu_set_t* cpus;
  char* pid_text;  ///< k_pid_digits bytes and an end
};

/// Digits and an end into `text`: nothing else may be called after vfork().
void write_pid(char* text, pid_t pid) {
  char digits[k_pid_digits];
  int count = 0;
  for (; pid > 0 && count < k_pid_digits; pid /= 10) digits[count++] = static_cast<char>('0' + pid % 10);
  while (count > 0) *text++ = digits[--count];
  *text = '\0';
}

[[gnu::noinline, noreturn]] void run_child(const ChildArguments& a, ChildReport& report) {
  const ProgramStart& r = *a.request;
  if (r.own_session) {
    setsid();
  } else {
    setpgid(0, 0);
  }
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (a.cpus != nullptr) sched_setaffinity(0, sizeof(cpu_set_t), a.cpus);  // those that went meanwhile do not matter
  if (r.terminal) ioctl(r.in, TIOCSCTTY, 0);
  if (dup2(r.in, 0) < 0 || dup2(r.out, 1) < 0 || dup2(r.err, 2) < 0) {
    report.error = errno;
    _exit(127);
  }
  umask(r.umask);
  apply_limits(a.limits);
  if (int error = become(r.identity); error != 0) {
    report.error = error;
    _exit(127);
  }
  if (a.pid_text != nullptr) write_pid(a.pid_text, getpid());
  execve(r.path.c_str(), a.argv, a.environment);
  report.in_exec = true;
  report.error = errno;
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

bool is_program(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

}  // namespace

StartedProgram start_program(const ProgramStart& request) {
  std::vector<char*> argv = pointers(request.argv);
  std::vector<std::string> variables = request.environment;
  const std::vector<LimitWish> limits = take_limits(variables);
  char* pid_text = nullptr;
  if (!request.pid_variable.empty()) {
    std::string text = request.pid_variable + "=";
    std::erase_if(variables, [&](const std::string& variable) { return variable.starts_with(text); });
    variables.push_back(text + std::string(k_pid_digits, '0'));
    pid_text = variables.back().data() + text.size();
  }
  std::vector<char*> environment = pointers(variables);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const std::uint32_t cpu : request.cpus) {
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &cpus);
  }
  ChildArguments arguments{&request, argv.data(), environment.data(), limits, request.cpus.empty() ? nullptr : &cpus,
                           pid_text};
  ChildReport report;
  // Between vfork() and execve() a signal handler of ours must not run in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  pid_t pid = vfork();
  if (pid == 0) run_child(arguments, report);
  int error = pid < 0 ? errno : 0;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return {.pid = -1, .in_exec = false, .error = error};
  if (report.error == 0) return {.pid = pid, .in_exec = false, .error = 0};
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {.pid = -1, .in_exec = report.in_exec, .error = report.error};
}

std::string find_program(const std::string& command, const std::vector<std::string>& environment) {
  if (command.find('/') != std::string::npos) return command;
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : environment) {
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  }
  while (!command.empty()) {
    std::size_t colon = path.find(':');
    std::string folder(path.substr(0, colon));
    std::string candidate = (folder.empty() ? "." : folder) + "/" + command;
    if (is_program(candidate)) return candidate;
    if (colon == std::string_view::npos) break;
    path.remove_prefix(colon + 1);
  }
  return "";
}

}  // namespace virga
