// Users of a node with files of its own, which knows nobody but the system's: each is added when his job comes, with
// the ids that he has everywhere.
//
//   NodeUsers users("/etc");
//   if (Status known = users.add(binding); !known) refuse(known.error().message);
#pragma once

#include <string>

#include "base/result.hpp"
#include "wire/agent_protocol.hpp"

namespace virga {

class NodeUsers {
 public:
  /// Where passwd and group are.
  explicit NodeUsers(std::string folder) : folder_(std::move(folder)) {}

  /// Does nothing for a user who is there. Code::conflict: the name is somebody else's here.
  Status add(const JobBinding& binding) const;

 private:
  Status append(const std::string& table, const std::string& lines) const;

  std::string folder_;
};

/// The user's home folder, empty and his, if there is nothing of that name yet.
void make_home_folder(const JobBinding& binding);

}  // namespace virga
