// The first process of a node: process 1 of its pid namespace, or (plain tier) the subreaper of its process tree.
//
// It runs the user data as the node's administrator, reaps orphans, and ends when the user data ends or SIGTERM comes.
// With it everything in the node ends.
#pragma once

#include "clouds/host/boot.hpp"
#include "clouds/host/sys.hpp"
#include "clouds/host/vm_file.hpp"

namespace virga::host {

struct InitPlan {
  Home home;
  VmFile file;
  BootReporter* report;
  UniqueFd ready;   ///< one byte: all steps are done
  UniqueFd uplink;  ///< this machine's network, if file.has_uplink()
  UniqueFd go;      ///< one byte: run the user data; end of file: the launcher is dead
};

[[noreturn]] void run_init(InitPlan plan);

}  // namespace virga::host
