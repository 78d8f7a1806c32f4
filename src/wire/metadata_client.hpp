// The instance metadata service of a cloud (Azure's IMDS), as a machine asks it: plain HTTP to one fixed address.
//
//   auto client = MetadataClient::at("http://169.254.169.254");
//   auto name = client->get("/metadata/instance/compute/name?api-version=2021-02-01&format=text", 10s);
//   if (name && name->status == 200) use(name->body);
//
// Every request is a connection of its own, with the header `Metadata: true`, and is over when its time is: a service
// that is absent, slow, hangs or sends too much (1 MiB) is Code::unavailable or Code::timeout. Any HTTP status is an
// answer. The address must be a number, as name lookups cannot be bounded in time; a path is put before every target.
// Blocks; for processes that have nothing else to do.
// Source: Azure Instance Metadata Service (learn.microsoft.com/azure/virtual-machines/instance-metadata-service).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

struct MetadataAnswer {
  int status = 0;
  std::string body;
};

class MetadataClient {
 public:
  /// `url`: http://ADDRESS[:PORT][/PATH]. Code::invalid for anything else.
  static Result<MetadataClient> at(std::string_view url);

  Result<MetadataAnswer> get(std::string_view target, std::chrono::milliseconds within) const;
  Result<MetadataAnswer> post(std::string_view target, std::string_view json, std::chrono::milliseconds within) const;
  const std::string& url() const { return url_; }

 private:
  MetadataClient() = default;
  Result<MetadataAnswer> exchange(bool is_post, std::string_view target, std::string_view body,
                                  std::chrono::milliseconds within) const;

  std::string url_;
  std::string host_;  ///< an address
  std::uint16_t port_ = 80;
  std::string path_;  ///< without a slash at its end
};

}  // namespace virga
