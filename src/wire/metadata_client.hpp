// Asking the instance metadata service, which every cloud has for the machines in it: plain HTTP, a header "Metadata:
// true", small answers.
//
//   Result<MetadataAnswer> name = ask_metadata("http://169.254.169.254",
//       {"GET", "/metadata/instance/compute/name?api-version=2021-02-01&format=text"}, Duration::seconds(2));
//   if (name && name->status == 200) use(name->body);
//
// Blocks, for at most the time given. Every answer that came whole is a success, whatever its status. Errors:
// Code::invalid for a base that is no http:// address; unavailable (nobody there, cut off, no HTTP); timeout.
// Source: "Azure Instance Metadata Service" of Microsoft's documentation.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

inline constexpr const char* k_metadata_service = "http://169.254.169.254";

struct MetadataRequest {
  std::string method;
  std::string target;  ///< path and query; the base may have a path that comes before it
  std::string body = {};
};

struct MetadataAnswer {
  int status = 0;
  std::string body;
};

Result<MetadataAnswer> ask_metadata(const std::string& base, const MetadataRequest& request, Duration timeout);

}  // namespace virga
