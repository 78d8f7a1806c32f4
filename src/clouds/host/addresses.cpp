#include "clouds/host/addresses.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>

#include "clouds/host/fabric.hpp"

namespace virga::host {

namespace {

constexpr std::uint32_t k_index_max = 60'000;  // 250 in each of the 240 last-but-one bytes

bool is_loopback_address(const std::string& name) {
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

}  // namespace

std::uint32_t choose_index(const std::string& node_name, const std::set<std::uint32_t>& taken) {
  std::size_t digits = node_name.find_last_not_of("0123456789") + 1;
  std::uint32_t wanted = 0;
  std::from_chars(node_name.data() + digits, node_name.data() + node_name.size(), wanted);
  if (wanted >= 1 && wanted <= k_index_max && !taken.count(wanted - 1)) return wanted - 1;
  std::uint32_t index = 0;
  while (taken.count(index)) ++index;
  return index;
}

std::string choose_address(const Home& home, const VmFile& file) {
  if (file.on_fabric()) return fabric_address(home, file.index);
  if (is_loopback_address(file.name)) return file.name;
  std::string prefix = plain_node_prefix(home);  // "127.77.0."
  prefix.resize(prefix.size() - 2);
  return fmt::format("{}{}.{}", prefix, file.index / 250, 1 + file.index % 250);
}

Status write_hosts(const Home& home, const std::string& cluster_name, const std::vector<VmFile>& nodes) {
  std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
  for (const VmFile& node : nodes) {
    if (!node.address.empty() && node.address != node.name) {
      text += fmt::format("{0} {1} {1}.{2}\n", node.address, node.name, cluster_name);
    }
  }
  if (auto machine = read_file("/etc/hosts")) text += "# of the machine\n" + *machine;
  UniqueFd fd(open(hosts_path(home).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd || fchmod(fd.get(), 0644) != 0) return fail_errno("open " + hosts_path(home));
  // One write, then the cut: a reader in between sees whole lines, at worst some twice.
  if (pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0) {
    return fail_errno("write " + hosts_path(home));
  }
  return {};
}

}  // namespace virga::host
