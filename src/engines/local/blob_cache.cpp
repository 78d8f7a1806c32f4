#include "engines/local/blob_cache.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

#include "wire/encodings.hpp"

namespace virga {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* k_node_folder = "/run/virga";
constexpr const char* k_folder = "/run/virga/storage";
constexpr milliseconds k_look_again{100};
constexpr milliseconds k_answer_limit{5000};
/// The kernel tells rclone of a closed file a moment after close() has returned: one look at an empty queue is no
/// proof.
constexpr int k_quiet_looks = 2;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int number_after(const std::string& text, std::string_view key) {
  std::size_t at = text.find(key);
  if (at == std::string::npos) return -1;
  at = text.find_first_of("0123456789", at + key.size());
  int value = -1;
  if (at != std::string::npos) std::from_chars(text.data() + at, text.data() + text.size(), value);
  return value;
}

/// What rclone answers at its control address; "" for nothing.
std::string ask(std::uint16_t port, const std::string& request, Clock::time_point limit) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto left = std::clamp<std::int64_t>(std::chrono::duration_cast<milliseconds>(limit - Clock::now()).count(), 1,
                                             k_answer_limit.count());
  const timeval patience{left / 1000, (left % 1000) * 1000};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send(connection, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t n; (n = recv(connection, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(n));
    }
  }
  if (connection >= 0) close(connection);
  return answer;
}

}  // namespace

int files_to_upload(const std::string& stats) {
  const int queued = number_after(stats, "\"uploadsQueued\"");
  const int under_way = number_after(stats, "\"uploadsInProgress\"");
  return queued < 0 || under_way < 0 ? -1 : queued + under_way;
}

BlobCache::BlobCache(const std::string& storage) : stem_(std::string(k_folder) + "/" + storage) {}

Status BlobCache::prepare() {
  mkdir(k_node_folder, 0700);
  mkdir(k_folder, 0700);
  unsigned char random[16];
  if (getrandom(random, sizeof random, 0) != sizeof random) return fail(Code::internal, "no random numbers");
  std::string word;
  for (const unsigned char byte : random) word += fmt::format("{:02x}", byte);
  const std::string path = stem_ + ".rc";
  unlink(path.c_str());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && write(fd, word.data(), word.size()) == static_cast<ssize_t>(word.size());
  if (fd >= 0) close(fd);
  if (!written) return fail(Code::internal, "cannot write " + path + ": " + std::strerror(errno));
  return {};
}

std::string BlobCache::password() const { return text_of(stem_ + ".rc"); }

std::string BlobCache::log() const { return text_of(log_file()); }

std::uint16_t BlobCache::find_port() const {
  const int port = number_after(log(), "Serving remote control on http://127.0.0.1:");
  return port > 0 && port < 65536 ? static_cast<std::uint16_t>(port) : 0;
}

std::string BlobCache::wait_until_uploaded(Clock::time_point limit) const {
  const std::uint16_t port = find_port();
  const std::string request =
      fmt::format("POST /vfs/stats HTTP/1.0\r\nAuthorization: Basic {}\r\nContent-Length: 0\r\n\r\n",
                  to_base64("virga:" + password()));
  int left = -1;
  for (int quiet = 0;;) {
    const std::string stats = ask(port, request, limit);
    if (stats.empty()) return "rclone, which serves it, does not answer";
    left = files_to_upload(stats);
    if (left < 0) return "rclone, which serves it, does not say what it has to upload";
    quiet = left == 0 ? quiet + 1 : 0;
    if (quiet >= k_quiet_looks) return "";
    if (Clock::now() + k_look_again >= limit) break;
    poll(nullptr, 0, static_cast<int>(k_look_again.count()));
  }
  return fmt::format("{} file{} of the jobs on this node not uploaded in time", left, left == 1 ? "" : "s");
}

}  // namespace virga
