#include "engines/slurm/cluster.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/digest.hpp"
#include "engines/slurm/conf.hpp"
#include "engines/slurm/confinement.hpp"
#include "engines/slurm/daemons.hpp"
#include "engines/slurm/database.hpp"
#include "wire/command.hpp"
#include "wire/program.hpp"
#include "wire/replace_file.hpp"
#include "wire/unix_address.hpp"
#include "wire/words.hpp"

namespace virga::slurm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds k_command_limit{20'000};
constexpr milliseconds k_site_limit{5'000};
constexpr int k_start_tries = 100;
constexpr int k_start_step_ms = 50;
constexpr std::size_t k_key_bytes = 128;
constexpr const char* k_path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// None of another cluster of this instance, which may not run yet.
std::set<std::uint16_t> ports_of_others(const ClusterOptions& options) {
  std::set<std::uint16_t> taken;
  const auto take = [&](const std::string& folder) {
    if (folder == options.folder()) return;
    taken.insert(known_port(folder + "/slurm.conf", "SlurmctldPort"));
    taken.insert(known_port(folder + "/slurmdbd.conf", "DbdPort"));
  };
  take(options.home.slurm());
  for (const std::string& name : named_clusters(options.home)) take(options.home.slurm(name));
  return taken;
}

Status make_key(const std::string& path) {
  if (access(path.c_str(), R_OK) == 0) return {};
  char key[k_key_bytes];
  if (getrandom(key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) return cannot("draw a key");
  return replace_file(path, {key, sizeof key}, 0400);
}

std::string program_script(const std::string& node_program, const std::string& arguments) {
  return "#!/bin/sh\nexec " + shell_quoted(node_program) + " " + arguments + "\n";
}

/// The first folder of the path that not everybody may enter; "" where there is none.
std::string private_folder_of(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    struct stat st {};
    if (stat(folder.c_str(), &st) == 0 && (st.st_mode & S_IXOTH) == 0) return folder;
    if (slash == std::string::npos) return "";
  }
}

/// Where every user's srun puts a file that is its own (cli/slurm_hold.hpp).
Status make_holds(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make the folder " + path);
  return chmod(path.c_str(), geteuid() == 0 ? 01777 : 0700) == 0 ? Status() : cannot("open the folder " + path);
}

/// As slurmctld has it; where that does not answer, as its file says.
std::string configured(std::string_view config, std::string_view file, std::string_view name) {
  return config.empty() ? conf_value(file, name) : config_value(config, name);
}

}  // namespace

Result<std::string> find_slurm() {
  const std::vector<std::string> environment = {k_path};
  for (const char* program : {"slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo", "munged"}) {
    if (find_program(program, environment).empty()) {
      return fail(Code::unavailable,
                  std::string("this machine has no ") + program +
                      "; install Debian's packages slurm-wlm and munge (script/setup --group slurm)");
    }
  }
  const CommandEnd end = run_command({"slurmctld", "-V"}, environment, k_command_limit);
  std::istringstream words(end.out);  // "slurm 22.05.8", Debian: "slurm-wlm 22.05.8"
  std::string name;
  std::string version;
  words >> name >> version;
  if (!end.ok() || version.empty()) return fail(Code::unavailable, "slurmctld -V: " + end.why());
  if (std::atof(version.c_str()) < 22.05) {
    return fail(Code::unavailable, "Slurm " + version + " has no dynamic nodes; 22.05 or newer is needed");
  }
  return version;
}

bool is_proven(const std::string& version) { return version.starts_with("22.05."); }

std::vector<std::string> Cluster::environment() const {
  return {k_path, "SLURM_CONF=" + (options_.site_conf.empty() ? file("slurm.conf") : options_.site_conf)};
}

Result<Cluster> Cluster::prepare(ClusterOptions options) {
  if (options.home.path.find_first_of(" \t#,=") != std::string::npos) {
    return fail(Code::invalid, "the folder " + options.home.path +
                                   " cannot be written in slurm.conf; set VIRGA_HOME to one without blanks and # , =");
  }
  if (const std::string folder = private_folder_of(options.home.path); !folder.empty() && options.site_conf.empty()) {
    return fail(Code::invalid, "the folder " + folder +
                                   " is private, but MUNGE wants that all may reach its socket in " +
                                   options.home.path + "; set VIRGA_HOME to another one, such as /var/lib/virga");
  }
  Cluster cluster(std::move(options));
  const std::string longest = cluster.file("munge.sock");
  if (const auto address = unix_address(longest); !address) {
    return fail(Code::invalid, longest +
                                   " is too long for a socket; give the cluster a shorter name, or set "
                                   "VIRGA_HOME to a shorter path");
  }
  const Home& home = cluster.options_.home;
  const mode_t mode = geteuid() == 0 ? 0755 : 0700;
  for (const char* name : {"", "state", "log", "spool", "jobs", "nodes"}) {
    const std::string path = cluster.file(name);
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return cannot("make the folder " + path);
  }
  if (Status made = make_holds(cluster.file("holds")); !made) return unexpected(made.error());
  const std::string& program = cluster.options_.node_program;
  const std::string& name = cluster.options_.name;
  const std::string which = name.empty() ? "" : " " + shell_quoted(name);
  const std::string hook =
      "slurm-hook " + shell_quoted(home.path) + " " + shell_quoted(cluster.options_.cluster_name) + which;
  Status made = replace_file(cluster.file("hook"), program_script(program, hook), 0755);
  const std::string prolog = "slurm-prolog " + shell_quoted(home.path) + " " +
                             shell_quoted(direct_partition(cluster.options_.partition)) + which;
  if (made) made = replace_file(cluster.file("prolog"), program_script(program, prolog), 0755);
  if (made) made = cluster.options_.site_conf.empty() ? cluster.make_own_files() : cluster.make_files_for_site();
  if (!made) return unexpected(made.error());
  return cluster;
}

Status Cluster::make_own_files() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  host[std::strcspn(host, ".")] = '\0';
  const passwd* user = getpwuid(geteuid());
  ConfSettings conf;
  conf.cluster = options_.slurm_name();
  conf.host = host;
  conf.address = "127.0.0.1";
  const std::uint64_t seed = digest_of(options_.home.path);
  conf.port = choose_port(file("slurm.conf"), "SlurmctldPort", seed, ports_of_others(options_));
  conf.user = user == nullptr ? std::to_string(geteuid()) : user->pw_name;
  conf.folder = options_.folder();
  conf.partition = options_.partition;
  conf.direct_jobs_wait = options_.direct_jobs_wait;
  conf.confines = can_confine().has_value();
  Status made = make_key(file("munge.key"));
  if (made) made = prepare_confinement(options_.folder(), conf.confines);
  if (options_.accounting) {
    std::set<std::uint16_t> taken = ports_of_others(options_);
    taken.insert(conf.port);
    database_ = Database{options_.folder(), choose_port(file("slurmdbd.conf"), "DbdPort", seed, taken), conf.user};
    conf.accounts_port = database_->port;
    if (made) made = database_->prepare();
  }
  const std::string text = conf_text(conf);
  const std::string old = text_of(file("slurm.conf"));
  is_changed_ = !old.empty() && text != old;  // a slurmctld that runs does not know it
  if (made) made = replace_file(file("slurm.conf"), text, 0644);
  conf.address = options_.node_address;
  if (made) made = replace_file(file("node.conf"), conf_text(conf), 0644);
  return made;
}

