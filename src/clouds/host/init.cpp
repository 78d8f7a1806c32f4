#include "clouds/host/init.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "clouds/host/namespaces.hpp"
#include "clouds/host/private_files.hpp"
#include "clouds/host/process.hpp"
#include "wire/machine_paths.hpp"

namespace virga::host {

namespace {

constexpr time_t k_record_check_s = 2;

std::string own_program() {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

unsigned long long machine_memory_bytes() {
  return static_cast<unsigned long long>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<unsigned long long>(sysconf(_SC_PAGESIZE));
}

/// Its programs, its record and its bootstrap, and what that names.
Status make_files_of_its_own(const InitPlan& plan, const std::string& staging, unsigned long long bytes_max) {
  auto script = read_file(vm_user_data_path(plan.home, plan.file.vm));
  if (!script) return unexpected(script.error());
  const std::string program = own_program();
  PrivateFiles files;
  files.staging = staging;
  files.programs = program.substr(0, program.rfind('/'));
  files.kept = machine_paths(*script);
  files.kept.push_back(plan.home.vm(plan.file.vm));
  std::erase(files.kept, files.programs);
  files.hosts = hosts_path(plan.home);
  files.bytes_max = bytes_max;
  files.uplink = plan.uplink.get();
  return make_private_files(files);
}

Status make_node(const InitPlan& plan) {
  const VmFile& file = plan.file;
  BootReporter& report = *plan.report;
  if (file.tier != Tier::plain) {
    if (auto ok = report.step("namespaces"); !ok) return ok;
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0) return fail_errno("new namespaces");

    if (auto ok = report.step("hostname"); !ok) return ok;
    if (sethostname(file.name.data(), file.name.size()) != 0) return fail_errno("set the hostname");

    if (auto ok = report.step("mounts"); !ok) return ok;
    std::string host_tmp = vm_host_tmp_path(plan.home, file.vm);
    std::string program = own_program();
    if (mkdir(host_tmp.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir " + host_tmp);
    auto memory = file.limit_memory_bytes > 0 ? file.limit_memory_bytes : machine_memory_bytes();
    if (file.shared_files) {
      PrivateMounts mounts{host_tmp.c_str(), {plan.home.path.c_str(), program.c_str()}, memory / 2};
      if (auto ok = make_private_mounts(mounts); !ok) return ok;

      if (auto ok = report.step("hosts"); !ok) return ok;
      if (mount(hosts_path(plan.home).c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) {
        if (errno == ENOENT) return fail(Code::internal, "this machine has no file /etc/hosts: make an empty one");
        return fail_errno("bind /etc/hosts");
      }
    } else if (auto ok = make_files_of_its_own(plan, host_tmp, memory / 2); !ok) {
      return ok;
    }
  } else if (!file.shared_files) {
    return fail(Code::unavailable, "a node that is a plain process cannot have files of its own");
  }

  if (auto ok = report.step("user_data"); !ok) return ok;
  std::string script = vm_user_data_path(plan.home, file.vm);
  if (access(script.c_str(), X_OK) != 0) return fail_errno("execute " + script);
  UniqueFd console(open(vm_console_path(plan.home, file.vm).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!console || !null) return fail_errno("open the console");
  if (chdir("/") != 0) return fail_errno("chdir /");
  dup2(null.get(), 0);
  dup2(console.get(), 1);
  dup2(console.get(), 2);
  return {};
}

/// A clean environment: nothing of the shell that started virgad, but Virga's own switches and the sanitizers'.
std::vector<std::string> node_environment(const InitPlan& plan) {
  const VmFile& file = plan.file;
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "VIRGA_HOME=" + plan.home.path,
      vm_marker(plan.home, file.vm),
      "VIRGA_NODE_NAME=" + file.name,
      "VIRGA_NODE_ADDRESS=" + file.address,
  };
  if (file.has_uplink()) environment.push_back(std::string("VIRGA_UPLINK=") + k_uplink_path);
  if (file.tier != Tier::plain && file.shared_files)
    environment.push_back("VIRGA_HOST_TMP=" + vm_host_tmp_path(plan.home, file.vm));
  for (const char* name : {"HOME", "LANG", "TZ", "VIRGA_TIER", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  }
  for (char** entry = environ; *entry; ++entry) {
    if (std::strncmp(*entry, "VIRGA_FAULT_", 12) == 0) environment.emplace_back(*entry);
  }
  return environment;
}

[[noreturn]] void exec_user_data(const InitPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  std::string script = vm_user_data_path(plan.home, plan.file.vm);
  auto environment = node_environment(plan);
  std::vector<char*> envp;
  for (std::string& entry : environment) envp.push_back(entry.data());
  envp.push_back(nullptr);
  char* argv[] = {script.data(), nullptr};
  execve(script.c_str(), argv, envp.data());
  fmt::print(stderr, "virga-node: cannot execute {}: {}\n", script, std::strerror(errno));
  _exit(127);
}

/// Until the user data ends or SIGTERM comes; the words say which. A node whose record somebody has removed, with the
/// whole home perhaps, would run for ever and belong to nobody: it ends, too.
std::string hold_node(const InitPlan& plan, pid_t user_data, const sigset_t& signals) {
  std::string record = vm_state_path(plan.home, plan.file.vm);
  for (;;) {
    siginfo_t info{};
    timespec patience{k_record_check_s, 0};
    if (sigtimedwait(&signals, &info, &patience) < 0) {
      if (access(record.c_str(), F_OK) != 0 && errno == ENOENT) return "its record was removed";
      continue;
    }
    if (info.si_signo == SIGTERM) return "its init got SIGTERM";
    int status = 0;
    for (pid_t child; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != user_data) continue;
      return WIFSIGNALED(status) ? fmt::format("its user data was killed by signal {}", WTERMSIG(status))
                                 : fmt::format("its user data ended with exit code {}", WEXITSTATUS(status));
    }
  }
}

}  // namespace

void run_init(InitPlan plan) {
  // Until the launcher has written us down we must not outlive it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  if (auto made = make_node(plan); !made) {
    plan.report->failed(made.error());
    _exit(1);
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  plan.report->close();
  char byte = 0;
  if (write(plan.ready.get(), "r", 1) != 1) _exit(1);
  if (read(plan.go.get(), &byte, 1) != 1) _exit(1);
  prctl(PR_SET_PDEATHSIG, 0);
  close_range(3, ~0U, 0);  // among them plan.ready: its end tells the launcher that it may die now
  (void)plan.ready.release();
  (void)plan.go.release();

  if (plan.file.tier == Tier::plain) prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t user_data = fork();
  if (user_data == 0) exec_user_data(plan);
  std::string words = user_data > 0 ? hold_node(plan, user_data, signals) : "its init could not fork";
  (void)replace_file(vm_ending_path(plan.home, plan.file.vm), words, 0600);
  if (plan.file.tier == Tier::plain) end_marked(vm_marker(plan.home, plan.file.vm), getpid());
  _exit(0);
}

}  // namespace virga::host
