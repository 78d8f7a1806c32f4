#include "wire/blob_url.hpp"

#include <fmt/format.h>

#include <vector>

#include "wire/csv_table.hpp"

namespace virga {
namespace {

constexpr const char* k_shape = "write https://ACCOUNT.blob.core.windows.net/CONTAINER";

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

/// Azure's rules: lower-case letters and digits, of containers also single dashes inside; 3 to 63 characters.
bool is_account(std::string_view name) {
  return name.size() >= 3 && name.size() <= 24 && consists_of(name, "abcdefghijklmnopqrstuvwxyz0123456789");
}
bool is_container(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && consists_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-") &&
         name.front() != '-' && name.back() != '-' && name.find("--") == std::string_view::npos;
}

struct Parts {
  bool tls = false;
  std::string host;       ///< without the port
  std::string authority;  ///< with it
  std::vector<std::string> path;
};

/// No host at all: the text is no URL of ours.
Parts split(std::string_view text) {
  Parts parts;
  parts.tls = text.starts_with("https://");
  if (!parts.tls && !text.starts_with("http://")) return {};
  text.remove_prefix(parts.tls ? 8 : 7);
  if (text.find_first_of("?#@ ") != std::string_view::npos) return {};
  parts.authority = take_until(text, '/');
  const std::size_t port = parts.authority.ends_with(']') ? std::string::npos : parts.authority.rfind(':');
  parts.host = parts.authority.substr(0, port);
  if (port != std::string::npos && !consists_of(parts.authority.substr(port + 1), "0123456789")) return {};
  while (!text.empty()) {
    const std::string_view part = take_until(text, '/');
    if (!part.empty()) parts.path.emplace_back(part);
  }
  return parts;
}

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "[::1]" || (host.starts_with("127.") && consists_of(host, "0123456789."));
}
bool is_address(const std::string& host) {
  return host == "localhost" || host.starts_with('[') || consists_of(host, "0123456789.");
}

}  // namespace

Result<BlobUrl> parse_blob_url(std::string_view text) {
  const Parts parts = split(text);
  if (parts.host.empty()) return fail(Code::invalid, std::string("is no address of a container; ") + k_shape);
  if (!parts.tls && !is_this_machine(parts.host)) {
    return fail(Code::invalid,
                "would send keys and files unprotected; write https:// (http:// is for an emulator on "
                "127.0.0.1 or localhost)");
  }
  BlobUrl url;
  const bool names_account_in_path = is_address(parts.host);
  if (parts.path.size() != (names_account_in_path ? 2 : 1)) {
    return fail(Code::invalid, names_account_in_path
                                   ? "names no account and container; write http://ADDRESS:PORT/ACCOUNT/CONTAINER"
                                   : std::string("names no container, or more than that; ") + k_shape);
  }
  const std::size_t dot = parts.host.find('.');
  url.account = names_account_in_path ? parts.path.front() : parts.host.substr(0, dot);
  url.container = parts.path.back();
  if (!names_account_in_path) url.endpoint = dot == std::string::npos ? "" : parts.authority.substr(dot + 1);
  if (!is_account(url.account) || (!names_account_in_path && url.endpoint.empty())) {
    return fail(Code::invalid,
                fmt::format("has no account's name where it should be ('{}'); {}", url.account, k_shape));
  }
  if (!is_container(url.container)) {
    return fail(Code::invalid, fmt::format("'{}' is no container's name; write 3 to 63 lower-case letters, digits and "
                                           "single dashes",
                                           url.container));
  }
  url.url = fmt::format("{}://{}", parts.tls ? "https" : "http", parts.authority);
  for (const std::string& part : parts.path) url.url += "/" + part;
  return url;
}

}  // namespace virga
