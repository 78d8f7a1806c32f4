// virgad: the controller of one Virga instance. It puts the ports together and runs the loop; all it knows of clouds,
// engines and journals is said in this file.
//
//   virgad [--home DIR] [--ready-fd N]
//   virgad --examine-azure [--home DIR]     what `virga doctor azure` shows, as JSON; nothing is started
//
// SIGTERM and SIGINT end it; nodes and jobs go on, and the next virgad finds them. SIGHUP reads virga.toml again.
// It writes one line to the descriptor of --ready-fd: "ready", or what went wrong. Exit code: 0 after a shutdown, 1 if
// something failed, 2 for bad arguments or a bad virga.toml.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "clouds/azure/azure_cloud.hpp"
#include "clouds/azure/doctor.hpp"
#include "clouds/host/host_cloud.hpp"
#include "clouds/host/tier.hpp"
#include "control/cloud_router.hpp"
#include "control/controller.hpp"
#include "control/system_clock.hpp"
#include "engines/local/local_engine.hpp"
#include "engines/local/storage_access.hpp"
#include "engines/slurm/slurm_engine.hpp"
#include "http/server.hpp"
#include "journals/sqlite/sqlite_journal.hpp"
#include "wire/config_engine.hpp"
#include "wire/config_toml.hpp"
#include "wire/error_codes.hpp"
#include "wire/home.hpp"
#include "wire/json_codec.hpp"
#include "wire/machine_paths.hpp"
#include "wire/node_board.hpp"
#include "wire/words.hpp"

namespace {

using virga::Code;
using virga::Config;
using virga::Home;
using virga::Result;
using virga::Status;

struct Arguments {
  int ready_fd = -1;
  bool examine_azure = false;
};

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--home" && has_value) {
      setenv("VIRGA_HOME", argv[++i], 1);
    } else if (option == "--ready-fd" && has_value) {
      arguments.ready_fd = std::atoi(argv[++i]);
    } else if (option == "--examine-azure") {
      arguments.examine_azure = true;
    } else {
      return virga::fail(Code::invalid,
                         "unknown or incomplete option '" + option +
                             "': usage: virgad [--home DIR] [--ready-fd N], or virgad --examine-azure [--home DIR]");
    }
  }
  return arguments;
}

std::string folder_of_this_program() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string all(path, n > 0 ? static_cast<std::size_t>(n) : 0);
  return all.substr(0, all.rfind('/'));
}

/// Other users' jobs must reach their agent, their script and their checkpoints, so where root serves all users the
/// folders can be entered by all; what lies in them has permissions of its own.
Status make_folders(const Home& home) {
  const mode_t mode = geteuid() == 0 ? 0755 : 0700;
  for (const std::string& path : {home.path, home.run(), home.agents(), home.vms(), home.spool(), home.checkpoints()}) {
    std::string partial;
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '/');) {
      if (part.empty()) continue;
      partial += "/" + part;
      if (mkdir(partial.c_str(), mode) != 0 && errno != EEXIST) {
        return virga::fail(Code::internal, "cannot make folder " + partial + ": " + std::strerror(errno));
      }
    }
  }
  return {};
}

/// What virga.toml says: to the brain, and to the clouds and engines that have settings of their own.
struct Settings {
  Config config;
  virga::EngineSettings engine;
  std::optional<virga::AzureSettings> azure;
};

/// A job's processes are started by agents that the local engine finds on this machine alone.
Status check_azure(const virga::AzureSettings& azure) {
  if (virga::is_local(azure)) return {};
  return virga::fail(Code::invalid,
                     "cloud.azure.endpoint is " + azure.endpoint +
                         ", but jobs of this controller run on nodes of this machine only; write the address of a "
                         "virga-arm that was started with --nodes");
}

