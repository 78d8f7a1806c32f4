#include "http/auth.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

namespace virga {
namespace {

constexpr auto k_remember = std::chrono::seconds(30);
constexpr std::size_t k_users_remembered_max = 10'000;
constexpr std::size_t k_token_file_bytes_max = 1 << 20;
constexpr std::size_t k_token_length_min = 16;

/// The user database's entry, copied out of its buffer.
struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

template <class Ask>
std::optional<User> ask_user_database(Ask ask) {
  std::string buffer(1024, '\0');
  passwd entry{};
  passwd* found = nullptr;
  int error;
  while ((error = ask(&entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < (1 << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  if (error != 0 || found == nullptr) return std::nullopt;
  return User{found->pw_name, found->pw_uid, found->pw_gid};
}

std::optional<std::uint32_t> group_id(const std::string& name) {
  std::string buffer(1024, '\0');
  group entry{};
  group* found = nullptr;
  int error;
  while ((error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found)) == ERANGE &&
         buffer.size() < (1 << 24)) {
    buffer.resize(buffer.size() * 2);
  }
  if (error != 0 || found == nullptr) return std::nullopt;
  return found->gr_gid;
}

/// Looks at every byte of `expected` whatever `given` is.
bool equal_in_constant_time(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    unsigned char g = i < given.size() ? static_cast<unsigned char>(given[i]) : 0;
    difference |= static_cast<unsigned>(g ^ static_cast<unsigned char>(expected[i]));
  }
  volatile unsigned result = difference;
  return result == 0;
}

Result<std::string> read_private_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::invalid, "cannot read the token file " + path + ": " + std::strerror(errno));
  struct stat info {};
  std::string text;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) == 0) {
    char bytes[4096];
    long n;
    while (text.size() <= k_token_file_bytes_max && (n = ::read(fd, bytes, sizeof bytes)) > 0) {
      text.append(bytes, static_cast<std::size_t>(n));
    }
    ::close(fd);
    if (text.size() > k_token_file_bytes_max) return fail(Code::invalid, "the token file " + path + " is too large");
    return text;
  }
  ::close(fd);
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, "the token file " + path + " is no regular file");
  return fail(Code::denied, "the token file " + path + " can be used by others than its owner; chmod 600 it");
}

}  // namespace

bool Identities::is_operator(std::uint32_t uid, const std::string& user, std::uint32_t gid) const {
  if (uid == 0 || uid == daemon_uid_) return true;
  std::optional<std::uint32_t> wanted = operator_group_.empty() ? std::nullopt : group_id(operator_group_);
  if (!wanted) return false;
  if (gid == *wanted) return true;
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) return false;
  }
  for (int i = 0; i < count; ++i) {
    if (groups[static_cast<std::size_t>(i)] == *wanted) return true;
  }
  return false;
}

Actor Identities::actor_of_uid(std::uint32_t uid, std::uint32_t gid) {
  const auto now = std::chrono::steady_clock::now();
  auto it = known_.find({uid, gid});
  if (it == known_.end() || it->second.until <= now) {
    if (known_.size() >= k_users_remembered_max) known_.clear();
    std::optional<User> user =
        ask_user_database([&](passwd* p, char* b, std::size_t n, passwd** f) { return ::getpwuid_r(uid, p, b, n, f); });
    std::string name = user ? user->name : std::to_string(uid);
    bool operates = is_operator(uid, name, gid);
    it = known_.insert_or_assign({uid, gid}, Known{name, operates, now + k_remember}).first;
  }
  return Actor{uid, gid, it->second.user, it->second.is_operator};
}

Result<Actor> Identities::actor_of_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail(Code::internal, std::string("no peer credentials: ") + std::strerror(errno));
  }
  return actor_of_uid(peer.uid, peer.gid);
}

Result<Actor> Identities::actor_of_name(const std::string& name) {
  std::optional<User> user = ask_user_database(
      [&](passwd* p, char* b, std::size_t n, passwd** f) { return ::getpwnam_r(name.c_str(), p, b, n, f); });
  if (!user) return fail(Code::denied, "the token's user '" + name + "' is unknown on this machine");
  return actor_of_uid(user->uid, user->gid);
}

void Identities::set_operator_group(std::string group) {
  operator_group_ = std::move(group);
  known_.clear();
}

Result<TokenTable> TokenTable::load(const std::string& path) {
  Result<std::string> text = read_private_file(path);
  if (!text) return unexpected(text.error());
  TokenTable table;
  std::istringstream lines(*text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    Row row;
    std::string more;
    if (!(words >> row.token) || row.token.starts_with('#')) continue;
    std::string where = path + ":" + std::to_string(number) + ": ";
    if (!(words >> row.user) || (words >> more)) {
      return fail(Code::invalid, where + "must be `token user`, with a blank between them");
    }
    if (row.token.size() < k_token_length_min) {
      return fail(Code::invalid, where + "the token is shorter than 16 characters and could be guessed");
    }
    table.rows_.push_back(std::move(row));
  }
  if (table.rows_.empty()) return fail(Code::invalid, path + ": there is no token in it");
  return table;
}

std::optional<std::string> TokenTable::user_of(std::string_view authorization) const {
  constexpr std::string_view k_scheme = "Bearer ";
  if (!authorization.starts_with(k_scheme)) return std::nullopt;
  std::string_view given = authorization.substr(k_scheme.size());
  const Row* found = nullptr;
  for (const Row& row : rows_) {
    if (equal_in_constant_time(given, row.token)) found = &row;
  }
  if (found == nullptr) return std::nullopt;
  return found->user;
}

}  // namespace virga
