// See the header.
#include "wire/home.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace virga {
namespace {

/// sun_path holds 108 bytes with the closing zero; ids of VMs are given out one by one, so ten digits are plenty.
constexpr std::size_t k_socket_path_max = 107;
constexpr VmId k_longest_vm_id{9'999'999'999};

/// Of the package virga-controller (packaging/debian): where its configuration is, and where its service lives.
constexpr const char* k_service_config = "/etc/virga/virga.toml";
constexpr const char* k_service_home = "/var/lib/virga";

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// The user's home folder as the user database knows it, for programs that were started without $HOME.
std::string user_home() {
  if (const auto home = environment("HOME"); !home.empty()) return std::string(home);
  const passwd* user = getpwuid(getuid());
  return user == nullptr || user->pw_dir == nullptr ? std::string() : user->pw_dir;
}

/// HOME of a program HOME/libexec/NAME that belongs to one instance; "" for all others.
std::string home_around_program() {
  std::error_code none;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  if (none || folder.filename() != "libexec") return {};
  const std::string home = folder.parent_path().string();
  return access((home + "/virga.toml").c_str(), F_OK) == 0 ? home : std::string();
}

}  // namespace

Result<Home> home_from_environment() {
  std::string path = home_around_program();
  std::string origin = "VIRGA_HOME";
  if (path.empty()) path = environment("VIRGA_HOME");
  if (path.empty() && access(k_service_config, F_OK) == 0) path = k_service_home;
  if (path.empty() && !environment("XDG_STATE_HOME").empty()) {
    path = std::string(environment("XDG_STATE_HOME")) + "/virga";
    origin = "XDG_STATE_HOME";
  } else if (path.empty()) {
    const auto home = user_home();
    if (home.empty())
      return fail(Code::invalid, "neither VIRGA_HOME nor HOME is set; set VIRGA_HOME=/path/of/a/folder");
    path = home + "/.local/state/virga";
    origin = "HOME";
  }
  if (path.front() != '/') {
    return fail(Code::invalid, fmt::format("{} is the relative path \"{}\"; set it to one that starts with /", origin,
                                           environment(origin.c_str())));
  }
  path = std::filesystem::path(path).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.find_first_of("\n\r") != std::string::npos || path == "/") {
    return fail(Code::invalid, fmt::format("{} names no folder of its own; set VIRGA_HOME=/path/of/a/folder", origin));
  }
  Home home{path};
  const auto longest = home.agent_socket(k_longest_vm_id).size();
  if (longest > k_socket_path_max) {
    return fail(
        Code::invalid,
        fmt::format("the folder {} has a name of {} bytes, too long for the sockets below it; set VIRGA_HOME to "
                    "a path of at most {} bytes",
                    path, path.size(), path.size() - (longest - k_socket_path_max)));
  }
  return home;
}

std::vector<std::string> api_sockets(const Home& home) {
  std::vector<std::string> others;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(home.run(), none)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("virgad-") && name.ends_with(".sock")) others.push_back(entry.path().string());
  }
  std::sort(others.begin(), others.end());
  others.insert(others.begin(), Home{home.path}.api_socket());
  return others;
}

}  // namespace virga
