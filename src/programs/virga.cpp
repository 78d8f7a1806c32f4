// virga: every command of a user in one program. Called sbatch, srun, squeue … (by a link of that name, or as
// `virga sbatch …`) it is that Slurm command; else it has verbs of its own. All adapters it needs are named here.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/journal_verbs.hpp"
#include "cli/slurm_commands.hpp"
#include "cli/verbs/verbs.hpp"
#include "clouds/host/gpus.hpp"
#include "clouds/host/tier.hpp"
#include "engines/slurm/cluster.hpp"
#include "journals/sqlite/sqlite_journal.hpp"
#include "sim/simulate.hpp"
#include "wire/config_engine.hpp"
#include "wire/config_journal.hpp"
#include "wire/home.hpp"
#include "wire/json_codec.hpp"
#include "wire/text_file.hpp"
#include "wire/words.hpp"

namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string folder_of_this_program() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  const std::string all(path, n > 0 ? static_cast<std::size_t>(n) : 0);
  return all.substr(0, all.rfind('/'));
}

std::string tier_text(virga::Tier tier) {
  switch (tier) {
    case virga::Tier::root:
      return "namespaces and control groups, as root";
    case virga::Tier::user:
      return "namespaces inside a user namespace, without rights";
    case virga::Tier::plain:
      return "process trees on 127.x addresses: namespaces are forbidden here";
  }
  return "";
}

/// Of several clusters of Slurm each has a line.
void examine_clusters(virga::DoctorReport& report) {
  const virga::Result<virga::Home> home = virga::home_from_environment();
  const virga::Result<std::string> text =
      home ? virga::read_text_file(home->config()) : virga::unexpected(home.error());
  if (!text) return;  // what is wrong with it is told by who needs it
  const auto engine = virga::parse_engine_settings(*text, home->config());
  if (!engine || engine->kind != virga::EngineKind::slurm || !engine->has_several_clusters()) return;
  for (const virga::SlurmClusterSettings& cluster : engine->clusters) {
    const auto sight = virga::slurm::look_at_cluster(home->slurm(cluster.name), cluster.conf);
    const std::string name = cluster.name.empty() ? "of [engine]" : cluster.name;
    report.lines.push_back({"Slurm's cluster " + name, sight.ok, sight.text});
  }
}

virga::DoctorReport examine_machine() {
  const virga::TierReport tier = virga::probe_tier();
  virga::DoctorReport report{std::string(virga::name_of(tier.tier)), tier_text(tier.tier), {}};
  for (const virga::ProbeLine& line : tier.lines) report.lines.push_back({line.what, line.works, line.why_not});
  const std::string version =
      tier.cgroup_version == 0 ? "none can be used" : "cgroup v" + std::to_string(tier.cgroup_version);
  report.lines.push_back({"CPU limits", tier.cgroup_cpu, version});
  report.lines.push_back({"memory limits", tier.cgroup_memory, version});
  report.lines.push_back({"process limits", tier.cgroup_pids, version});
  const virga::Result<std::string> slurm = virga::slurm::find_slurm();
  const bool has_networks = tier.tier == virga::Tier::root;
  std::string slurm_text = slurm ? "version " + *slurm : slurm.error().message;
  if (slurm && !virga::slurm::is_proven(*slurm)) slurm_text += ", which is untried";
  if (slurm && !has_networks) slurm_text += ", but its nodes need networks that only root can make";
  report.lines.push_back({"Slurm as the engine", slurm && has_networks, slurm_text});
  const virga::Status accounts = virga::slurm::find_database();
  report.lines.push_back({"Slurm's own accounts", accounts.has_value(),
                          accounts ? "slurmdbd and MariaDB are there" : accounts.error().message});
  examine_clusters(report);
  const virga::RealGpus gpus = virga::find_real_gpus();
  report.lines.push_back({"real GPUs", !gpus.names.empty(),
                          gpus.names.empty() ? "nodes' GPUs are simulated: " + gpus.why_none
                                             : std::to_string(gpus.names.size()) + " x " + gpus.names.front()});
  return report;
}

/// virgad has all that speaks to Azure and PostgreSQL; commands are started too often to carry that with them. What it
/// complains of (a mistake in virga.toml) is the error.
virga::Result<std::string> ask_virgad(const std::string& bin_dir, const std::vector<std::string>& words) {
  std::string line = virga::shell_quoted(bin_dir + "/virgad");
  for (const std::string& word : words) line += " " + virga::shell_quoted(word);
  std::FILE* pipe = popen((line + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return virga::fail(virga::Code::exhausted, "virgad cannot be started");
  std::string text;
  char part[4096];
  for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, pipe)) > 0;) text.append(part, n);
  const int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    for (const std::string_view speaker : {"virgad: ", "virga: "}) {
      if (text.starts_with(speaker)) text.erase(0, speaker.size());
    }
    while (text.ends_with('\n')) text.pop_back();
    const bool is_mistake = WIFEXITED(status) && WEXITSTATUS(status) == 2;
    return virga::fail(is_mistake ? virga::Code::invalid : virga::Code::internal, text);
  }
  return text;
}

