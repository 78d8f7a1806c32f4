#include "engines/slurm/daemons.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "wire/unix_address.hpp"

namespace virga::slurm {
namespace {

constexpr int k_stop_tries = 200;
constexpr int k_stop_step_ms = 50;
constexpr std::uint16_t k_first_port = 20'000;
constexpr std::uint16_t k_ports = 12'000;

sockaddr_in port_address(std::uint16_t port, std::uint32_t host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

bool is_free(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = port_address(port, INADDR_ANY);
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return bound;
}

bool runs(pid_t pid, const std::string& program) {
  if (pid <= 1 || kill(pid, 0) != 0) return false;
  std::string name = text_of("/proc/" + std::to_string(pid) + "/comm");
  if (!name.starts_with(program)) return false;
  const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = stat.rfind(')');
  return end == std::string::npos || end + 2 >= stat.size() || stat[end + 2] != 'Z';
}

}  // namespace

tl::unexpected<Error> cannot(const std::string& what) {
  return fail(Code::internal, "cannot " + what + ": " + std::strerror(errno));
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint16_t known_port(const std::string& file, const std::string& key) {
  std::istringstream known(text_of(file));
  for (std::string line; std::getline(known, line);) {
    if (line.starts_with(key + "=")) return static_cast<std::uint16_t>(std::atoi(line.c_str() + key.size() + 1));
  }
  return 0;
}

std::uint16_t choose_port(const std::string& file, const std::string& key, std::uint64_t seed,
                          const std::set<std::uint16_t>& taken) {
  if (const std::uint16_t known = known_port(file, key); known != 0) return known;
  const auto first = static_cast<std::uint16_t>(seed % k_ports);
  for (std::uint16_t i = 0; i < k_ports; ++i) {
    const auto port = static_cast<std::uint16_t>(k_first_port + (first + i) % k_ports);
    if (!taken.contains(port) && is_free(port)) return port;
  }
  return k_first_port;
}

bool answers(const std::string& socket_path) {
  const Result<sockaddr_un> address = unix_address(socket_path);
  if (!address) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  close(fd);
  return connected;
}

bool answers(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = port_address(port, INADDR_LOOPBACK);
  const bool connected = fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

std::optional<pid_t> running(const std::string& pid_file, const std::string& program) {
  const pid_t pid = std::atoi(text_of(pid_file).c_str());
  return runs(pid, program) ? std::optional(pid) : std::nullopt;
}

/// slurmctld removes its pid file first, and then writes down what it knows.
void end_process(const std::string& pid_file, const std::string& program) {
  const auto pid = running(pid_file, program);
  if (!pid) return;
  kill(*pid, SIGTERM);
  for (int i = 0; i < k_stop_tries && runs(*pid, program); ++i) poll(nullptr, 0, k_stop_step_ms);
  if (runs(*pid, program)) kill(*pid, SIGKILL);
}

}  // namespace virga::slurm
