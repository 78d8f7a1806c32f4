#include "clouds/azure/join_main.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "wire/metadata_client.hpp"
#include "wire/node_board.hpp"

namespace virga {
namespace {

constexpr int k_first_pause_ms = 10;
constexpr int k_longest_pause_ms = 2000;
/// Between two looks at the board: while it waits to become a node, and afterwards.
constexpr int k_entry_pause_ms = 20;
constexpr int k_change_pause_ms = 1000;
constexpr std::chrono::milliseconds k_answer_patience{5000};
constexpr const char* k_id_target = "/metadata/instance/compute/vmId?api-version=2021-02-01&format=text";

struct Settings {
  std::string board;
  std::string imds = "http://169.254.169.254";
};

int usage_error(const std::string& what) {
  fmt::print(stderr, "virga-node join: {}\nusage: virga-node join --board DIR [--imds URL]\n", what);
  return 2;
}

void say(const std::string& line) { fmt::print(stderr, "virga-node join: {}\n", line); }

/// The service may need some time after the boot, and its first answer up to minutes: a machine that does not know who
/// it is has nothing else to do.
std::string learn_machine(const MetadataClient& service) {
  std::string trouble;
  for (int pause = k_first_pause_ms;; pause = std::min(pause * 2, k_longest_pause_ms)) {
    const auto answer = service.get(k_id_target, k_answer_patience);
    if (answer && answer->status == 200 && !answer->body.empty()) return answer->body;
    const std::string now =
        answer ? fmt::format("the metadata service answered {}", answer->status) : answer.error().message;
    if (now != trouble) say(now);  // once, not every two seconds
    trouble = now;
    poll(nullptr, 0, pause);
  }
}

class Node {
 public:
  Node(Settings settings, std::string machine)
      : settings_(std::move(settings)), board_(settings_.board), machine_(std::move(machine)) {}

  /// Until the bootstrap ends; its exit code.
  int run() {
    for (;;) {
      look_at_board();
      int status = 0;
      if (child_ > 0 && waitpid(child_, &status, WNOHANG) == child_) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      wait(child_ > 0 ? k_change_pause_ms : k_entry_pause_ms);
    }
  }

 private:
  /// SIGCHLD is blocked, so that it can be waited for.
  static void wait(int ms) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const timespec patience{ms / 1000, (ms % 1000) * 1'000'000L};
    sigtimedwait(&child, nullptr, &patience);
  }

  void look_at_board() {
    auto entry = board_.read(machine_);
    if (!entry) return complain(entry.error().message);
    // No entry any more: the machine will go, and what runs here goes with it.
    if (!*entry || **entry == entry_) return;
    if (child_ > 0) {
      say(fmt::format("node {} is now {} (VM {})", entry_.name, (*entry)->name, (*entry)->vm.value));
      kill(-child_, SIGTERM);
      poll(nullptr, 0, k_change_pause_ms);
      kill(-child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    entry_ = **std::move(entry);
    become_node();
  }

  void complain(const std::string& trouble) {
    if (trouble != trouble_) say(trouble);
    trouble_ = trouble;
  }

  void become_node() {
    const std::string& name = entry_.name;
    if (sethostname(name.data(), name.size()) != 0) complain("cannot take the name " + name);
    if (!mounted_hosts_ && mount(board_.hosts_file().c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) {
      complain(fmt::format("cannot mount {} over /etc/hosts: {}", board_.hosts_file(), std::strerror(errno)));
    }
    mounted_hosts_ = true;
    setenv("VIRGA_NODE_NAME", name.c_str(), 1);
    setenv("VIRGA_NODE_ADDRESS", entry_.address.c_str(), 1);
    setenv("VIRGA_IMDS", settings_.imds.c_str(), 1);
    start_bootstrap();
  }

  /// From memory: nothing of it lies about on the node.
  void start_bootstrap() {
    // Not close-on-exec: an interpreter opens the script by this descriptor.
    const int script = memfd_create("bootstrap", 0);
    const std::string& text = entry_.bootstrap;
    const bool written = script >= 0 && write(script, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const std::string path = fmt::format("/proc/self/fd/{}", script);
    // A descriptor that is open for writing cannot be executed.
    const int executable = written ? open(path.c_str(), O_RDONLY) : -1;
    if (script >= 0) close(script);
    if (executable < 0) return complain(fmt::format("cannot keep the bootstrap: {}", std::strerror(errno)));
    child_ = fork();
    if (child_ == 0) execute(executable);
    if (child_ < 0) complain(fmt::format("cannot start the bootstrap: {}", std::strerror(errno)));
    close(executable);
  }

  [[noreturn]] static void execute(int script) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    std::string name = "bootstrap";
    char* argv[] = {name.data(), nullptr};
    fexecve(script, argv, environ);
    say(fmt::format("cannot execute the bootstrap: {}", std::strerror(errno)));
    _exit(127);
  }

  const Settings settings_;
  NodeBoard board_;
  const std::string machine_;
  NodeEntry entry_;  ///< as the board had it last; without a name until it has one
  pid_t child_ = 0;
  bool mounted_hosts_ = false;
  std::string trouble_;
};

}  // namespace

int virga_node_join_main(int argc, char** argv) {
  static const option k_options[] = {
      {"board", required_argument, nullptr, 'b'}, {"imds", required_argument, nullptr, 'i'}, {nullptr, 0, nullptr, 0}};
  Settings settings;
  optind = 1;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", k_options, nullptr)) != -1;) {
    if (option == 'b') {
      settings.board = optarg;
    } else if (option == 'i') {
      settings.imds = optarg;
    } else {
      return usage_error(fmt::format("unknown or incomplete option '{}'", argv[optind - 1]));
    }
  }
  if (optind < argc) return usage_error(fmt::format("unexpected word '{}'", argv[optind]));
  if (!settings.board.starts_with("/")) return usage_error("--board wants an absolute path");
  const auto service = MetadataClient::at(settings.imds);
  if (!service) return usage_error(service.error().message);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  return Node(settings, learn_machine(*service)).run();
}

}  // namespace virga
