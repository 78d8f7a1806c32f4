// What a node needs to get into a storage, made by the controller: the account's key never leaves it.
//
//   Result<StorageMount> mount = open_storage(storage, now);        // reads storage.key_file
//   mount->access;          // "sv=2018-11-09&se=2027-…&sr=c&sp=racwdl&sig=…": this container only
//
// The access of a container ends after k_access_days: a node that lives longer loses its mount.
#pragma once

#include <ctime>
#include <string>

#include "base/result.hpp"
#include "wire/agent_protocol.hpp"
#include "wire/blob_url.hpp"

namespace virga {

inline constexpr int k_access_days = 90;

/// The error says what the key's file should be.
Result<StorageMount> open_storage(Storage storage, std::time_t now);
/// The account's key, as base64; the file may be read by its owner alone.
Result<std::string> read_account_key(const std::string& path);
/// A shared access signature of the service for one container, with all rights on the blobs in it.
Result<std::string> sign_container(const BlobUrl& container, const std::string& key, std::time_t expiry);

}  // namespace virga
