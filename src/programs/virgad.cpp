// virgad: the controller of one Virga instance. It puts the ports together and runs the loop; which clouds and engines
// there are is said in hands.cpp, which journals in journal_choice.cpp, what virga.toml may say in settings.cpp.
//
//   virgad [--home DIR] [--name NAME] [--listen ADDRESS] [--ready-fd N]
//   virgad --examine-azure [--home DIR]     what `virga doctor azure` shows, as JSON; nothing is started
//   virgad --journal VERB …                 `virga journal`, where PostgreSQL is meant
//
// Several of them, with names, may share a journal in PostgreSQL ([journal] of virga.toml): one leads, the others
// follow and take over. One that loses its lead starts itself afresh, as a follower, since it must not do or tell
// anything more.
//
// SIGTERM and SIGINT end it; nodes and jobs go on, and the next virgad finds them. SIGHUP reads virga.toml again.
// It writes one line to the descriptor of --ready-fd: "ready", or what went wrong; systemd is told, too (Type=notify).
// Exit code: 0 after a shutdown, 1 if something failed, 2 for bad arguments or a bad virga.toml.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clouds/azure/doctor.hpp"
#include "clouds/host/host_cloud.hpp"
#include "clouds/host/tier.hpp"
#include "control/controller.hpp"
#include "control/system_clock.hpp"
#include "engines/slurm/cluster.hpp"
#include "http/server.hpp"
#include "programs/hands.hpp"
#include "programs/journal_choice.hpp"
#include "programs/mail_program.hpp"
#include "programs/settings.hpp"
#include "wire/config_toml.hpp"
#include "wire/error_codes.hpp"
#include "wire/home.hpp"
#include "wire/json_codec.hpp"
#include "wire/term_file.hpp"

namespace {

using virga::Code;
using virga::Config;
using virga::Hands;
using virga::Home;
using virga::Result;
using virga::Settings;
using virga::Status;

struct Arguments {
  int ready_fd = -1;
  bool examine_azure = false;
  std::string name;    ///< of several controllers of one journal; "" for the first
  std::string listen;  ///< instead of [api] listen
  bool again = false;  ///< started afresh by itself: a journal that cannot be reached is waited for
};

/// A socket and a pid file are named after it.
constexpr std::size_t k_name_length_max = 16;
constexpr const char* k_name_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
constexpr const char* k_usage =
    "virgad [--home DIR] [--name NAME] [--listen ADDRESS] [--ready-fd N], or virgad --examine-azure [--home DIR]";

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--home" && has_value) {
      setenv("VIRGA_HOME", argv[++i], 1);
    } else if (option == "--ready-fd" && has_value) {
      arguments.ready_fd = std::atoi(argv[++i]);
    } else if (option == "--name" && has_value) {
      arguments.name = argv[++i];
    } else if (option == "--listen" && has_value) {
      arguments.listen = argv[++i];
    } else if (option == "--again") {
      arguments.again = true;
    } else if (option == "--examine-azure") {
      arguments.examine_azure = true;
    } else {
      return virga::fail(Code::invalid,
                         std::string("unknown or incomplete option '") + option + "': usage: " + k_usage);
    }
  }
  if (arguments.name.size() > k_name_length_max ||
      arguments.name.find_first_not_of(k_name_letters) != std::string::npos) {
    return virga::fail(Code::invalid, "'" + arguments.name +
                                          "' is no name of a controller: write up to 16 letters, digits "
                                          "and -");
  }
  return arguments;
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

void write_pid_file(const Home& home) { std::ofstream(home.pid_file()) << getpid() << "\n"; }

/// Blocked in every thread; the signal thread alone takes them.
sigset_t signals_we_take() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

/// `hands`: null in a controller that follows.
Status change_config(virga::Controller& controller, Hands* hands, const Home& home, const virga::TierReport& tier) {
  Result<Settings> settings = virga::read_settings(home, tier);
  if (!settings) return virga::unexpected(settings.error());
  if (Status known = hands == nullptr ? Status() : hands->check_pools(settings->engine); !known) return known;
  if (hands != nullptr) hands->take_pools(settings->engine);  // before the first node of a new pool is asked for
  std::promise<Status> changed;
  controller.request(virga::ConfigChanged{std::move(settings->config)}, std::nullopt,
                     [&](Result<std::uint64_t> answer, const virga::Brain&) {
                       changed.set_value(answer ? Status{} : Status{virga::unexpected(answer.error())});
                     });
  return changed.get_future().get();
}