virga::Result<virga::CheckReport> examine_azure(const std::string& bin_dir) {
  const virga::Result<std::string> text = ask_virgad(bin_dir, {"--examine-azure"});
  if (!text) return virga::unexpected(text.error());
  return virga::from_json_text<virga::CheckReport>(*text);
}

virga::Result<std::unique_ptr<virga::Journal>> open_sqlite(const std::string& name, virga::OpenMode mode) {
  return virga::open_sqlite_journal(virga::sqlite_path(name), mode);
}

/// Whether a journal in PostgreSQL is meant: by one of the words, or by the instance's virga.toml.
bool is_about_postgres(int argc, char** argv) {
  bool names_one = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    names_one = names_one || word.starts_with("--journal") || word == "copy";
    constexpr std::string_view k_option = "--journal=";
    if (word.starts_with(k_option)) word.remove_prefix(k_option.size());
    if (virga::names_postgres(word)) return true;
  }
  const virga::Result<virga::Home> home = virga::home_from_environment();
  if (names_one || !home) return false;
  const virga::Result<virga::JournalSettings> settings = virga::read_journal_settings(*home);
  return settings && !settings->url.empty();
}

/// Commands do not carry libpq with them either: virgad does what needs it.
int journal_main(int argc, char** argv, const std::string& bin_dir) {
  if (is_about_postgres(argc, argv)) {
    const std::string program = bin_dir + "/virgad";
    std::string option = "--journal";
    std::vector<char*> words = {argv[0], option.data()};
    words.insert(words.end(), argv + 1, argv + argc);
    words.push_back(nullptr);
    execv(program.c_str(), words.data());
    std::fprintf(stderr, "virga journal: cannot start %s\n", program.c_str());
    return 1;
  }
  virga::JournalAccess access;
  access.open = open_sqlite;
  access.restore = virga::restore_sqlite_journal;
  return virga::journal_main(argc, argv, access);
}

/// A folder of this process, removed at its end.
class OwnFolder {
 public:
  OwnFolder() = default;
  OwnFolder(const OwnFolder&) = delete;
  OwnFolder& operator=(const OwnFolder&) = delete;
  ~OwnFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  virga::Result<std::string> path() {
    if (!path_.empty()) return path_;
    std::error_code none;
    std::string pattern = (std::filesystem::temp_directory_path(none) / "virga-XXXXXX").string();
    if (none || mkdtemp(pattern.data()) == nullptr) {
      return virga::fail(virga::Code::internal, "cannot make a folder like " + pattern);
    }
    return path_ = pattern;
  }

 private:
  std::string path_;
};

/// To be read. One in PostgreSQL is copied first.
virga::Result<std::unique_ptr<virga::Journal>> open_to_simulate(const std::string& name, const std::string& bin_dir,
                                                                OwnFolder& folder) {
  if (!virga::names_postgres(name)) return open_sqlite(name, virga::OpenMode::read_only);
  const virga::Result<std::string> place = folder.path();
  if (!place) return virga::unexpected(place.error());
  const std::string copy = *place + "/journal.db";
  if (auto copied = ask_virgad(bin_dir, {"--journal", "copy", name, "sqlite:" + copy}); !copied) {
    return virga::unexpected(copied.error());
  }
  return open_sqlite(copy, virga::OpenMode::read_only);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string bin_dir = folder_of_this_program();
  int exit_code = 0;
  if (virga::run_slurm_command(base_name(argv[0]), argc, argv, bin_dir, exit_code)) return exit_code;
  if (argc >= 2 && virga::run_slurm_command(argv[1], argc - 1, argv + 1, bin_dir, exit_code)) return exit_code;
  virga::VerbHooks hooks;
  hooks.open_journal_to_read = [](const virga::Home& home) -> virga::Result<std::unique_ptr<virga::Journal>> {
    const virga::Result<virga::JournalSettings> settings = virga::read_journal_settings(home);
    if (settings && !settings->url.empty()) {
      return virga::fail(virga::Code::unavailable,
                         "no controller runs; what its journal in PostgreSQL says: virga journal info");
    }
    return virga::open_sqlite_journal(home.journal(), virga::OpenMode::read_only);
  };
  hooks.examine_machine = examine_machine;
  hooks.examine_azure = [&] { return examine_azure(bin_dir); };
  hooks.journal_main = [&](int count, char** words) { return journal_main(count, words, bin_dir); };
  OwnFolder folder;
  hooks.simulate_main = [&](int words, char** line) {
    return virga::simulate_main(words, line,
                                [&](const std::string& journal) { return open_to_simulate(journal, bin_dir, folder); });
  };
  hooks.bin_dir = bin_dir;
  return virga::virga_main(argc, argv, hooks);
}
