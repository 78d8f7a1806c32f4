// A PostgreSQL server of a test's own: in a temporary folder, on a Unix socket, with fsync, run by an ordinary user.
//
//   PostgresServer server;
//   if (!server.why_not().empty()) return;         // not installed: the test is skipped, and says so
//   std::string url = server.make_database("one");
//   server.kill();  server.start();                // kill -9 of all of it, and crash recovery
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <thread>
#include <vector>

#include "support/temp_dir.hpp"

namespace virga::test {

class PostgresServer {
 public:
  explicit PostgresServer(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      if (std::filesystem::exists(version.path() / "bin/postgres")) bin_ = (version.path() / "bin").string();
    }
    if (bin_.empty()) {
      why_not_ = "PostgreSQL's server is not installed (Debian's package postgresql-15)";
      return;
    }
    // The server refuses to be run by root.
    if (geteuid() == 0) {
      const passwd* user = getpwnam("postgres") != nullptr ? getpwnam("postgres") : getpwnam("nobody");
      uid_ = user->pw_uid;
      gid_ = user->pw_gid;
    }
    if (chown(dir_.path().c_str(), uid_, gid_) != 0 ||
        run({"initdb", "-D", data(), "-U", "virga", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C"}) != 0) {
      why_not_ = "initdb failed: see " + dir_ / "log";
      return;
    }
    start();
  }
  ~PostgresServer() { stop(SIGQUIT); }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  const std::string& why_not() const { return why_not_; }

  void start() {
    std::vector<std::string> words = {
        "postgres", "-D", data(), "-k", dir_.path(), "-c", "listen_addresses=", "-c", "shared_buffers=16MB"};
    for (const std::string& setting : settings_) words.insert(words.end(), {"-c", setting});
    pid_ = spawn(words);
    for (int tries = 0; tries < 1'000 && run({"pg_isready", "-q", "-h", dir_.path()}) != 0; ++tries) {
      // One that finds sessions of a killed server ends at once.
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = spawn(words);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  void stop(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// The sessions see the postmaster's end by themselves; a new server waits for theirs.
  void kill() { stop(SIGKILL); }

  std::string make_database(const std::string& name, const std::string& options = "") {
    REQUIRE(sql("CREATE DATABASE " + name + " " + options) == 0);
    return "postgres://virga@/" + name + "?host=" + dir_.path();
  }
  int sql(const std::string& text, const std::string& database = "postgres") {
    return run(
        {"psql", "-q", "-X", "-h", dir_.path(), "-U", "virga", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", text});
  }
  const std::string& folder() const { return dir_.path(); }
  uid_t uid() const { return uid_; }
  gid_t gid() const { return gid_; }

 private:
  std::string data() const { return dir_ / "data"; }

  pid_t spawn(const std::vector<std::string>& words) {
    const std::string program = bin_ + "/" + words.front();
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const std::string log = dir_ / "log";
    const pid_t child = fork();
    if (child != 0) return child;
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
    if (geteuid() == 0 &&
        (chown(log.c_str(), uid_, gid_) != 0 || setgroups(0, nullptr) != 0 || setgid(gid_) != 0 || setuid(uid_) != 0)) {
      _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);  // also a test that crashes leaves no server
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  int run(const std::vector<std::string>& words) {
    int status = 0;
    ::waitpid(spawn(words), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  TempDir dir_;
  std::vector<std::string> settings_;
  std::string bin_;
  std::string why_not_;
  uid_t uid_ = geteuid();
  gid_t gid_ = getegid();
  pid_t pid_ = -1;
};

/// The name in a url of make_database().
inline std::string database_of(const std::string& url) {
  const std::size_t end = url.find('?'), begin = url.rfind('/', end) + 1;
  return url.substr(begin, end - begin);
}

/// One for all tests of a program.
inline PostgresServer& shared_server() {
  static PostgresServer server;
  return server;
}

/// An empty database for each call.
inline std::string fresh_database(PostgresServer& server = shared_server()) {
  static int count = 0;
  return server.make_database("t" + std::to_string(++count));
}

}  // namespace virga::test
