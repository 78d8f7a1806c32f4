#include "clouds/host/host_cloud.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "clouds/host/addresses.hpp"
#include "clouds/host/cgroup.hpp"
#include "clouds/host/fabric.hpp"
#include "clouds/host/metadata.hpp"
#include "clouds/host/spawn.hpp"
#include "clouds/host/vm_file.hpp"
#include "clouds/host/vm_plan.hpp"
#include "clouds/host/watcher.hpp"
#include "clouds/host/worker_pool.hpp"
#include "wire/term_file.hpp"

namespace virga::host {

namespace {

constexpr std::size_t k_workers_max = 32;
constexpr std::uint32_t k_vms_max = 4096;
constexpr Duration k_retry_after_capacity = Duration::seconds(10);

enum class Standing : std::uint8_t {
  booting,
  up,
  failed,  ///< died without being released; its folder is still there
  releasing,
};

/// One reservation on its way. Guarded by HostCloud::mutex_, apart from `user_data`, which does not change.
struct GangBoot {
  ReserveGang command;
  std::vector<std::string> user_data;
  std::vector<bool> to_boot;  ///< false: it is up already, from before a crash
  std::size_t left = 0;       ///< boots that have not ended
  std::optional<Error> error;
  std::vector<VmId> release_after;  ///< asked for while booting
};

struct Entry {
  VmFile file;
  Standing standing = Standing::booting;
  std::shared_ptr<GangBoot> boot;  ///< while booting
  pid_t launcher = 0;
  bool watched = false;
};

class HostCloud : public Cloud {
 public:
  HostCloud(HostCloudOptions options, EventSink& sink);
  ~HostCloud() override;

  void lead(std::uint64_t term) override;
  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override;
  void release(VmId vm) override;
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override;
  void adopt(VmId vm) override;
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools, "host"); }

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Boot = std::shared_ptr<GangBoot>;

  // On the caller's thread, under the lock.
  VmFile plan_vm(const ReserveGang& command, const WantedVm& wanted);
  void cancel(GangBoot& boot, Error why);
  // On workers.
  void begin_gang(const Boot& boot);
  void boot_vm(const Boot& boot, std::size_t at);
  Status make_vm(const Boot& boot, std::size_t at);
  Status run_launcher(const Boot& boot, VmId vm);
  void finish_gang(const Boot& boot);
  void roll_back(const Boot& boot);
  void remove_vm(VmId vm);
  void forget_vm(VmId vm);
  /// Whether another controller of this home leads by now: what is still asked of this one comes too late.
  bool is_superseded() const { return has_later_term(options_.home, term_); }
  // Deaths.
  void watch(VmId vm);
  Status watch_fabric(pid_t fabric);
  void reap_strangers();
  void on_init_end(VmId vm);
  void on_fabric_end(ProcessId fabric);

  const HostCloudOptions options_;
  EventSink& sink_;
  const TierReport report_;
  const CgroupSupport cgroups_;
  std::atomic<std::uint64_t> term_ = 0;

  std::mutex mutex_;
  std::map<VmId, Entry> vms_;
  std::map<GangId, Boot> gangs_;
  std::set<pid_t> launchers_;
  std::mutex fabric_mutex_;  ///< taken before mutex_
  std::atomic<std::uint32_t> bridges_ = 1;
  ProcessId fabric_;  ///< the one that is watched

  WorkerPool workers_{k_workers_max};
  Watcher watcher_{[this] { reap_strangers(); }};  // first to go: its calls use all of the above
};

HostCloud::HostCloud(HostCloudOptions options, EventSink& sink)
    : options_(std::move(options)), sink_(sink), report_(probe_tier()), cgroups_(probe_cgroups()) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  auto files = load_vm_files(options_.home);
  if (!files) return;  // list() will tell
  for (VmFile& file : *files) vms_[file.vm] = {file, Standing::up, nullptr, 0, false};
}