Status Cluster::make_files_for_site() {
  const std::string text = text_of(options_.site_conf);
  if (text.empty()) {
    return fail(Code::invalid, "cannot read " + options_.site_conf + "; write the slurm.conf of the cluster");
  }
  const CommandEnd end =
      run_command({"scontrol", "show", "partition", options_.partition}, environment(), k_site_limit);
  if (!end.ok() && end.err.find("not found") != std::string::npos) {
    return fail(Code::invalid, "the cluster of " + options_.site_conf + " has no partition " + options_.partition +
                                   "; ask its administrator for one, or write another");
  }
  // One that is away is waited for by its own thread, and what it will count is what its file says.
  const CommandEnd config = end.ok() ? run_command({"scontrol", "show", "config"}, environment(), k_site_limit) : end;
  const std::string shown = config.ok() ? config.out : "";
  // Its nodes of ours share this machine's kernel, so its own cgroup.conf is not for them.
  const bool wants_groups = same_word(configured(shown, text, "ProctrackType"), "proctrack/cgroup");
  Status made = prepare_confinement(options_.folder(), wants_groups && can_confine());
  if (!made) return made;
  const std::string accounts = configured(shown, text, "AccountingStorageType");
  keeps_accounts_ = same_word(accounts, "accounting_storage/slurmdbd");
  counts_gpus_ = ("," + configured(shown, text, "GresTypes") + ",").find(",gpu,") != std::string::npos;
  return replace_file(file("node.conf"), node_conf_of_site(text, options_.node_address, options_.folder()), 0644);
}

