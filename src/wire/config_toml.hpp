// virga.toml: the text a platform engineer writes, turned into core/config.hpp's Config. docs/configuration.md is its
// manual.
//
//   Result<Config> config = parse_config(text, "/var/lib/virga/virga.toml", ConfigContext{});
//   if (!config) std::cerr << config.error().message;   // one line a mistake: file:line:column: what; what instead
//
// All mistakes of a text are told at once. An empty text is a good one: it means default_config_text().
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

/// What the machine decides and no file can.
struct ConfigContext {
  /// Where virtual nodes are plain processes on loopback addresses, a node's name must be its own address, since
  /// nobody may write /etc/hosts: the first two numbers of those addresses ("127.77."); pool i gets "127.77.<i>.".
  /// Empty where nodes have names of their own.
  std::string plain_network;
  /// For the simulator: pools of any cloud, and as many nodes as a supercomputer has.
  bool simulated = false;
};

/// `file_name` is only for the messages.
Result<Config> parse_config(std::string_view text, const std::string& file_name, const ConfigContext& context);

/// A commented virga.toml that says what holds without one; parse_config() of it and of "" are equal.
std::string default_config_text();

}  // namespace virga