HostCloud::~HostCloud() {
  {
    Lock lock(mutex_);
    for (auto& [gang, boot] : gangs_) cancel(*boot, {Code::unavailable, "the controller ends", true});
  }
  workers_.finish();
}

VmFile HostCloud::plan_vm(const ReserveGang& command, const WantedVm& wanted) {
  std::set<std::uint32_t> taken;
  for (const auto& [vm, entry] : vms_) {
    if (vm != wanted.vm) taken.insert(entry.file.index);
  }
  VmFile file = plan_vm_file(report_.tier, command, wanted, taken);
  file.cgroups = cgroup_folders(cgroups_, instance_name(options_.home), wanted.vm);
  file.metadata = file.on_fabric() && options_.serve_metadata;
  if (file.tier == Tier::root && file.on_fabric()) file.bridge = file.index / options_.nodes_per_bridge;
  bridges_ = std::max(bridges_.load(), file.bridge + 1);
  if (options_.address_of) file.address = options_.address_of(wanted);
  if (file.address.empty()) file.address = choose_address(options_.home, file);
  return file;
}

void HostCloud::lead(std::uint64_t term) {
  term_ = term;
  note_term(options_.home, term);
}

void HostCloud::reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) {
  Lock lock(mutex_);
  if (gangs_.count(command.gang)) return;  // its answer is on the way
  auto boot = std::make_shared<GangBoot>();
  boot->command = command;
  for (const WantedVm& wanted : command.vms) {
    auto found = vms_.find(wanted.vm);
    bool is_up = found != vms_.end() && found->second.file.phase == VmPhase::up;
    boot->to_boot.push_back(!is_up);
    boot->user_data.push_back(is_up ? "" : user_data(wanted));
    if (is_up) continue;
    ++boot->left;
    vms_[wanted.vm] = {plan_vm(command, wanted), Standing::booting, boot, 0, false};
  }
  gangs_[command.gang] = boot;
  workers_.run([this, boot] { begin_gang(boot); });
}

void HostCloud::begin_gang(const Boot& boot) {
  std::size_t vms_now = 0;
  {
    std::lock_guard fabric_lock(fabric_mutex_);
    Status begun = make_folder(options_.home.vms(), 0700);
    bool any = std::find(boot->to_boot.begin(), boot->to_boot.end(), true) != boot->to_boot.end();
    bool needs_fabric =
        report_.tier == Tier::user || (report_.tier == Tier::root && boot->command.pool.network == HostNetwork::fabric);
    if (begun && needs_fabric) {
      auto fabric = any ? ensure_fabric(options_.home, options_.node_program, report_.tier)
                        : Result<pid_t>(lock_holder(fabric_lock_path(options_.home)));
      begun = fabric ? watch_fabric(*fabric) : Status(unexpected(fabric.error()));
      if (begun && any) begun = ensure_bridges(*fabric, bridges_);
      if (begun && any && options_.machine_on_fabric)
        begun = connect_machine(options_.home, *fabric, options_.machine_address);
    }
    Lock lock(mutex_);
    std::vector<VmFile> nodes;
    for (const auto& [vm, entry] : vms_) nodes.push_back(entry.file);
    vms_now = nodes.size();
    if (any && needs_fabric && report_.tier == Tier::root) make_room_for_neighbours(vms_now);
    if (begun) begun = write_hosts(options_.home, options_.cluster_name, nodes);
    if (begun && vms_now > k_vms_max) {
      begun = fail(Code::exhausted, fmt::format("the host cloud holds at most {} nodes", k_vms_max), true);
    }
    if (!begun && !boot->error) boot->error = begun.error();
    if (boot->left > 0 && !boot->error) {
      for (std::size_t at = 0; at < boot->to_boot.size(); ++at) {
        if (boot->to_boot[at]) workers_.run([this, boot, at] { boot_vm(boot, at); });
      }
      return;
    }
  }
  finish_gang(boot);
}

