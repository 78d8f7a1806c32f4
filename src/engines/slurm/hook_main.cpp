// The environment of both is described in Slurm's "Prolog and Epilog Guide".
#include "engines/slurm/hook_main.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "engines/slurm/ledger.hpp"
#include "engines/slurm/listing.hpp"
#include "wire/home.hpp"
#include "wire/host_tmp.hpp"
#include "wire/unix_address.hpp"

namespace virga {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

void poke(const std::string& folder, char what) {
  const Result<sockaddr_un> address = unix_address(folder + "/poke.sock");
  if (!address) return;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)sendto(fd, &what, 1, 0, reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  close(fd);
}

std::string folder_of(int argc, char** argv) { return Home{argv[1]}.slurm(argc == 4 ? argv[3] : ""); }

/// slurmd gives its programs a clean environment; it has the node's own.
std::string parents_variable(const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(getppid()) + "/environ");
  for (std::string entry; std::getline(file, entry, '\0');) {
    if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
  }
  return "";
}

}  // namespace

int virga_node_slurm_hook_main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  const std::string folder = folder_of(argc, argv);
  const auto key = slurm::key_of(variable("SLURM_JOB_COMMENT"), argv[2]);
  ExitStatus exit;
  if (key && std::sscanf(variable("SLURM_JOB_EXIT_CODE2").c_str(), "%u:%u", &exit.code, &exit.signal) == 2) {
    const auto id = static_cast<std::uint32_t>(std::strtoul(variable("SLURM_JOB_ID").c_str(), nullptr, 10));
    const bool never_ran = exit.signal == slurm::k_launch_failure_signal;
    if (Status noted = slurm::Ledger(folder + "/jobs").note_ended(*key, exit, never_ran, id); !noted) {
      std::fprintf(stderr, "virga-node slurm-hook: %s\n", noted.error().message.c_str());
    }
  }
  poke(folder, key ? '!' : slurm::k_foreign_poke);
  return 0;
}

int virga_node_slurm_prolog_main(int argc, char** argv) {
  const bool is_complete = argc == 3 || argc == 4;
  if (is_complete && variable("SLURM_JOB_PARTITION") == argv[2]) poke(folder_of(argc, argv), slurm::k_foreign_poke);
  const std::string host_tmp = parents_variable("VIRGA_HOST_TMP");
  const std::string folder = variable("SLURM_JOB_WORK_DIR");
  if (host_tmp.empty() || folder.empty()) return 0;
  if (Status exposed = expose_tmp_component(host_tmp, folder); !exposed) {
    std::fprintf(stderr, "virga-node slurm-prolog: %s\n", exposed.error().message.c_str());
  }
  return 0;
}

}  // namespace virga
