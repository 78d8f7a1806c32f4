// The files of a node that shares none, made in a child with mounts of its own. Only root may.
#include "clouds/host/private_files.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace virga::host_test {
namespace {

constexpr int k_forbidden = 77;

bool can_write_in(const std::string& folder) {
  const host::UniqueFd file(open((folder + "/written").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return static_cast<bool>(file);
}

/// How `look` ends in a node of these files.
int exit_code_in_node(const host::PrivateFiles& files, int (*look)(const std::string& folder),
                      const std::string& folder) {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0) _exit(k_forbidden);
    if (Status made = host::make_private_files(files); !made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      _exit(100);
    }
    _exit(look(folder));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("below a system folder, too, programs are read only and what is kept is as it is on the machine") {
  if (geteuid() != 0) return;
  std::string folder = "/opt/virga-test-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  for (const char* name : {"/staging", "/site", "/site/bin", "/site/run"}) mkdir((folder + name).c_str(), 0755);
  std::ofstream(folder + "/hosts") << "127.0.0.1 localhost\n";
  host::PrivateFiles files;
  files.staging = folder + "/staging";
  files.programs = folder + "/site/bin";
  files.kept = {folder + "/site/run"};
  files.hosts = folder + "/hosts";
  files.bytes_max = 64 << 20;
  const int code = exit_code_in_node(
      files,
      [](const std::string& place) {
        return (can_write_in(place) ? 1 : 0) + (can_write_in(place + "/site/bin") ? 2 : 0) +
               (can_write_in(place + "/site/run") ? 4 : 0);
      },
      folder);
  if (code != k_forbidden) {
    CHECK(code == 4);
    CHECK(std::filesystem::exists(folder + "/site/run/written"));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace virga::host_test
