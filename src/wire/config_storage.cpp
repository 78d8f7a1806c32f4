#include "wire/config_storage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "brain/sched/files.hpp"
#include "wire/blob_url.hpp"
#include "wire/config_names.hpp"

namespace virga {
namespace {

/// What a node cannot do without, or keeps for itself.
constexpr std::string_view k_system_folders[] = {"/bin",   "/boot",   "/dev",       "/etc",    "/lib", "/lib32",
                                                 "/lib64", "/libx32", "/opt",       "/proc",   "/run", "/sbin",
                                                 "/sys",   "/usr",    "/var/cache", "/var/run"};
/// Ours already, or such that saving would not work any more.
constexpr std::string_view k_own_options[] = {
    "--rc", "--daemon", "--config", "--log", "--vfs-cache-mode", "--vfs-write-back", "--cache-dir", "--azureblob"};
constexpr DurationRange k_save_times{Duration::seconds(1), Duration::minutes(24 * 60)};

void read_mount(TomlSection& section, const Config& config, Storage& storage) {
  if (!section.long_text("mount", storage.mount)) {
    if (!section.has("mount")) section.wrong("mount", "missing; write where nodes have it, such as \"/data\"");
    return;
  }
  const std::string given = storage.mount;
  const bool is_clean = given.find_first_of(" \t\n\\:") == std::string::npos;  // as /proc/mounts and options show it
  if (!given.starts_with('/') || plain_path(given) != given || given == "/" || given == "/tmp" || !is_clean) {
    return section.wrong("mount", fmt::format("\"{}\" is no folder to mount at; write an absolute path without \"..\", "
                                              "spaces and a slash at its end, such as \"/data\"",
                                              shown(given)));
  }
  for (const std::string_view system : k_system_folders) {
    if (!lies_in(given, system) && !lies_in(system, given)) continue;
    return section.wrong("mount", fmt::format("\"{}\" would hide the system's {}; choose another folder, such as "
                                              "\"/data\" or \"/home\"",
                                              given, system));
  }
  for (const Storage& other : config.storage) {
    if (!lies_in(given, other.mount) && !lies_in(other.mount, given)) continue;
    return section.wrong("mount",
                         fmt::format("\"{}\" and \"{}\" of storage.{} lie in each other; choose folders beside "
                                     "each other",
                                     given, other.mount, other.name));
  }
}

void read_blob(TomlSection& section, Storage& storage) {
  storage.kind = StorageKind::blob;
  const auto url = parse_blob_url(storage.source);
  if (url) {
    storage.source = url->url;
  } else {
    section.wrong("blob", fmt::format("\"{}\" {}", shown(storage.source), url.error().message));
  }
  std::string identity;
  const bool has_identity = section.text("identity", identity);
  if (has_identity && identity != "managed") {
    section.wrong("identity",
                  fmt::format("no identity \"{}\"; write \"managed\", or key_file instead", shown(identity)));
  }
  const bool has_key = section.long_text("key_file", storage.key_file);
  if (has_key && !storage.key_file.starts_with('/')) {
    section.wrong("key_file",
                  fmt::format("\"{}\" is no absolute path; write one that starts with /", shown(storage.key_file)));
  }
  if (has_key == has_identity && !(section.has("key_file") && !has_key)) {
    section.wrong(has_key ? "identity" : "blob", "needs either key_file = \"/path\" or identity = \"managed\"");
  }
  std::istringstream words(storage.options);
  for (std::string word; words >> word;) {
    const bool is_own = std::any_of(std::begin(k_own_options), std::end(k_own_options),
                                    [&](std::string_view own) { return word.starts_with(own); });
    if (word.starts_with("--") && !is_own) continue;
    section.wrong("options", fmt::format("\"{}\" cannot be given to rclone mount here; write options such as "
                                         "\"--vfs-cache-max-size=20G\"",
                                         shown(word)));
  }
}

void read_nfs(TomlSection& section, Storage& storage) {
  storage.kind = StorageKind::nfs;
  const std::size_t split = storage.source.find(":/");
  if (split == std::string::npos || split == 0 || storage.source.starts_with('-') ||
      storage.source.find_first_of(" \t\n") != std::string::npos) {
    section.wrong("nfs",
                  fmt::format("\"{}\" is no export; write one such as \"server:/export\"", shown(storage.source)));
  }
  for (const char* key : {"key_file", "identity"}) {
    if (section.has(key)) section.wrong(key, "belongs to blob; an NFS server knows nodes by their addresses");
  }
  std::string ignored;
  section.long_text("key_file", ignored);
  section.text("identity", ignored);
  if (storage.options.find_first_of(" \t\n") != std::string::npos) {
    section.wrong("options", "has spaces; write them as for mount -o, such as \"vers=4.2,hard\"");
  }
}

void read_one(const NamedTable& named, Config& config, Mistakes& mistakes) {
  Storage storage;
  storage.name = named.name;
  TomlSection section(*named.table, "storage." + shown(named.name), mistakes);
  if (!is_name(storage.name)) {
    mistakes.add(named.table->source(),
                 fmt::format("\"{}\" is no name of a storage; write {}", shown(named.name), k_name_rule));
  }
  read_mount(section, config, storage);
  section.long_text("options", storage.options);
  std::string nfs, blob;
  const bool has_nfs = section.long_text("nfs", nfs);
  const bool has_blob = section.long_text("blob", blob);
  storage.source = has_nfs ? nfs : blob;
  if (has_nfs && has_blob) section.wrong("blob", "nfs is there, too; keep one of the two");
  if (!section.has("nfs") && !section.has("blob")) {
    section.wrong("nfs", "no source; write nfs = \"server:/export\" or blob = \"https://…\"");
  }
  if (has_blob && !has_nfs) {
    read_blob(section, storage);
  } else {
    read_nfs(section, storage);
  }
  section.duration("save_time", storage.save_time, k_save_times);
  section.flag("checkpoints", storage.checkpoints);
  for (const Storage& other : config.storage) {
    if (!storage.checkpoints || !other.checkpoints) continue;
    section.wrong("checkpoints", fmt::format("storage.{} keeps them already; leave it to one", other.name));
  }
  section.finish();
  config.storage.push_back(std::move(storage));
}

}  // namespace

void read_storage(TomlSection& top, Config& config, Mistakes& mistakes) {
  const auto* table = top.table("storage");
  if (table == nullptr) return;
  for (const NamedTable& named : named_tables(*table, "storage", mistakes)) read_one(named, config, mistakes);
}

}  // namespace virga