void HostCloud::boot_vm(const Boot& boot, std::size_t at) {
  Status made = make_vm(boot, at);
  {
    Lock lock(mutex_);
    if (!made) cancel(*boot, made.error());
    if (--boot->left > 0) return;
  }
  finish_gang(boot);
}

Status HostCloud::make_vm(const Boot& boot, std::size_t at) {
  VmId vm = boot->command.vms[at].vm;
  VmFile file;
  {
    Lock lock(mutex_);
    if (boot->error) return unexpected(*boot->error);
    file = vms_[vm].file;
  }
  const Home& home = options_.home;
  if (is_superseded()) return fail(Code::conflict, "another controller leads");
  if (access(home.vm(vm).c_str(), F_OK) == 0) {
    // From an earlier run, whose launcher may just have finished: then the node is there, and must not run twice.
    UniqueFd nobody_else = seize_lock(vm_lock_path(home, vm));
    VmFile now = load_vm_file(home, vm);
    if (now.phase == VmPhase::up) {
      Lock lock(mutex_);
      vms_[vm].file = now;
      return {};
    }
    remove_vm(vm);
  }
  if (auto ok = make_folder(home.vm(vm), 0700); !ok) return ok;
  if (auto ok = save_vm_file(home, file); !ok) return ok;
  if (auto ok = replace_file(vm_user_data_path(home, vm), boot->user_data[at], 0700); !ok) return ok;
  return run_launcher(boot, vm);
}

