// Users' files on nodes that share none: what is mounted there, and from where.
//
//   [storage.files] mount = "/data" blob = "https://acct.blob.core.windows.net/homes" key_file = "/etc/virga/key"
//   → Storage{"files", "/data", StorageKind::blob, "https://acct…/homes", "/etc/virga/key", …}
//
// The key itself is no part of it: configurations are journalled.
#pragma once

#include <cstdint>
#include <string>

#include "base/enum_names.hpp"
#include "base/time.hpp"

namespace virga {

enum class StorageKind : std::uint8_t { nfs, blob };
template <>
struct EnumNames<StorageKind> {
  static constexpr std::string_view names[] = {"nfs", "blob"};
};

struct Storage {
  std::string name;
  std::string mount;  ///< absolute and plain: no "..", no slash at its end
  StorageKind kind = StorageKind::nfs;
  std::string source;                         ///< "server:/export", or the container's URL
  std::string key_file;                       ///< of a container: the account's key; empty: the node's managed identity
  std::string options;                        ///< for mount -o, or words for rclone mount
  Duration save_time = Duration::minutes(5);  ///< what a job wrote must have reached it so long after its end
  bool checkpoints = false;                   ///< of the jobs on such nodes lie there

  friend bool operator==(const Storage&, const Storage&) = default;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("mount", s.mount);
    v("kind", s.kind);
    v("source", s.source);
    v("key_file", s.key_file);
    v("options", s.options);
    v("save_time", s.save_time);
    v("checkpoints", s.checkpoints);
  }
};

}  // namespace virga
