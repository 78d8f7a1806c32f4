#include "engines/local/storage_access.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wire/encodings.hpp"

namespace virga {
namespace {

constexpr std::size_t k_key_file_bytes_max = 4096;
constexpr const char* k_rights = "racwdl";  // read, add, create, write, delete, list
constexpr const char* k_version = "2018-11-09";

std::string utc(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

Result<std::string> read_account_key(const std::string& path) {
  const auto wrong = [&](const std::string& what) { return fail(Code::invalid, "key_file " + path + " " + what); };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return wrong(std::string("cannot be read: ") + std::strerror(errno));
  struct stat info {};
  char bytes[k_key_file_bytes_max];
  const bool known = fstat(fd, &info) == 0;
  const ssize_t size = read(fd, bytes, sizeof bytes);
  close(fd);
  if (!known || size < 0 || !S_ISREG(info.st_mode)) return wrong("is no file that can be read");
  if ((info.st_mode & 077) != 0) return wrong("can be read by others; chmod 600 it");
  std::string key(bytes, static_cast<std::size_t>(size));
  const std::size_t first = key.find_first_not_of(" \t\r\n");
  const std::size_t last = key.find_last_not_of(" \t\r\n");
  key = first == std::string::npos ? "" : key.substr(first, last + 1 - first);
  if (from_base64(key).value_or("").empty()) {
    return wrong("holds no account key; write the one that 'az storage account keys list' shows, a base64 text");
  }
  return key;
}

Result<std::string> sign_container(const BlobUrl& container, const std::string& key, std::time_t expiry) {
  const auto secret = from_base64(key);
  if (!secret) return fail(Code::invalid, "the account's key is no base64");
  // Rights, start, expiry, what, identifier, addresses, protocol, version, resource, and six that are not used.
  const std::string words = fmt::format("{}\n\n{}\n/blob/{}/{}\n\n\n\n{}\nc\n\n\n\n\n\n", k_rights, utc(expiry),
                                        container.account, container.container, k_version);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret->data(), static_cast<int>(secret->size()),
           reinterpret_cast<const unsigned char*>(words.data()), words.size(), digest, &size) == nullptr) {
    return fail(Code::internal, "cannot sign for container " + container.container);
  }
  return fmt::format("sv={}&se={}&sr=c&sp={}&sig={}", k_version, percent_encoded(utc(expiry)), k_rights,
                     percent_encoded(to_base64({reinterpret_cast<const char*>(digest), size})));
}

Result<StorageMount> open_storage(Storage storage, std::time_t now) {
  StorageMount mount{std::move(storage), ""};
  if (mount.storage.kind != StorageKind::blob || mount.storage.key_file.empty()) return mount;
  const auto in = [&](const Error& error) {
    return fail(error.code, "storage." + mount.storage.name + ": " + error.message);
  };
  auto container = parse_blob_url(mount.storage.source);
  if (!container) return in(container.error());
  auto key = read_account_key(mount.storage.key_file);
  if (!key) return in(key.error());
  auto access = sign_container(*container, *key, now + std::time_t{k_access_days} * 86400);
  if (!access) return in(access.error());
  mount.access = *std::move(access);
  return mount;
}

}  // namespace virga
