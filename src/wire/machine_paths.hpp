// What a bootstrap needs of the machine that a virtual node runs on, said in the bootstrap itself.
//
//   script = "#!/bin/sh\n" + machine_path_line("/var/lib/virga/run") + "exec virga-node agent …\n";
//   machine_paths(script);      // {"/var/lib/virga/run"}
//
// Nodes that share no files with the machine see its system folders, these paths, and nothing else. Whoever writes the
// bootstrap is the node's administrator: what he names here is meant for him. To any other cloud it is a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virga {

/// One line of the script, with its end; "" for a path that cannot stand in one.
std::string machine_path_line(const std::string& path);
/// Absolute ones only, in the order of the script.
std::vector<std::string> machine_paths(std::string_view script);

}  // namespace virga
