// A virtual node has its own /tmp. When a job's files lie below this machine's /tmp, the node's administrator brings
// them in, one top-level entry at a time.
//
//   expose_from_host_tmp("/tmp/alice/run7");   // now /tmp/alice of the machine is /tmp/alice of the node
//
// The host cloud keeps the machine's /tmp inside the node where only the administrator gets at it, and names the place
// in $VIRGA_HOST_TMP. Without that variable the node shares the machine's /tmp and there is nothing to do.
#pragma once

#include <string>

#include "base/result.hpp"

namespace virga {

/// Does nothing for a path outside /tmp, and for one that is exposed already. Code::not_found: the machine has no such
/// entry; Code::conflict: the node's /tmp has another one of that name.
Status expose_from_host_tmp(const std::string& path);

/// The same, with the place of the machine's /tmp given.
Status expose_tmp_component(const std::string& host_tmp, const std::string& path);

}  // namespace virga
