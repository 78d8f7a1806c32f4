// Acting as the job's user: for a moment (opening its files), and for good (its processes).
//
//   ActAs user(identity);
//   int fd = open(path, O_CREAT | O_WRONLY, 0666);   // with the user's rights, not the administrator's
//
// Where the agent runs as that user already (with capabilities of a user namespace), only the capabilities are set
// aside.
#pragma once

#include <sys/types.h>

#include <vector>

#include "wire/agent_protocol.hpp"

namespace virga {

struct JobIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

JobIdentity identity_of(const JobBinding& binding);

class ActAs {
 public:
  explicit ActAs(const JobIdentity& identity);
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  bool changed_ = false;
  uid_t uid_;
  gid_t gid_;
  std::vector<gid_t> groups_;
};

/// Becomes the user, for good, in a child that is about to run the job's program. Returns 0 or errno. Allocates nothing
/// and locks nothing, so that it may be called between vfork() and execve().
int become(const JobIdentity& identity);

}  // namespace virga
