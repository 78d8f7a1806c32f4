// The address of a Unix socket. Code::invalid for a path that does not fit: 107 bytes are the most.
//
//   Result<sockaddr_un> address = unix_address(home.api_socket());
//   bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "base/result.hpp"

namespace virga {

inline Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Code::invalid, "the socket's path is longer than 107 bytes: " + path + "; choose a shorter VIRGA_HOME");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace virga