void take_signals(virga::Controller& controller, const std::atomic<Hands*>& hands, const Home& home,
                  const virga::TierReport& tier) {
  const sigset_t set = signals_we_take();
  for (int signal = 0; sigwait(&set, &signal) == 0;) {
    if (signal != SIGHUP) return controller.stop();
    if (Status changed = change_config(controller, hands, home, tier); !changed) {
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

/// The settings need not be of a cloud that this controller can use: that is what is to be found out.
Status print_azure_report(const Home& home) {
  const Result<std::string> text = virga::config_text(home);
  if (!text) return virga::unexpected(text.error());
  const Result<Config> config = virga::parse_config(*text, home.config(), {});
  if (!config) return virga::unexpected(config.error());
  const Result<virga::AzureSettings> settings = virga::parse_azure_settings(*text, home.config(), config->pools);
  if (!settings) return virga::unexpected(settings.error());
  std::printf("%s\n", virga::to_json_text(virga::examine_azure(*settings, config->pools)).c_str());
  return {};
}

/// Once; later calls do nothing.
Status tell_ready(int& fd) {
  sd_notify(1, "READY=1");  // and nodes, which are no part of the service, do not inherit its socket
  if (fd < 0) return {};
  const bool told = write(fd, "ready\n", 6) == 6;
  close(std::exchange(fd, -1));
  return told ? Status{} : Status{virga::fail(Code::internal, "cannot tell that it is ready")};
}

/// One instance of virgad from the opening of its journal to its end.
class Service {
 public:
  Service(Home home, Arguments arguments) : home_(std::move(home)), arguments_(std::move(arguments)) {}

  Status run();

 private:
  Status open();
  Status serve_api();
  Result<virga::Followed> follow();
  Status open_hands();
  Status take_up();
  [[noreturn]] void start_afresh(const std::string& why);

  const Home home_;
  Arguments arguments_;
  const virga::TierReport tier_ = virga::probe_tier();
  Settings settings_;
  virga::ChosenJournal journal_;
  std::unique_ptr<virga::Clock> clock_;
  std::unique_ptr<virga::MailProgram> mails_;  ///< none where no program is named
  virga::Controller controller_;
  std::unique_ptr<Hands> hands_;
  std::atomic<Hands*> hands_in_use_ = nullptr;  ///< for other threads
  std::unique_ptr<virga::HttpServer> server_;
};

/// Waits where this process was started afresh, since nobody else would try again.
Status Service::open() {
  Result<Settings> settings = virga::read_settings(home_, tier_);
  if (!settings) return virga::unexpected(settings.error());
  settings_ = *std::move(settings);
  if (!arguments_.listen.empty()) settings_.config.listen = arguments_.listen;
  if (Status made = make_folders(home_); !made) return made;
  if (settings_.journal.url.empty() && !arguments_.name.empty()) {
    return virga::fail(Code::invalid,
                       "several controllers need a journal in PostgreSQL: write [journal] url = "
                       "\"postgres://user@host/database\" into " +
                           home_.config());
  }
  virga::ControllerId self;
  self.name = arguments_.name.empty() ? "main" : arguments_.name;
  self.socket = home_.api_socket();
  if (!settings_.config.listen.empty()) self.url = "http://" + settings_.config.listen;
  for (;;) {
    Result<virga::ChosenJournal> opened = virga::open_chosen_journal(home_, settings_.journal, self);
    if (!opened && (!arguments_.again || !opened.error().retryable)) return virga::unexpected(opened.error());
    if (opened) {
      journal_ = *std::move(opened);
      break;
    }
    const sigset_t set = signals_we_take();
    const timespec pause{0, 200'000'000};
    const int signal = sigtimedwait(&set, nullptr, &pause);
    if (signal == SIGTERM || signal == SIGINT) return virga::unexpected(opened.error());
  }
  Result<virga::JournalInfo> info = journal_.journal->info();
  if (!info) return virga::unexpected(info.error());
  clock_ = virga::make_system_clock(info->last_time);
  return {};
}

Status Service::serve_api() {
  virga::HttpOptions http;
  http.home = home_;
  http.listen = settings_.config.listen;
  http.token_file = settings_.config.token_file;
  http.daemon_uid = geteuid();
  http.operator_group = settings_.config.operator_group;
  http.reload = [this] { return change_config(controller_, hands_in_use_, home_, tier_); };
  http.cluster_of = [this](const std::string& pool) {
    const Hands* hands = hands_in_use_;
    return hands != nullptr ? hands->cluster_of(pool) : "";
  };
  http.market = [this](const virga::MarketQuery& query) {
    Hands* hands = hands_in_use_;
    return hands != nullptr ? hands->clouds.market(query) : virga::Market{{}, "this controller follows another one"};
  };
  http.version = VIRGA_VERSION;
  http.leadership = journal_.leadership.get();
  auto server = virga::HttpServer::start(http, controller_);
  if (!server) return virga::unexpected(server.error());
  server_ = *std::move(server);
  return {};
}

Result<virga::Followed> Service::follow() {
  // Nodes that this process started before it lost its lead are still its children; nobody else waits for them.
  std::atomic<bool> over = false;
  std::thread reaper([&over] {
    while (!over) {
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      usleep(100'000);
    }
  });
  Result<virga::Followed> followed =
      controller_.follow({journal_.journal.get(), nullptr, nullptr, clock_.get()}, *journal_.leadership,
                         [this] { (void)tell_ready(arguments_.ready_fd); });
  over = true;
  reaper.join();
  return followed;
}

Status Service::open_hands() {
  auto opened = Hands::open(controller_, home_, settings_);
  if (!opened) return virga::unexpected(opened.error());
  hands_ = *std::move(opened);
  if (journal_.leadership) {  // pools may have come by a reload while this one followed
    if (const Result<Settings> now = virga::read_settings(home_, tier_)) hands_->take_pools(now->engine);
  }
  return {};
}

/// Brings brain and world together: from here on this controller acts.
Status Service::take_up() {
  if (Status opened = hands_ ? Status{} : open_hands(); !opened) return opened;
  if (journal_.leadership && journal_.leadership->confirm()) {
    // Nodes and cloud would let every command under an earlier term pass by, as one that comes too late.
    if (Status known = virga::check_term(home_, journal_.leadership->term()); !known) return known;
  }
  virga::Controller::Ports ports{journal_.journal.get(), &hands_->clouds, hands_->engine.get(), clock_.get(), {}};
  if (!settings_.mail.program.empty() && mails_ == nullptr) {
    mails_ = std::make_unique<virga::MailProgram>(settings_.mail.program, *clock_);
  }
  if (mails_ != nullptr) ports.mail = [this](const virga::SendMail& mail) { mails_->send(mail); };
  Status up =
      journal_.leadership ? controller_.lead(ports, settings_.config) : controller_.recover(ports, settings_.config);
  if (!up) return up;
  // Where the file was refused, the journal's configuration holds.
  controller_.view([this](const virga::Brain& brain) { hands_->storage.set(brain.state().config.storage); });
  hands_in_use_ = hands_.get();
  return {};
}

void Service::start_afresh(const std::string& why) {
  std::fprintf(stderr, "virgad: %s: starting afresh, as a follower\n", why.c_str());
  journal_.leadership->resign();
  std::vector<std::string> words = {"virgad", "--home", home_.path, "--again"};
  if (!arguments_.name.empty()) words.insert(words.end(), {"--name", arguments_.name});
  if (!arguments_.listen.empty()) words.insert(words.end(), {"--listen", arguments_.listen});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv("/proc/self/exe", argv.data());
  std::fprintf(stderr, "virgad: cannot start again: %s\n", std::strerror(errno));
  std::_Exit(1);
}

Status Service::run() {
  if (Status opened = open(); !opened) return opened;
  virga::Leadership* const leadership = journal_.leadership.get();
  // With a journal of its own the ports are made first: the host cloud likes to be made while there is one thread.
  if (leadership == nullptr) {
    if (Status opened = open_hands(); !opened) return opened;
  }
  if (Status serves = serve_api(); !serves) return serves;
  virga::Ended ended = virga::Ended::stopped;
  bool leads = true;
  if (leadership != nullptr) {
    write_pid_file(home_);
    std::thread(take_signals, std::ref(controller_), std::cref(hands_in_use_), home_, tier_).detach();
    Result<virga::Followed> followed = follow();
    if (!followed && followed.error().code == Code::conflict) start_afresh(followed.error().message);
    if (!followed) return virga::unexpected(followed.error());
    leads = followed == virga::Followed::leads;
    if (leads) std::fprintf(stderr, "virgad: leads, term %llu\n", static_cast<unsigned long long>(leadership->term()));
  }
  if (leads) {
    if (Status up = take_up(); !up) {
      if (leadership != nullptr && leadership->is_lost()) start_afresh(up.error().message);
      if (leadership != nullptr) leadership->resign();
      return up;
    }
    if (leadership == nullptr) {
      write_pid_file(home_);
      std::thread(take_signals, std::ref(controller_), std::cref(hands_in_use_), home_, tier_).detach();
    }
    if (Status told = tell_ready(arguments_.ready_fd); !told) return told;
    ended = controller_.run();
  }
  if (ended == virga::Ended::lost) start_afresh("the lead is lost");
  if (leadership != nullptr) leadership->resign();
  server_->stop();
  if (ended == virga::Ended::down && hands_) {  // after `virga down`, nothing goes on
    hands_in_use_ = nullptr;
    hands_->engine.reset();
    virga::slurm::stop_clusters(home_);
    virga::forget_terms(home_);
  }
  unlink(home_.pid_file().c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--journal") return virga::any_journal_main(argc - 1, argv + 1);
  Result<Arguments> arguments = parse_arguments(argc, argv);
  Result<Home> home = arguments ? virga::home_from_environment() : virga::unexpected(arguments.error());
  const sigset_t set = signals_we_take();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  Status served = virga::unexpected(home ? virga::Error{} : home.error());
  if (home && arguments->examine_azure) {
    served = print_azure_report(*home);
  } else if (home) {
    home->controller = arguments->name;
    served = Service(*home, *arguments).run();
  }
  std::fflush(stdout);
  if (served) std::_Exit(0);  // the signal thread may still wait; nothing else is left to do
  std::fprintf(stderr, "virgad: %s\n", served.error().message.c_str());
  if (arguments && arguments->ready_fd >= 0) dprintf(arguments->ready_fd, "%s\n", served.error().message.c_str());
  std::_Exit(virga::exit_code(served.error().code));
}
