#include "wire/fabric_topograph.hpp"

#include <fmt/format.h>

#include "wire/hostlist.hpp"

namespace virga {
namespace {

/// "n[1-3],m7" as two quoted words: commas in brackets do not part them.
std::string quoted_ranges(const std::string& hostlist) {
  std::string out = "\"";
  bool in_brackets = false;
  for (const char c : hostlist) {
    in_brackets = c == '[' || (in_brackets && c != ']');
    if (c == ',' && !in_brackets) {
      out += "\", \"";
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string write_topograph(const SwitchTree& tree) {
  std::string switches;
  std::string blocks;
  for (const auto& s : tree.switches) {
    if (!s.children.empty()) {
      std::vector<std::string> children;
      for (const std::uint32_t child : s.children) children.push_back(tree.switches[child].name);
      switches += fmt::format("  {}:\n    switches: [{}]\n", s.name, fmt::join(children, ", "));
    }
    if (!s.hosts.empty()) {
      std::vector<std::string> hosts;
      for (const std::uint32_t host : s.hosts) hosts.push_back(tree.hosts[host]);
      blocks += fmt::format("- switch: {}\n  nodes: [{}]\n", s.name, quoted_ranges(compress_hostlist(hosts)));
    }
  }
  return "switches:" + (switches.empty() ? " {}\n" : "\n" + switches) + "blocks:\n" + blocks;
}

}  // namespace virga