/// Nodes with files of their own, and what they mount, as far as it can be told before the first of them boots.
Status check_files(const Config& config, const virga::TierReport& tier) {
  for (const virga::Pool& pool : config.pools) {
    const bool is_here = pool.cloud == "host" && !pool.shared_files;
    if (is_here && tier.tier == virga::Tier::plain) {
      return virga::fail(Code::invalid, "pool." + pool.name +
                                            ".shared_files is false, but nodes of this machine are "
                                            "plain processes and see all files; leave it out, or see virga doctor");
    }
    if (!pool.shared_files && !config.storage.empty() && tier.tier != virga::Tier::root) {
      return virga::fail(Code::invalid, "[storage] is mounted on the nodes of pool " + pool.name +
                                            ", which only root can do; run virgad as root");
    }
  }
  for (const virga::Storage& storage : config.storage) {
    if (storage.key_file.empty()) continue;
    if (auto key = virga::read_account_key(storage.key_file); !key) {
      return virga::fail(Code::invalid, "storage." + storage.name + ": " + key.error().message);
    }
  }
  return {};
}

/// The nodes of a Slurm cluster reach its controller, which is on this machine, over the fabric.
Status check_engine(const virga::EngineSettings& engine, const Config& config, const virga::TierReport& tier) {
  if (engine.kind != virga::EngineKind::slurm) return {};
  if (const auto version = virga::slurm::find_slurm(); !version) {
    return virga::fail(Code::invalid, "engine.kind is \"slurm\", but " + version.error().message);
  }
  if (tier.tier != virga::Tier::root) {
    return virga::fail(Code::invalid,
                       "engine.kind is \"slurm\", whose nodes need networks of their own with a way to this machine, "
                       "which only root can make; run virgad as root, or leave it out");
  }
  for (const virga::Pool& pool : config.pools) {
    const std::string name = "pool." + pool.name + ".";
    std::string wrong;
    if (pool.cloud != "host") wrong = name + "cloud is \"" + pool.cloud + "\"; write \"host\"";
    if (pool.network != virga::HostNetwork::fabric) wrong = name + "network is \"host\"; write \"fabric\"";
    if (!pool.shared_files) wrong = name + "shared_files is false; leave it out";
    if (pool.health_checks) wrong = name + "health_checks is true; leave it out";
    if (!wrong.empty()) {
      return virga::fail(Code::invalid, "nodes of engine.kind \"slurm\" cannot have that yet: " + wrong);
    }
  }
  return {};
}

/// Empty without a file.
Result<std::string> config_text(const Home& home) {
  std::string text;
  if (std::ifstream file(home.config()); file) {
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) return virga::fail(Code::internal, "cannot read " + home.config());
  } else if (errno != ENOENT) {
    return virga::fail(Code::invalid, "cannot read " + home.config() + ": " + std::strerror(errno));
  }
  return text;
}

Result<Settings> read_settings(const Home& home, const virga::TierReport& tier) {
  const Result<std::string> text = config_text(home);
  if (!text) return virga::unexpected(text.error());
  virga::ConfigContext context;
  if (tier.tier == virga::Tier::plain) {
    const std::string prefix = virga::plain_node_prefix(home);  // "127.77.0."
    context.plain_network = prefix.substr(0, prefix.size() - 2);
  }
  Result<Config> config = virga::parse_config(*text, home.config(), context);
  if (!config) return virga::unexpected(config.error());
  if (Status usable = check_files(*config, tier); !usable) return virga::unexpected(usable.error());
  const auto engine = virga::parse_engine_settings(*text, home.config());
  if (!engine) return virga::unexpected(engine.error());
  if (Status usable = check_engine(*engine, *config, tier); !usable) return virga::unexpected(usable.error());
  Settings settings{*std::move(config), *engine, std::nullopt};
  const auto& pools = settings.config.pools;
  const bool needs_azure = std::any_of(pools.begin(), pools.end(), [](const auto& p) { return p.cloud == "azure"; });
  // Also where no pool is Azure's any more: there may be VMs left to release.
  if (needs_azure || virga::has_azure_settings(*text)) {
    Result<virga::AzureSettings> azure = virga::parse_azure_settings(*text, home.config(), pools);
    if (!azure) return virga::unexpected(azure.error());
    if (Status usable = check_azure(*azure); !usable) return virga::unexpected(usable.error());
    settings.azure = *std::move(azure);
  }
  return settings;
}

void write_pid_file(const Home& home) { std::ofstream(home.pid_file()) << getpid() << "\n"; }

/// Blocked in every thread; the signal thread alone takes them.
sigset_t signals_we_take() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

