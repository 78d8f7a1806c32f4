// The address of an Azure Blob container, in the two shapes that there are.
//
//   parse_blob_url("https://acct.blob.core.windows.net/homes");       // account "acct", container "homes"
//   parse_blob_url("http://127.0.0.1:10000/devstoreaccount1/homes");  // an emulator on this machine
//
// Without TLS only this machine's own addresses are accepted: keys and files would be readable on the way.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

struct BlobUrl {
  std::string account;
  std::string container;
  std::string endpoint;  ///< of all accounts: "blob.core.windows.net"; "" of an emulator
  std::string url;       ///< of the container, without a slash at its end
};

/// The error says what would be right.
Result<BlobUrl> parse_blob_url(std::string_view text);

}  // namespace virga
