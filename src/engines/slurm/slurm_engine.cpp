// The engine's thread: what is asked for goes to the reconciler, one thing after the other.
#include "engines/slurm/slurm_engine.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engines/slurm/bootstrap.hpp"
#include "engines/slurm/hook_main.hpp"
#include "engines/slurm/reconciler.hpp"
#include "wire/unix_address.hpp"

namespace virga {
namespace {

using slurm::Reconciler;

constexpr std::int64_t k_wait_ms_max = 60'000;

/// Where the hook says that something happened.
Result<int> listen_for_pokes(const std::string& path) {
  const Result<sockaddr_un> address = unix_address(path);
  if (!address) return unexpected(address.error());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink(path.c_str());
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) return fd;
  const int error = errno;
  if (fd >= 0) close(fd);
  return fail(Code::internal, "cannot make the socket " + path + ": " + std::strerror(error));
}

class SlurmEngine : public Engine {
 public:
  SlurmEngine(slurm::ReconcilerOptions options, std::unique_ptr<slurm::Accounts> accounts, int pokes, EventSink& sink)
      : folder_(options.cluster.options().folder()),
        cluster_(options.cluster.options().cluster_name),
        counts_gpus_(options.cluster.counts_gpus()),
        pokes_(pokes),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        accounts_(std::move(accounts)),
        reconciler_(with(std::move(options), accounts_.get()), sink) {
    thread_ = std::thread([this] { loop(); });
  }
  ~SlurmEngine() override {
    stopping_ = true;
    ask([](Reconciler&) {});
    thread_.join();
    close(wake_);
    close(pokes_);
  }

  void lead(std::uint64_t term) override {
    ask([term](Reconciler& r) { r.lead(term); });
  }

  std::string user_data(const WantedVm& vm, const Pool& pool) override {
    ask([vm](Reconciler& r) { r.expect(vm.name, vm.vm); });
    Resources resources = pool.sku.resources;
    if (!counts_gpus_) resources.gpus = 0;
    return slurm::bootstrap_script({folder_, cluster_, vm.name, vm.vm, resources});
  }
  void attach(VmId vm, const std::string&) override {
    ask([vm](Reconciler& r) { r.attach(vm); });
  }
  void detach(VmId vm) override {
    ask([vm](Reconciler& r) { r.detach(vm); });
  }
  void start(const StartJob& command, LaunchPayload payload) override {
    ask([job = command.job, payload = std::move(payload)](Reconciler& r) mutable {
      r.start(std::move(job), std::move(payload));
    });
  }
  void signal(const SignalJob& command) override {
    ask([command](Reconciler& r) { r.signal(command); });
  }
  void end(const EndJob& command) override {
    ask([command](Reconciler& r) { r.end(command); });
  }
  void forget(const ForgetJob& command) override {
    ask([command](Reconciler& r) { r.forget(command); });
  }

 private:
  static slurm::ReconcilerOptions with(slurm::ReconcilerOptions options, slurm::Accounts* accounts) {
    options.accounts = accounts;
    return options;
  }

  using Asked = std::function<void(Reconciler&)>;

  void ask(Asked what) {
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(std::move(what));
    }
    const std::uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
  }

  void wait() {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(reconciler_.next_turn() - Reconciler::Clock::now());
    pollfd fds[2] = {{wake_, POLLIN, 0}, {pokes_, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, k_wait_ms_max)));
    std::uint64_t count = 0;
    (void)!read(wake_, &count, sizeof count);
    char byte = 0;
    bool poked = false;
    bool stirred = false;
    while (recv(pokes_, &byte, 1, 0) >= 0) {
      poked = true;
      stirred = stirred || byte == slurm::k_foreign_poke;
    }
    if (stirred) {
      reconciler_.stir();
    } else if (poked) {
      reconciler_.wake();
    }
  }

  void loop() {
    while (!stopping_) {
      wait();
      std::vector<Asked> asked;
      {
        const std::lock_guard lock(mutex_);
        asked.swap(asked_);
      }
      for (Asked& what : asked) what(reconciler_);
      if (!stopping_ && Reconciler::Clock::now() >= reconciler_.next_turn()) reconciler_.turn();
    }
  }

  std::string folder_;
  std::string cluster_;
  bool counts_gpus_;
  int pokes_;
  int wake_;
  std::unique_ptr<slurm::Accounts> accounts_;
  Reconciler reconciler_;  ///< of the thread alone
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Engine>> make_slurm_engine(SlurmEngineOptions options, EventSink& sink) {
  const Result<std::string> version = slurm::find_slurm();
  if (!version) return unexpected(version.error());
  if (!slurm::is_proven(*version)) {
    options.say("Slurm " + *version + " is untried: this engine was proven with 22.05");
  }
  const Home home = options.cluster.home;
  auto cluster = slurm::Cluster::prepare(std::move(options.cluster));
  if (!cluster) return unexpected(cluster.error());
  const Result<int> pokes = listen_for_pokes(cluster->file("poke.sock"));
  if (!pokes) return unexpected(pokes.error());

  slurm::SubmissionSite site;
  site.environment.home = home;
  site.environment.checkpoints = home.checkpoints();
  site.environment.cluster_name = cluster->options().cluster_name;
  site.environment.bin_dir = options.bin_dir;
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  site.environment.submit_host = name;
  site.partition = cluster->options().partition;
  site.conf = cluster->file("job.conf");
  site.counts_gpus = cluster->counts_gpus();
  site.as_user = geteuid() != 0;
  std::unique_ptr<slurm::Accounts> accounts;
  if (cluster->keeps_accounts()) {
    slurm::AccountsOptions asked{cluster->environment(), cluster->file("usage")};
    if (cluster->database()) asked.keep = [database = *cluster->database()] { return database.keep(); };
    asked.say = options.say;
    accounts = std::make_unique<slurm::Accounts>(std::move(asked), sink);
  }
  std::string told_name = options.is_one_of_several ? cluster->options().slurm_name() : "";
  slurm::ReconcilerOptions wanted{*std::move(cluster),     std::move(site),      options.sweep,
                                  std::move(options.say),  std::move(told_name), nullptr,
                                  std::move(options.adopt)};
  return std::make_unique<SlurmEngine>(std::move(wanted), std::move(accounts), *pokes, sink);
}

}  // namespace virga
