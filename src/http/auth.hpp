// Who asks: the kernel's word on a Unix socket, a token over TCP.
//
//   Identities identities({.daemon_uid = geteuid(), .operator_group = "virga-operators"});
//   Actor actor = identities.actor_of_peer(fd).value();
//   TokenTable tokens = TokenTable::load("/etc/virga/tokens").value();
//   std::optional<std::string> user = tokens.user_of("Bearer 3f…");
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/job.hpp"

namespace virga {

/// Turns user ids and names into actors. What the user database says is remembered for a short while, so that
/// thousands of short connections do not ask it each time.
class Identities {
 public:
  Identities(std::uint32_t daemon_uid, std::string operator_group)
      : daemon_uid_(daemon_uid), operator_group_(std::move(operator_group)) {}

  Result<Actor> actor_of_peer(int fd);
  Result<Actor> actor_of_name(const std::string& user);
  Actor actor_of_uid(std::uint32_t uid, std::uint32_t gid);
  void set_operator_group(std::string group);

 private:
  struct Known {
    std::string user;
    bool is_operator = false;
    std::chrono::steady_clock::time_point until;
  };
  bool is_operator(std::uint32_t uid, const std::string& user, std::uint32_t gid) const;

  std::uint32_t daemon_uid_;
  std::string operator_group_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Known> known_;
};

/// Lines `token user`; blank lines and those that start with # are skipped.
class TokenTable {
 public:
  /// Refuses a file that others than its owner can read.
  static Result<TokenTable> load(const std::string& path);

  /// The user of an Authorization header. Takes equally long whichever token is nearly right.
  std::optional<std::string> user_of(std::string_view authorization) const;
  std::size_t size() const { return rows_.size(); }

 private:
  struct Row {
    std::string token;
    std::string user;
  };
  std::vector<Row> rows_;
};

}  // namespace virga
