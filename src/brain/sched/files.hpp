// Where a job's files lie, for nodes that see nothing of this machine's files but what is mounted there.
//
//   if (auto lost = file_off_storage(config.storage, spec)) …"output file /var/log/slurm-%j.out"…
//
// Only names are looked at: links are not followed, and what patterns such as %j stand for has no "/".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/job.hpp"

namespace virga {

/// An absolute path without ".", ".." and double slashes; "/" stays, others have no slash at their end.
std::string plain_path(std::string_view path);
/// Whether `path` is `folder` or lies below it; both plain.
bool lies_in(std::string_view path, std::string_view folder);
/// The first of the job's files that lies on no storage; nothing if all of them do. The work folder may also be "/" or
/// "/tmp", which every node has.
std::optional<std::string> file_off_storage(const std::vector<Storage>& storage, const JobSpec& spec);
/// Whether none of them lies elsewhere.
bool lies_on_storage(const std::vector<Storage>& storage, const JobSpec& spec);

}  // namespace virga
