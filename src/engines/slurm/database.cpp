#include "engines/slurm/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <sstream>
#include <vector>

#include "engines/slurm/daemons.hpp"
#include "wire/command.hpp"
#include "wire/program.hpp"
#include "wire/replace_file.hpp"

namespace virga::slurm {
namespace {

using std::chrono::seconds;

constexpr seconds k_command_limit{20};
constexpr seconds k_install_limit{120};  ///< a new database, on a disk that is busy
constexpr int k_start_tries = 600;
constexpr int k_start_step_ms = 50;
constexpr const char* k_path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
/// Of Debian's package, for its server where that is started by root.
constexpr const char* k_mariadb_user = "mysql";

std::string random_word() {
  std::uint64_t words[2] = {};
  (void)!getrandom(words, sizeof words, 0);
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

std::string value_in(const std::string& path, const std::string& key) {
  std::istringstream text(text_of(path));
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
  }
  return "";
}

bool is_root() { return geteuid() == 0; }

template <class Reached>
bool eventually(Reached reached) {
  for (int i = 0; i < k_start_tries; ++i) {
    if (reached()) return true;
    poll(nullptr, 0, k_start_step_ms);
  }
  return false;
}

/// Private, and its server's.
Status make_private(const std::string& path, bool is_folder) {
  if (is_folder && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make the folder " + path);
  if (!is_root()) return {};
  const passwd* user = getpwnam(k_mariadb_user);
  if (user == nullptr) return fail(Code::unavailable, std::string("this machine has no user ") + k_mariadb_user);
  if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) return cannot("give away " + path);
  return {};
}

}  // namespace

Status find_database() {
  for (const char* program : {"slurmdbd", "mariadbd", "mariadb-install-db", "sacct"}) {
    if (!find_program(program, {k_path}).empty()) continue;
    return fail(Code::unavailable,
                std::string("this machine has no ") + program +
                    "; install Debian's packages slurmdbd and mariadb-server (script/setup --group slurm)");
  }
  return {};
}

Status Database::prepare() const {
  const std::string path = folder + "/slurmdbd.conf";
  std::string password = value_in(path, "StoragePass");
  if (password.empty()) password = random_word();
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  host[std::strcspn(host, ".")] = '\0';
  return replace_file(path,
                      fmt::format("# Made by virgad, which writes it anew when it starts: changes are lost.\n"
                                  "AuthType=auth/munge\n"
                                  "AuthInfo=socket={folder}/munge.sock\n"
                                  "DbdHost={host}\n"
                                  "DbdAddr=127.0.0.1\n"
                                  "DbdPort={port}\n"
                                  "SlurmUser={user}\n"
                                  "StorageType=accounting_storage/mysql\n"
                                  "StorageHost=localhost\n"  // its socket: MYSQL_UNIX_PORT
                                  "StorageUser=slurm\n"
                                  "StoragePass={password}\n"
                                  "StorageLoc=slurm_acct_db\n"
                                  "LogFile={folder}/log/slurmdbd.log\n"
                                  "PidFile={folder}/slurmdbd.pid\n",
                                  fmt::arg("folder", folder), fmt::arg("host", host), fmt::arg("port", port),
                                  fmt::arg("user", user), fmt::arg("password", password)),
                      0600);
}

Status Database::start_mariadb() const {
  const std::string files = folder + "/db";
  const std::string socket = files + "/sock";
  if (running(files + "/pid", "mariadbd") && answers(socket)) return {};
  if (Status made = make_private(files, true); !made) return made;
  const std::vector<std::string> environment = {k_path};
  const std::string data = files + "/data";
  std::vector<std::string> as_user;
  if (is_root()) as_user.push_back(std::string("--user=") + k_mariadb_user);
  if (access((data + "/made").c_str(), F_OK) != 0) {
    std::vector<std::string> argv = {"mariadb-install-db", "--no-defaults", "--datadir=" + data, "--skip-test-db",
                                     "--auth-root-authentication-method=socket"};
    argv.insert(argv.end(), as_user.begin(), as_user.end());
    const CommandEnd end = run_command(argv, environment, k_install_limit);
    if (!end.ok()) return fail(Code::unavailable, "mariadb-install-db: " + end.why(), true);
    if (Status noted = replace_file(data + "/made", "", 0600); !noted) return noted;
  }
  const std::string password = value_in(folder + "/slurmdbd.conf", "StoragePass");
  const std::string init = files + "/init.sql";
  Status made = replace_file(init,
                             "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n"
                             "CREATE USER IF NOT EXISTS 'slurm'@'localhost';\n"
                             "ALTER USER 'slurm'@'localhost' IDENTIFIED BY '" +
                                 password +
                                 "';\n"
                                 "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';\n",
                             0600);
  if (made) made = make_private(init, false);
  if (!made) return made;
  // What slurmdbd asks of InnoDB, but for the buffer: this database is small.
  std::vector<std::string> argv = {"mariadbd",
                                   "--no-defaults",
                                   "--datadir=" + data,
                                   "--socket=" + socket,
                                   "--pid-file=" + files + "/pid",
                                   "--init-file=" + init,
                                   "--skip-networking",
                                   "--innodb-buffer-pool-size=64M",
                                   "--innodb-lock-wait-timeout=900"};
  argv.insert(argv.end(), as_user.begin(), as_user.end());
  const std::string log_path = folder + "/log/mariadb.log";
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (log < 0) return cannot("write " + log_path);
  const Result<pid_t> started = start_command(argv, environment, log);
  close(log);
  if (!started) return unexpected(started.error());
  if (eventually([&] { return answers(socket); })) return {};
  return fail(Code::timeout, "MariaDB does not answer; see " + log_path, true);
}

Status Database::start_slurmdbd() const {
  if (!running(folder + "/slurmdbd.pid", "slurmdbd")) {
    const CommandEnd end = run_command(
        {"slurmdbd"}, {k_path, "SLURM_CONF=" + folder + "/slurm.conf", "MYSQL_UNIX_PORT=" + folder + "/db/sock"},
        k_command_limit);
    if (!end.ok()) return fail(Code::unavailable, "slurmdbd: " + end.why(), true);
  }
  if (eventually([&] { return answers(port); })) return {};
  return fail(Code::timeout, "slurmdbd does not answer; see " + folder + "/log/slurmdbd.log", true);
}

Status Database::keep() const {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  Status kept = start_mariadb();
  return kept ? start_slurmdbd() : kept;
}

void stop_database(const std::string& folder) {
  end_process(folder + "/slurmdbd.pid", "slurmdbd");
  end_process(folder + "/db/pid", "mariadbd");
}

}  // namespace virga::slurm