Status Cluster::show_nodes(const std::vector<SlurmNode>& nodes) const {
  const std::string text = job_conf(text_of(file("node.conf")), nodes);
  return text == text_of(file("job.conf")) ? Status() : replace_file(file("job.conf"), text, 0644);
}

Status Cluster::start_munge() const {
  if (answers(file("munge.sock"))) return {};
  const CommandEnd end = run_command(
      {"munged", "--key-file=" + file("munge.key"), "--socket=" + file("munge.sock"),
       "--pid-file=" + file("munged.pid"), "--log-file=" + file("log/munged.log"), "--seed-file=" + file("munge.seed")},
      environment(), k_command_limit);
  if (!end.ok()) return fail(Code::unavailable, "munged: " + end.why(), true);
  return {};
}

Status Cluster::start_controller() const {
  if (running(file("slurmctld.pid"), "slurmctld")) return {};
  const CommandEnd end = run_command({"slurmctld"}, environment(), k_command_limit);
  if (!end.ok()) return fail(Code::unavailable, "slurmctld: " + end.why() + "; see " + file("log/slurmctld.log"), true);
  return {};
}

Status Cluster::keep() {
  const bool is_own = options_.site_conf.empty();
  if (is_own) {
    if (Status started = start_munge(); !started) return started;
    if (database_) {
      const Status kept = database_->keep();
      // slurmctld does not begin without it the first time; after that it does, and tells it later.
      if (!kept && access(file("state/assoc_mgr_state").c_str(), F_OK) != 0) return kept;
    }
    // Not `scontrol reconfigure`: a slurmctld 22.05 that is shown more nodes by that ends itself. Its jobs go on.
    if (std::exchange(is_changed_, false)) end_process(file("slurmctld.pid"), "slurmctld");
    if (Status started = start_controller(); !started) return started;
  }
  for (int i = 0; i < (is_own ? k_start_tries : 1); ++i) {
    const CommandEnd end = run_command({"scontrol", "ping"}, environment(), k_command_limit);
    if (end.ok() && end.out.find("is UP") != std::string::npos) return {};
    poll(nullptr, 0, k_start_step_ms);
  }
  return fail(Code::timeout,
              is_own ? "slurmctld does not answer; see " + file("log/slurmctld.log")
                     : "slurmctld of " + options_.site_conf + " does not answer",
              true);
}

ClusterSight look_at_cluster(const std::string& folder, const std::string& site_conf) {
  const bool is_own = site_conf.empty();
  const std::string conf = is_own ? folder + "/slurm.conf" : site_conf;
  const std::string what = is_own ? "raised in " + folder : "of " + site_conf;
  if (access(conf.c_str(), R_OK) != 0) {
    if (is_own) return {true, "virgad raises it when it starts"};
    return {false, "cannot read " + site_conf + ": " + std::strerror(errno)};
  }
  const CommandEnd end = run_command({"scontrol", "ping"}, {k_path, "SLURM_CONF=" + conf}, k_site_limit);
  const bool answers = end.ok() && end.out.find("is UP") != std::string::npos;
  return {answers, what + (answers ? ", slurmctld answers" : ", slurmctld does not answer")};
}

std::vector<std::string> named_clusters(const Home& home) {
  std::vector<std::string> names;
  std::error_code none;
  const std::string prefix = "slurm-";
  for (const auto& entry : std::filesystem::directory_iterator(home.path, none)) {
    const std::string name = entry.path().filename().string();
    const bool is_cluster = name.starts_with(prefix) && std::filesystem::exists(entry.path() / "jobs", none);
    if (is_cluster) names.push_back(name.substr(prefix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void stop_cluster(const std::string& folder) {
  if (access(folder.c_str(), F_OK) != 0) return;
  end_process(folder + "/slurmctld.pid", "slurmctld");
  stop_database(folder);
  remove_confinement(folder);
  end_process(folder + "/munged.pid", "munged");
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void stop_clusters(const Home& home) {
  for (const std::string& name : named_clusters(home)) stop_cluster(home.slurm(name));
  stop_cluster(home.slurm());
}

}  // namespace virga::slurm