Status HostCloud::run_launcher(const Boot& boot, VmId vm) {
  Spawned launcher;
  std::string name;
  {
    Lock lock(mutex_);
    if (boot->error) return unexpected(*boot->error);
    auto spawned = spawn({options_.node_program, "vm", "boot", options_.home.path, std::to_string(vm.value),
                          std::to_string(vms_[vm].file.attempt)});
    if (!spawned) return unexpected(spawned.error());
    launcher = std::move(*spawned);
    launchers_.insert(launcher.pid);
    vms_[vm].launcher = launcher.pid;
    name = vms_[vm].file.name;
  }
  Duration limit = boot->command.pool.boot_timeout;
  std::int64_t limit_ms = limit.is_infinite() ? 3'600'000 : std::max<std::int64_t>(limit.ns / 1'000'000, 1);
  BootReport report = read_report(launcher.out.get(), monotonic_ms() + limit_ms);
  if (!report.ok) kill(launcher.pid, SIGKILL);
  while (waitpid(launcher.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  VmFile now = load_vm_file(options_.home, vm);
  Lock lock(mutex_);
  launchers_.erase(launcher.pid);
  vms_[vm].launcher = 0;
  if (report.ok) {
    vms_[vm].file = now;
    return {};
  }
  return fail(report.error.code, fmt::format("node {}, boot step {}: {}", name, report.step, report.error.message),
              report.error.retryable);
}

void HostCloud::cancel(GangBoot& boot, Error why) {
  if (!boot.error) boot.error = std::move(why);
  for (const WantedVm& wanted : boot.command.vms) {
    auto found = vms_.find(wanted.vm);
    if (found != vms_.end() && found->second.launcher > 0) kill(found->second.launcher, SIGKILL);
  }
}

void HostCloud::finish_gang(const Boot& boot) {
  GangGranted granted{boot->command.gang, {}, {}};
  {
    Lock lock(mutex_);
    if (!boot->error) {
      for (const WantedVm& wanted : boot->command.vms) {
        auto found = vms_.find(wanted.vm);  // one that was up before a crash may have been released meanwhile
        granted.addresses.push_back(found == vms_.end() ? "" : found->second.file.address);
        if (found == vms_.end()) continue;
        if (found->second.standing == Standing::booting) found->second.standing = Standing::up;
        found->second.boot = nullptr;
      }
      gangs_.erase(boot->command.gang);
    }
  }
  if (is_superseded()) return;  // the nodes are the other controller's, and so is the answer
  if (boot->error) return roll_back(boot);
  sink_.post(granted);
  for (const WantedVm& wanted : boot->command.vms) watch(wanted.vm);
}

void HostCloud::roll_back(const Boot& boot) {
  {
    Lock lock(mutex_);
    for (const WantedVm& wanted : boot->command.vms) vms_[wanted.vm].standing = Standing::releasing;
  }
  for (const WantedVm& wanted : boot->command.vms) remove_vm(wanted.vm);
  for (const WantedVm& wanted : boot->command.vms) forget_vm(wanted.vm);
  GangRefused refused{boot->command.gang, Refusal::fault, boot->error->message, {}};
  if (boot->error->code == Code::exhausted) {
    refused.refusal = Refusal::capacity;
    refused.retry_after = k_retry_after_capacity;
  }
  std::vector<VmId> released;
  {
    Lock lock(mutex_);
    gangs_.erase(boot->command.gang);
    released = std::move(boot->release_after);
  }
  sink_.post(refused);
  for (VmId vm : released) sink_.post(VmReleased{vm});
}

void HostCloud::release(VmId vm) {
  Lock lock(mutex_);
  Entry& entry = vms_[vm];
  if (entry.boot) {
    entry.boot->release_after.push_back(vm);
    cancel(*entry.boot, {Code::conflict, "released while it was booting", false});
    return;
  }
  if (entry.standing == Standing::releasing) return;  // its answer is on the way
  entry.file.vm = vm;
  entry.standing = Standing::releasing;
  workers_.run([this, vm] {
    if (is_superseded()) return;
    remove_vm(vm);
    forget_vm(vm);
    sink_.post(VmReleased{vm});
  });
}

/// Ends everything of a VM and removes what is left of it, in any state that a crash may have left it in.
void HostCloud::remove_vm(VmId vm) {
  const Home& home = options_.home;
  if (access(home.vm(vm).c_str(), F_OK) != 0) return;
  UniqueFd nobody_else = seize_lock(vm_lock_path(home, vm));
  VmFile file = load_vm_file(home, vm);
  ProcessId init = file.living_init();
  if (file.tier == Tier::plain) end_marked(vm_marker(home, vm), init.pid);
  kill_and_wait(init);
  remove_cgroups(file.cgroups);
  unlink(home.agent_socket(vm).c_str());  // the agent had no time to do it
  if (auto ok = remove_vm_folder(home, vm); !ok) fmt::print(stderr, "virgad: {}\n", ok.error().message);
  reap_strangers();
}

/// Takes a removed VM off the books; with the last one everything that the nodes shared goes.
void HostCloud::forget_vm(VmId vm) {
  std::lock_guard fabric_lock(fabric_mutex_);
  Lock lock(mutex_);
  vms_.erase(vm);
  std::vector<VmFile> nodes;
  for (const auto& [id, entry] : vms_) nodes.push_back(entry.file);
  if (!nodes.empty()) {
    if (access(hosts_path(options_.home).c_str(), F_OK) == 0) {
      (void)write_hosts(options_.home, options_.cluster_name, nodes);
    }
    return;
  }
  fabric_ = {};
  lock.unlock();
  stop_fabric(options_.home);
  unlink(hosts_path(options_.home).c_str());
  rmdir(options_.home.vms().c_str());
}

Result<std::vector<ListedVm>> HostCloud::list(const std::vector<KnownVm>&) {
  auto files = load_vm_files(options_.home);
  if (!files) return unexpected(files.error());
  std::vector<ListedVm> listed;
  for (const VmFile& file : *files) listed.push_back({file.vm, file.pool, file.address});
  {
    Lock lock(mutex_);
    std::set<VmId> known;
    for (const VmFile& file : *files) known.insert(file.vm);
    for (const auto& [vm, entry] : vms_) known.insert(vm);
    remove_stray_cgroups(cgroups_, instance_name(options_.home), known);
  }
  // A fabric without any VM is a leak of its own: a crash came between its start and the first record.
  if (listed.empty()) {
    std::lock_guard fabric_lock(fabric_mutex_);
    Lock lock(mutex_);
    if (vms_.empty() && access(options_.home.vms().c_str(), F_OK) == 0) {
      stop_fabric(options_.home);
      unlink(hosts_path(options_.home).c_str());
      rmdir(options_.home.vms().c_str());
    }
  }
  return listed;
}

void HostCloud::adopt(VmId vm) {
  workers_.run([this, vm] {
    {
      std::lock_guard fabric_lock(fabric_mutex_);
      Lock lock(mutex_);
      if (!vms_.count(vm)) {
        lock.unlock();
        sink_.post(VmFailed{vm, "the host cloud knows nothing of it"});
        return;
      }
      Entry& entry = vms_[vm];
      if (!entry.watched && entry.standing == Standing::up) entry.file = load_vm_file(options_.home, vm);
      bool on_fabric = entry.file.on_fabric();
      lock.unlock();
      if (on_fabric) (void)watch_fabric(lock_holder(fabric_lock_path(options_.home)));  // its nodes go on without
    }
    watch(vm);
  });
}

void HostCloud::watch(VmId vm) {
  ProcessId init;
  {
    Lock lock(mutex_);
    auto found = vms_.find(vm);
    if (found == vms_.end() || found->second.watched || found->second.standing != Standing::up) return;
    found->second.watched = true;
    init = found->second.file.living_init();
  }
  if (watcher_.watch(init, [this, vm] { on_init_end(vm); })) return;
  // Out of file descriptors: a node whose death we could not tell is of no use.
  kill_and_wait(init);
  on_init_end(vm);
}

void HostCloud::on_init_end(VmId vm) {
  VmFile file;
  {
    Lock lock(mutex_);
    auto found = vms_.find(vm);
    if (found == vms_.end() || found->second.standing != Standing::up) return;
    found->second.standing = Standing::failed;
    file = found->second.file;
  }
  std::string message = end_of(options_.home, file);
  if (file.tier == Tier::plain) end_marked(vm_marker(options_.home, vm), 0);
  reap_strangers();
  sink_.post(VmFailed{vm, message});
}

/// Inits whose launcher was killed in the middle, and what an init left behind that had no pid namespace.
void HostCloud::reap_strangers() {
  reap_orphans([this](pid_t pid) {
    Lock lock(mutex_);
    return launchers_.count(pid) > 0;
  });
}

/// Under fabric_mutex_.
Status HostCloud::watch_fabric(pid_t fabric) {
  ProcessId process = identify(fabric);
  if (process.start && process.pid == fabric_.pid && process.start == fabric_.start) return {};
  if (options_.serve_metadata && report_.tier != Tier::plain) {
    auto listener = open_metadata_listener(options_.home, options_.node_program, report_.tier);
    if (!listener) return unexpected(listener.error());
    options_.serve_metadata(listener->release());
  }
  fabric_ = process;
  (void)watcher_.watch(process, [this, process] { on_fabric_end(process); });
  return {};
}

/// Without the fabric its nodes are cut off from each other: they end, and each end is told.
void HostCloud::on_fabric_end(ProcessId fabric) {
  std::vector<ProcessId> inits;
  {
    std::lock_guard fabric_lock(fabric_mutex_);
    Lock lock(mutex_);
    if (fabric_.pid != fabric.pid || fabric_.start != fabric.start) return;
    fabric_ = {};
    for (const auto& [vm, entry] : vms_) {
      if (entry.file.on_fabric() && entry.standing == Standing::up) inits.push_back(entry.file.living_init());
    }
  }
  for (ProcessId init : inits) kill_and_wait(init);
}

}  // namespace
}  // namespace virga::host

std::string virga::host_address_on_fabric(const Home& home) { return host::machine_address(home); }
std::unique_ptr<virga::Cloud> virga::make_host_cloud(HostCloudOptions options, EventSink& sink) {
  return std::make_unique<host::HostCloud>(std::move(options), sink);
}
