// Entering namespaces with the rights that their set-up needs.
#pragma once

#include "base/result.hpp"

namespace virga::host {

/// A new user namespace in which the caller keeps its user id and has every capability (the user tier).
Status enter_new_user_namespace();

/// Makes all permitted capabilities ambient, so that programs executed by an ordinary user keep them.
Status keep_capabilities_over_exec();

/// Mounts a fresh /proc, private /tmp and /dev/shm; the machine's /tmp stays reachable at `host_tmp` alone.
/// `shown` are paths that must stay visible if they lie below /tmp.
struct PrivateMounts {
  const char* host_tmp;
  const char* shown[2];
  unsigned long long tmp_bytes_max;
};
Status make_private_mounts(const PrivateMounts& wanted);

}  // namespace virga::host
