#include "engines/local/storage_mounts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engines/local/blob_cache.hpp"
#include "engines/local/supervisor.hpp"
#include "wire/blob_url.hpp"
#include "wire/command.hpp"

namespace virga {
namespace {

namespace files = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds k_mount_limit{45};
constexpr milliseconds k_look_again{20};
constexpr const char* k_cache_folder = "/var/cache/virga-storage";

tl::unexpected<Error> in(const Storage& storage, const std::string& what) {
  return fail(Code::unavailable, fmt::format("storage.{} ({}): {}", storage.name, storage.source, what));
}

/// To where the storage can be reached. Only a process without threads can go there.
Status enter_uplink() {
  const char* path = std::getenv("VIRGA_UPLINK");
  if (path == nullptr) return {};
  const int network = open(path, O_RDONLY | O_CLOEXEC);
  const bool entered = network >= 0 && setns(network, CLONE_NEWNET) == 0;
  const int error = errno;
  if (network >= 0) close(network);
  if (entered) return {};
  return fail(Code::unavailable, fmt::format("cannot enter the machine's network: {}", std::strerror(error)));
}

bool is_mounted(const std::string& path) {
  std::ifstream mounts("/proc/self/mounts");
  std::string source, target, rest;
  while (mounts >> source >> target && std::getline(mounts, rest)) {
    if (target == path) return true;
  }
  return false;
}

Status mount_export(const Storage& storage) {
  std::vector<std::string> argv = {"mount", "-t", "nfs"};
  if (!storage.options.empty()) argv.insert(argv.end(), {"-o", storage.options});
  argv.insert(argv.end(), {storage.source, storage.mount});
  const CommandEnd end = run_command(argv, own_environment_with({}), k_mount_limit);
  if (!end.ok()) return in(storage, end.why());
  return {};
}

/// Rclone learns all from its environment, which nobody but the administrator can read.
std::vector<std::string> rclone_environment(const StorageMount& wanted, const BlobUrl& container) {
  std::vector<std::string> variables = {"RCLONE_CONFIG=/dev/null", "HOME=/root", "RCLONE_CONFIG_VIRGA_TYPE=azureblob"};
  if (wanted.access.empty()) {
    variables.push_back("RCLONE_CONFIG_VIRGA_USE_MSI=true");
    variables.push_back("RCLONE_CONFIG_VIRGA_ACCOUNT=" + container.account);
    variables.push_back("RCLONE_CONFIG_VIRGA_ENDPOINT=" + container.endpoint);
  } else {
    variables.push_back("RCLONE_CONFIG_VIRGA_SAS_URL=" + container.url + "?" + wanted.access);
  }
  return variables;
}

/// `rclone mount` would mount a container that is not there, too: it is asked before.
Status check_container(const Storage& storage, const std::string& remote, const std::vector<std::string>& variables) {
  const CommandEnd end = run_command({"rclone", "lsf", remote + "/.virga", "--retries", "1", "--low-level-retries", "2",
                                      "--contimeout", "10s", "--timeout", "20s"},
                                     own_environment_with(variables), k_mount_limit);
  if (end.ok()) return {};
  return in(storage, end.how == CommandEnd::How::not_started ? end.why() : rclone_trouble(end.err));
}

std::vector<std::string> rclone_mount_command(const Storage& storage, const std::string& remote) {
  // Containers know no owners: all users of the nodes may use all of it, programs included.
  std::vector<std::string> argv = {"rclone",
                                   "mount",
                                   remote,
                                   storage.mount,
                                   "--allow-other",
                                   "--umask",
                                   "0",
                                   "--dir-perms",
                                   "0777",
                                   "--file-perms",
                                   "0777",
                                   "--vfs-cache-mode",
                                   "writes",
                                   "--vfs-write-back",
                                   "500ms",
                                   "--dir-cache-time",
                                   "1s",
                                   "--cache-dir",
                                   k_cache_folder + ("/" + storage.name),
                                   "--rc",
                                   "--rc-addr",
                                   "127.0.0.1:0"};
  std::istringstream words(storage.options);
  for (std::string word; words >> word;) argv.push_back(word);
  return argv;
}

/// Its process, once the mount is there.
Result<std::uint32_t> mount_container(const StorageMount& wanted) {
  const Storage& storage = wanted.storage;
  const auto container = parse_blob_url(storage.source);
  if (!container) return in(storage, container.error().message);
  const std::string remote = "virga:" + container->container;
  std::vector<std::string> variables = rclone_environment(wanted, *container);
  if (auto there = check_container(storage, remote, variables); !there) return unexpected(there.error());
  BlobCache cache(storage.name);
  if (auto made = cache.prepare(); !made) return in(storage, made.error().message);
  variables.push_back("RCLONE_RC_USER=virga");
  variables.push_back("RCLONE_RC_PASS=" + cache.password());
  const int log = open(cache.log_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return in(storage, "cannot write " + cache.log_file() + ": " + std::strerror(errno));
  const auto rclone = start_command(rclone_mount_command(storage, remote), own_environment_with(variables), log);
  close(log);
  if (!rclone) return in(storage, rclone.error().message);
  for (const auto limit = Clock::now() + k_mount_limit; Clock::now() < limit; poll(nullptr, 0, k_look_again.count())) {
    if (waitpid(*rclone, nullptr, WNOHANG) == *rclone) return in(storage, rclone_trouble(cache.log()));
    if (is_mounted(storage.mount) && cache.find_port()) return static_cast<std::uint32_t>(*rclone);
  }
  kill(*rclone, SIGKILL);
  return in(storage, "no mount after " + std::to_string(k_mount_limit.count()) + " s: " + rclone_trouble(cache.log()));
}

/// Adds the process that serves it, where one does.
Status mount_one(const StorageMount& wanted, std::vector<std::uint32_t>& helpers) {
  const Storage& storage = wanted.storage;
  if (is_mounted(storage.mount)) umount2(storage.mount.c_str(), MNT_DETACH);  // of an agent before this one
  std::error_code error;
  files::create_directories(storage.mount, error);
  if (error) return in(storage, "cannot make " + storage.mount + ": " + error.message());
  if (storage.kind == StorageKind::nfs) return mount_export(storage);
  const auto helper = mount_container(wanted);
  if (!helper) return unexpected(helper.error());
  helpers.push_back(*helper);
  return {};
}

StorageMounted mount_all(const MountStorage& wanted) {
  if (Status entered = enter_uplink(); !entered) return {false, entered.error().message, {}};
  StorageMounted done{true, "", {}};
  for (const StorageMount& one : wanted.mounts) {
    if (Status mounted = mount_one(one, done.helpers); !mounted) return {false, mounted.error().message, {}};
  }
  return done;
}

/// "" once nothing is left to save.
std::string save_one(const Storage& storage, Clock::time_point limit) {
  if (storage.kind == StorageKind::blob) return BlobCache(storage.name).wait_until_uploaded(limit);
  const int root = open(storage.mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool saved = root >= 0 && syncfs(root) == 0;
  const int error = errno;
  if (root >= 0) close(root);
  return saved ? "" : std::strerror(error);
}

std::string save_all(const SaveRequest& request) {
  if (Status entered = enter_uplink(); !entered) return entered.error().message;
  const auto until = Clock::now() + request.limit;
  std::string trouble;
  for (const Storage& storage : request.mounted) {
    const std::string one =
        save_one(storage, std::min(until, Clock::now() + milliseconds(storage.save_time.ns / 1'000'000)));
    if (!one.empty()) trouble += (trouble.empty() ? "" : "; ") + fmt::format("{}: {}", storage.mount, one);
  }
  // Last, and only where the storage answers: this may hang, and cannot be killed then.
  if (trouble.empty() && !request.empty_folder.empty()) rmdir(request.empty_folder.c_str());
  return trouble;
}

/// The query of a container's address opens the container: whoever has it needs no key.
std::string without_queries(std::string text) {
  for (std::size_t at = text.find('?'); at != std::string::npos; at = text.find('?', at)) {
    text.erase(at, std::min(text.find_first_of(" \t\r\"'<>)", at), text.size()) - at);
  }
  return text;
}

[[noreturn]] void answer_and_end(FrameChannel& agent, const AgentMessage& answer) {
  agent.send(answer);
  while (agent.unsent() > 0 && !agent.broken()) {
    pollfd fd{agent.fd(), POLLOUT, 0};
    if (poll(&fd, 1, 1000) <= 0) break;
    agent.flush();
  }
  _exit(0);
}

void begin_helper(const FrameChannel& agent, const char* name) {
  close_descriptors_except({agent.fd()});
  prctl(PR_SET_NAME, name, 0, 0, 0);
}

}  // namespace

void run_storage_mounter(FrameChannel agent, const MountStorage& wanted) {
  begin_helper(agent, "virga-mount");
  answer_and_end(agent, mount_all(wanted));
}

void run_storage_saver(FrameChannel agent, const SaveRequest& request) {
  begin_helper(agent, "virga-save");
  answer_and_end(agent, StorageSaved{save_all(request)});
}

void unmount_storage(const std::vector<Storage>& mounted) {
  for (const Storage& storage : mounted) umount2(storage.mount.c_str(), MNT_DETACH);
}

std::string lost_mount(const Storage& storage) {
  const std::string said = rclone_trouble(BlobCache(storage.name).log());
  return in(storage, "rclone, which serves it, has ended; last in its log: " + said).value().message;
}

std::string rclone_trouble(const std::string& output) {
  const std::size_t code = output.find("ServiceCode=");
  if (code != std::string::npos) {
    const std::size_t begin = code + std::strlen("ServiceCode=");
    return "Azure answers " + output.substr(begin, output.find_first_of(") \n", begin) - begin);
  }
  if (output.find("directory not found") != std::string::npos) return "there is no such container";
  std::string last;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t") != std::string::npos) last = line;
  }
  return last.empty() ? "rclone ended without a word" : without_queries(last);
}

}  // namespace virga
