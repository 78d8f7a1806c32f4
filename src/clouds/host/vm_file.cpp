#include "clouds/host/vm_file.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/digest.hpp"

namespace virga::host {

namespace {

constexpr int k_remove_tries_max = 100;

std::uint64_t number(const std::map<std::string, std::string>& values, const char* key) {
  auto found = values.find(key);
  std::uint64_t n = 0;
  if (found != values.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), n);
  }
  return n;
}

template <class E>
E enum_value(const std::map<std::string, std::string>& values, const char* key, E otherwise) {
  auto found = values.find(key);
  return found == values.end() ? otherwise : enum_from_name<E>(found->second).value_or(otherwise);
}

}  // namespace

ProcessId VmFile::living_init() const {
  if (phase != VmPhase::up || boot != boot_id() || !is_alive(init)) return {};
  return init;
}

Status save_vm_file(const Home& home, const VmFile& f) {
  std::string text = fmt::format(
      "vm={}\ngang={}\npool={}\nname={}\naddress={}\nindex={}\nbridge={}\ntier={}\nnetwork={}\nmetadata={:d}\nshared_"
      "files={:d}\n"
      "limit_cpus={}\nlimit_memory_bytes={}\nattempt={}\nphase={}\ninit_pid={}\ninit_start={}\nboot={}\n",
      f.vm.value, f.gang.value, f.pool, f.name, f.address, f.index, f.bridge, name_of(f.tier), name_of(f.network),
      f.metadata, f.shared_files, f.limit_cpus, f.limit_memory_bytes, f.attempt, name_of(f.phase), f.init.pid,
      f.init.start, f.boot);
  for (const std::string& folder : f.cgroups) text += fmt::format("cgroup={}\n", folder);
  return replace_file(vm_state_path(home, f.vm), text, 0600);
}

VmFile load_vm_file(const Home& home, VmId vm) {
  VmFile f;
  f.vm = vm;
  auto text = read_file(vm_state_path(home, vm));
  if (!text) return f;
  std::map<std::string, std::string> values;
  std::istringstream in(*text);
  for (std::string line; std::getline(in, line);) {
    std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string key = line.substr(0, equals);
    if (key == "cgroup") f.cgroups.push_back(line.substr(equals + 1));
    values[key] = line.substr(equals + 1);
  }
  f.gang.value = number(values, "gang");
  f.pool = values["pool"];
  f.name = values["name"];
  f.address = values["address"];
  f.index = static_cast<std::uint32_t>(number(values, "index"));
  f.bridge = static_cast<std::uint32_t>(number(values, "bridge"));
  f.tier = enum_value(values, "tier", Tier::plain);
  f.network = enum_value(values, "network", HostNetwork::fabric);
  f.metadata = number(values, "metadata") != 0;
  f.shared_files = number(values, "shared_files") != 0;
  f.limit_cpus = static_cast<std::uint32_t>(number(values, "limit_cpus"));
  f.limit_memory_bytes = number(values, "limit_memory_bytes");
  f.attempt = number(values, "attempt");
  f.phase = enum_value(values, "phase", VmPhase::intent);
  f.init = {static_cast<pid_t>(number(values, "init_pid")), number(values, "init_start")};
  f.boot = values["boot"];
  return f;
}

Result<std::vector<VmFile>> load_vm_files(const Home& home) {
  std::vector<VmFile> files;
  DIR* folder = opendir(home.vms().c_str());
  if (!folder) {
    if (errno == ENOENT) return files;
    return fail_errno("open " + home.vms());
  }
  while (dirent* entry = readdir(folder)) {
    std::string_view name(entry->d_name);
    VmId vm;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), vm.value);
    if (error == std::errc{} && end == name.data() + name.size()) files.push_back(load_vm_file(home, vm));
  }
  closedir(folder);
  std::sort(files.begin(), files.end(), [](const VmFile& a, const VmFile& b) { return a.vm < b.vm; });
  return files;
}

Status remove_vm_folder(const Home& home, VmId vm) {
  // A process that was killed in the middle of a boot may still end the system call that it was in.
  for (int tries = 0; tries < k_remove_tries_max; ++tries) {
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator(home.vm(vm), gone)) {
      if (!entry.is_directory(gone)) unlink(entry.path().c_str());
    }
    rmdir(vm_host_tmp_path(home, vm).c_str());
    if (rmdir(home.vm(vm).c_str()) == 0 || errno == ENOENT) return {};
    if (errno != ENOTEMPTY && errno != EEXIST) break;
    poll(nullptr, 0, 1);
  }
  return fail_errno("rmdir " + home.vm(vm));
}

std::string end_of(const Home& home, const VmFile& file) {
  auto words = read_file(vm_ending_path(home, file.vm));
  if (words) return fmt::format("node {}: {}; see {}", file.name, *words, vm_console_path(home, file.vm));
  if (file.phase != VmPhase::up) return fmt::format("node {}: its boot was never finished", file.name);
  return fmt::format("node {}: its init (process {}) was killed", file.name, file.init.pid);
}

std::string vm_marker(const Home& home, VmId vm) {
  return fmt::format("VIRGA_VM={}:{}", hex_of(digest_of(home.path)), vm.value);
}

std::string instance_name(const Home& home) { return "virga-" + hex_of(digest_of(home.path)); }

namespace {

bool try_lock(const UniqueFd& fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  return fcntl(fd.get(), F_SETLK, &whole) == 0;
}

/// Whoever removes a locked file holds its lock; so a lock on what the path no longer names is worth nothing.
bool is_still(const UniqueFd& fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return fstat(fd.get(), &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

Result<UniqueFd> take_lock(const std::string& path, int patience_ms) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("open " + path);
  for (int waited_ms = 0; !try_lock(fd); ++waited_ms) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno("lock " + path);
    if (waited_ms >= patience_ms) return fail(Code::conflict, path + " is locked by another process");
    poll(nullptr, 0, 1);
  }
  if (!is_still(fd, path)) return fail(Code::conflict, path + " was removed");
  return fd;
}

pid_t lock_holder(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return 0;
  struct flock whole {};
  whole.l_type = F_WRLCK;
  if (fcntl(fd.get(), F_GETLK, &whole) != 0 || whole.l_type == F_UNLCK) return 0;
  return whole.l_pid;
}

UniqueFd seize_lock(const std::string& path) {
  // Made if it is missing: one who is about to take it must find it taken.
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  while (fd && !try_lock(fd)) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    if (fcntl(fd.get(), F_GETLK, &whole) != 0) break;
    ProcessId holder = identify(whole.l_type == F_UNLCK ? 0 : whole.l_pid);
    // It held the lock before it was identified; if it does so afterwards, too, it is the one that was identified.
    if (fcntl(fd.get(), F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK && whole.l_pid == holder.pid) {
      kill_and_wait(holder);
    }
  }
  return fd;
}

}  // namespace virga::host
