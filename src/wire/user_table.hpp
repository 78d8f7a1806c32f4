// What the system knows of a job's owner, remembered for a while: a submission storm must not become a storm of
// look-ups.
#pragma once

#include <chrono>
#include <map>

#include "base/result.hpp"
#include "core/job.hpp"

namespace virga {

struct UserEntry {
  std::string name;
  std::uint32_t gid = 0;                 ///< the actor's if he is a member of it, else his primary group
  std::vector<std::uint32_t> groups;     ///< supplementary
  std::vector<std::string> group_names;  ///< in the same order
  std::string home_dir;
  std::string shell;
};

class UserTable {
 public:
  /// Code::not_found for a uid without an entry, Code::denied for one that this process cannot become.
  Result<UserEntry> look_up(const Actor& owner);

 private:
  struct Remembered {
    UserEntry entry;
    std::chrono::steady_clock::time_point until;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, Remembered> remembered_;
};

}  // namespace virga
