// Daemons that outlive us, known by their pid files.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"

namespace virga::slurm {

/// "" where it cannot be read.
std::string text_of(const std::string& path);

/// The process that a pid file names, if it is still that program.
std::optional<pid_t> running(const std::string& pid_file, const std::string& program);
/// SIGTERM, and SIGKILL where that does not help within some seconds.
void end_process(const std::string& pid_file, const std::string& program);

/// Whether somebody accepts connections there.
bool answers(const std::string& socket_path);
bool answers(std::uint16_t port);

/// What a file says of a port in a line that begins with `key`, so that it stays the same; 0 where there is none.
std::uint16_t known_port(const std::string& file, const std::string& key);
/// That one, else a free one that is not among the `taken`.
std::uint16_t choose_port(const std::string& file, const std::string& key, std::uint64_t seed,
                          const std::set<std::uint16_t>& taken);

/// "cannot WHAT: strerror(errno)"
tl::unexpected<Error> cannot(const std::string& what);

}  // namespace virga::slurm
