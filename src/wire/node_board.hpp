// What a controller tells machines that it does not make itself: which node each of them is, and what it has to run.
//
//   NodeBoard board(home.board());
//   board.put({{"0b5c…", {"nd1", VmId{7}, "10.64.0.4", "#!/bin/sh\n…"}}});       // in virgad, by the machine's id
//   Result<std::optional<NodeEntry>> me = board.read("0b5c…");                   // in virga-node join
//
// A folder that both can read: machines/ID for each machine, replaced atomically, and hosts, which has the names and
// addresses of all of them in the form of /etc/hosts and is always the same file, so that it can be mounted over
// /etc/hosts. Only its owner can write or list it.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace virga {

struct NodeEntry {
  std::string name;  ///< of the node: "nd1"
  VmId vm;
  std::string address;
  std::string bootstrap;  ///< a script that starts with "#!" and stays in the foreground

  friend bool operator==(const NodeEntry&, const NodeEntry&) = default;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("vm", s.vm);
    v("address", s.address);
    v("bootstrap", s.bootstrap);
  }
};

class NodeBoard {
 public:
  explicit NodeBoard(std::string folder) : folder_(std::move(folder)) {}

  /// By the machines' ids, which may have letters, digits and "-". From any thread.
  Status put(const std::map<std::string, NodeEntry>& machines);
  /// A machine is this VM no longer. From any thread.
  void remove(VmId vm);
  /// Nothing: the machine is no node yet.
  Result<std::optional<NodeEntry>> read(const std::string& machine) const;
  std::string hosts_file() const { return folder_ + "/hosts"; }

 private:
  Status load();
  Status write_hosts() const;

  const std::string folder_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::map<std::string, NodeEntry> machines_;  ///< once loaded
};

}  // namespace virga
