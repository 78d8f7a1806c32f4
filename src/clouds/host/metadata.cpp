#include "clouds/host/metadata.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>

#include "clouds/host/fabric.hpp"
#include "clouds/host/process.hpp"
#include "clouds/host/spawn.hpp"
#include "clouds/host/vm_file.hpp"

namespace virga::host {

namespace {

constexpr std::uint16_t k_port = 80;
constexpr std::int64_t k_patience_ms = 10'000;

/// What a message that carries one descriptor looks like, for both ends.
struct DescriptorMessage {
  char text[256] = "";
  iovec part{text, 0};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = "";
  msghdr header{};

  DescriptorMessage() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
};

Status send_descriptor(int socket, int descriptor) {
  DescriptorMessage message;
  message.text[0] = '\n';
  message.part.iov_len = 1;
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  if (sendmsg(socket, &message.header, MSG_NOSIGNAL) < 0) return fail_errno("hand over the metadata socket");
  return {};
}

/// Or the words that came instead.
Result<UniqueFd> receive_descriptor(int socket) {
  DescriptorMessage message;
  message.part.iov_len = sizeof message.text;
  const ssize_t size = recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
  const cmsghdr* control = size > 0 ? CMSG_FIRSTHDR(&message.header) : nullptr;
  if (control != nullptr && control->cmsg_type == SCM_RIGHTS) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(control), sizeof descriptor);
    return UniqueFd(descriptor);
  }
  std::string words(message.text, size > 0 ? static_cast<std::size_t>(size) : 0);
  return fail(Code::internal, words.empty() ? "ended without a word" : words);
}

Result<UniqueFd> listen_in_fabric(const Home& home, Tier tier) {
  const pid_t fabric = lock_holder(fabric_lock_path(home));
  if (fabric == 0) return fail(Code::unavailable, "the fabric's process is gone");
  if (tier == Tier::user) {
    if (auto ok = join_fabric_users(fabric); !ok) return unexpected(ok.error());
  }
  UniqueFd network(open(fmt::format("/proc/{}/ns/net", fabric).c_str(), O_RDONLY | O_CLOEXEC));
  if (!network || setns(network.get(), CLONE_NEWNET) != 0) return fail_errno("enter the fabric's network");
  // The way back to the nodes, whatever addresses they have. All is there already if an earlier controller did this.
  const std::string batch = fmt::format("addr replace {}/32 dev br0\nroute replace default dev br0 src {}\n",
                                        k_metadata_address, k_metadata_address);
  if (auto ok = run_ip(batch); !ok) return unexpected(ok.error());
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener) return fail_errno("make a socket");
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(k_port);
  inet_pton(AF_INET, k_metadata_address, &address.sin_addr);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0) {
    return fail_errno(fmt::format("listen on {}:{}", k_metadata_address, k_port));
  }
  return listener;
}

}  // namespace

Result<UniqueFd> open_metadata_listener(const Home& home, const std::string& node_program, Tier tier) {
  auto child = spawn({node_program, "vm", "metadata", home.path, std::string(name_of(tier))});
  if (!child) return unexpected(child.error());
  timeval patience{k_patience_ms / 1000, 0};
  setsockopt(child->out.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  auto listener = receive_descriptor(child->out.get());
  if (!listener) kill(child->pid, SIGKILL);
  while (waitpid(child->pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!listener) return fail(listener.error().code, "the metadata service's address: " + listener.error().message);
  return listener;
}

int run_metadata_listener(const Home& home, Tier tier) {
  UniqueFd out(fcntl(1, F_DUPFD_CLOEXEC, 3));
  dup2(2, 1);
  auto listener = listen_in_fabric(home, tier);
  Status handed = listener ? send_descriptor(out.get(), listener->get()) : Status(unexpected(listener.error()));
  if (handed) return 0;
  [[maybe_unused]] ssize_t n = write(out.get(), handed.error().message.data(), handed.error().message.size());
  return 1;
}

}  // namespace virga::host