/// What nodes have to mount, as the configuration that holds says; asked by the engine from its own thread.
class StorageList {
 public:
  void set(std::vector<virga::Storage> storage) {
    const std::lock_guard lock(mutex_);
    storage_ = std::move(storage);
  }
  std::vector<virga::Storage> get() const {
    const std::lock_guard lock(mutex_);
    return storage_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<virga::Storage> storage_;
};

Status change_config(virga::Controller& controller, const Home& home, const virga::TierReport& tier) {
  Result<Settings> settings = read_settings(home, tier);
  if (!settings) return virga::unexpected(settings.error());
  std::promise<Status> changed;
  controller.request(virga::ConfigChanged{std::move(settings->config)}, std::nullopt,
                     [&](Result<std::uint64_t> answer, const virga::Brain&) {
                       changed.set_value(answer ? Status{} : Status{virga::unexpected(answer.error())});
                     });
  return changed.get_future().get();
}

void take_signals(virga::Controller& controller, const Home& home, const virga::TierReport& tier) {
  const sigset_t set = signals_we_take();
  for (int signal = 0; sigwait(&set, &signal) == 0;) {
    if (signal != SIGHUP) return controller.stop();
    if (Status changed = change_config(controller, home, tier); !changed) {
      std::fprintf(stderr, "virgad: configuration kept as it was: %s\n", changed.error().message.c_str());
    }
  }
}

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Its settings are those of the start: another subscription or region is another cloud.
std::unique_ptr<virga::Cloud> open_azure(const Home& home, const std::string& node_program,
                                         const virga::AzureSettings& settings, virga::EventSink& sink) {
  const auto board = std::make_shared<virga::NodeBoard>(home.board());
  std::error_code ignored;  // told by the first use
  std::filesystem::create_directories(home.board(),
                                      ignored);  // nodes with private files keep it, so it has to be there
  virga::AzureOptions options;
  options.settings = settings;
  const std::string bin_dir = node_program.substr(0, node_program.rfind('/'));
  options.join_script = "#!/bin/sh\n" + virga::machine_path_line(home.run()) + virga::machine_path_line(home.board()) +
                        virga::machine_path_line(bin_dir) + "exec " + virga::shell_quoted(node_program) +
                        " join --board " + virga::shell_quoted(home.board()) + "\n";
  options.publish = [board](const auto& machines) { return board->put(machines); };
  options.withdraw = [board, home](virga::VmId vm) {
    board->remove(vm);
    unlink(home.agent_socket(vm).c_str());  // the agent had no time to do it
  };
  options.say = [](const std::string& line) { std::fprintf(stderr, "virgad: azure: %s\n", line.c_str()); };
  return virga::make_azure_cloud(std::move(options), sink);
}

/// As with Azure, the settings are those of the start.
Result<std::unique_ptr<virga::Engine>> open_slurm(const Home& home, const std::string& bin_dir,
                                                  const Settings& settings, virga::EventSink& sink) {
  virga::SlurmEngineOptions options;
  options.cluster.home = home;
  options.cluster.cluster_name = settings.config.cluster_name;
  options.cluster.node_program = bin_dir + "/virga-node";
  options.cluster.node_address = virga::host_address_on_fabric(home);
  options.cluster.partition = settings.engine.partition;
  options.cluster.site_conf = settings.engine.conf;
  options.bin_dir = bin_dir;
  options.sweep = std::chrono::milliseconds(settings.engine.sweep.ns / 1'000'000);
  options.say = [](const std::string& line) { std::fprintf(stderr, "virgad: slurm: %s\n", line.c_str()); };
  return virga::make_slurm_engine(std::move(options), sink);
}

std::unique_ptr<virga::Engine> open_local(const Home& home, const std::string& bin_dir, const Config& config,
                                          const StorageList& storage, virga::EventSink& sink) {
  virga::LocalEngineOptions options;
  options.home = home;
  options.node_program = bin_dir + "/virga-node";
  options.cluster_name = config.cluster_name;
  options.bin_dir = bin_dir;
  options.storage = [&storage] { return storage.get(); };
  return virga::make_local_engine(std::move(options), sink);
}

/// The settings need not be of a cloud that this controller can use: that is what is to be found out.
Status print_azure_report(const Home& home) {
  const Result<std::string> text = config_text(home);
  if (!text) return virga::unexpected(text.error());
  const Result<Config> config = virga::parse_config(*text, home.config(), {});
  if (!config) return virga::unexpected(config.error());
  const Result<virga::AzureSettings> settings = virga::parse_azure_settings(*text, home.config(), config->pools);
  if (!settings) return virga::unexpected(settings.error());
  std::printf("%s\n", virga::to_json_text(virga::examine_azure(*settings, config->pools)).c_str());
  return {};
}

Status serve(const Home& home, const Arguments& arguments) {
  const virga::TierReport tier = virga::probe_tier();
  Result<Settings> settings = read_settings(home, tier);
  if (!settings) return virga::unexpected(settings.error());
  const Config* const config = &settings->config;
  if (Status made = make_folders(home); !made) return made;
  auto journal = virga::open_sqlite_journal(home.journal(), virga::OpenMode::create_or_open);
  if (!journal) return virga::unexpected(journal.error());
  Result<virga::JournalInfo> info = (*journal)->info();
  if (!info) return virga::unexpected(info.error());

  const std::string bin_dir = folder_of_this_program();
  const std::string node_program = bin_dir + "/virga-node";
  auto clock = virga::make_system_clock(info->last_time);
  virga::Controller controller;
  virga::CloudRouter clouds(controller);
  const bool with_slurm = settings->engine.kind == virga::EngineKind::slurm;
  virga::HostCloudOptions host{home, node_program, config->cluster_name};
  host.machine_on_fabric = with_slurm;
  clouds.add("host", virga::make_host_cloud(std::move(host), clouds));
  if (settings->azure) clouds.add("azure", open_azure(home, node_program, *settings->azure, clouds));
  StorageList storage;
  storage.set(config->storage);
  controller.listen([&storage](virga::Seq, const virga::Event& event) {
    if (const auto* changed = std::get_if<virga::ConfigChanged>(&event.body)) storage.set(changed->config.storage);
  });
  std::unique_ptr<virga::Engine> engine;
  if (with_slurm) {
    auto opened = open_slurm(home, bin_dir, *settings, controller);
    if (!opened) return virga::unexpected(opened.error());
    engine = *std::move(opened);
  } else {
    engine = open_local(home, bin_dir, *config, storage, controller);
  }

  virga::HttpOptions http;
  http.home = home;
  http.listen = config->listen;
  http.token_file = config->token_file;
  http.daemon_uid = geteuid();
  http.operator_group = config->operator_group;
  http.reload = [&] { return change_config(controller, home, tier); };
  http.market = [&](const virga::MarketQuery& query) { return clouds.market(query); };
  http.version = VIRGA_VERSION;
  auto server = virga::HttpServer::start(http, controller);
  if (!server) return virga::unexpected(server.error());
  Status recovered = controller.recover({journal->get(), &clouds, engine.get(), clock.get()}, *config);
  if (!recovered) return recovered;
  // Where the file was refused, the journal's configuration holds.
  controller.view([&storage](const virga::Brain& brain) { storage.set(brain.state().config.storage); });
  write_pid_file(home);
  std::thread(take_signals, std::ref(controller), home, tier).detach();
  if (arguments.ready_fd >= 0) {
    if (write(arguments.ready_fd, "ready\n", 6) != 6)
      return virga::fail(Code::internal, "cannot tell that it is ready");
    close(arguments.ready_fd);
  }
  controller.run();
  (*server)->stop();
  if (controller.is_down()) {  // after `virga down`, nothing goes on
    engine.reset();
    virga::slurm::stop_cluster(home);
  }
  unlink(home.pid_file().c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Result<Arguments> arguments = parse_arguments(argc, argv);
  Result<Home> home = arguments ? virga::home_from_environment() : virga::unexpected(arguments.error());
  const sigset_t set = signals_we_take();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  Status served = virga::unexpected(home ? virga::Error{} : home.error());
  if (home) served = arguments->examine_azure ? print_azure_report(*home) : serve(*home, *arguments);
  std::fflush(stdout);
  if (served) std::_Exit(0);  // the signal thread may still wait; nothing else is left to do
  std::fprintf(stderr, "virgad: %s\n", served.error().message.c_str());
  if (arguments && arguments->ready_fd >= 0) dprintf(arguments->ready_fd, "%s\n", served.error().message.c_str());
  std::_Exit(virga::exit_code(served.error().code));
}
