#include "wire/metadata_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>

namespace virga {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint64_t k_body_bytes_max = 1U << 20;
constexpr std::uint32_t k_header_bytes_max = 64U << 10;

}  // namespace

Result<MetadataClient> MetadataClient::at(std::string_view url) {
  MetadataClient client;
  client.url_ = url;
  const auto wrong = [&] {
    return fail(Code::invalid, "the metadata service '" + client.url_ +
                                   "' is not written as http://ADDRESS[:PORT][/PATH] with a numeric address");
  };
  constexpr std::string_view k_scheme = "http://";
  if (!url.starts_with(k_scheme) || url.find_first_of(" ?#\t\r\n") != std::string_view::npos) return wrong();
  url.remove_prefix(k_scheme.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  std::string_view host = url.substr(0, slash);
  client.path_ = url.substr(slash);
  while (client.path_.ends_with('/')) client.path_.pop_back();
  // The colon of a port comes after the bracket of an IPv6 address.
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), client.port_);
    if (error != std::errc() || end != port.data() + port.size() || client.port_ == 0) return wrong();
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  client.host_ = host;
  boost::system::error_code bad;
  asio::ip::make_address(client.host_, bad);
  if (bad) return wrong();
  return client;
}

Result<MetadataAnswer> MetadataClient::get(std::string_view target, std::chrono::milliseconds within) const {
  return exchange(false, target, "", within);
}

Result<MetadataAnswer> MetadataClient::post(std::string_view target, std::string_view json,
                                            std::chrono::milliseconds within) const {
  return exchange(true, target, json, within);
}

Result<MetadataAnswer> MetadataClient::exchange(bool is_post, std::string_view target, std::string_view body,
                                                std::chrono::milliseconds within) const {
  boost::system::error_code error;
  // Only the asynchronous calls can end in time: each runs alone until it is done or the one deadline has passed.
  asio::io_context context(1);
  const auto finish = [&] {
    context.run();
    context.restart();
  };
  const auto broken = [&](const char* what) {
    if (error == beast::error::timeout) return fail(Code::timeout, url_ + ": no answer in time", true);
    return fail(Code::unavailable, url_ + ": " + what + ": " + error.message(), true);
  };
  beast::tcp_stream stream(context);
  stream.expires_after(within);
  stream.async_connect(asio::ip::tcp::endpoint(asio::ip::make_address(host_), port_),
                       [&](const boost::system::error_code& e) { error = e; });
  finish();
  if (error) return broken("cannot connect");

  http::request<http::string_body> request(is_post ? http::verb::post : http::verb::get, path_ + std::string(target),
                                           11);
  request.set(http::field::host, host_);
  request.set("Metadata", "true");
  request.set(http::field::connection, "close");
  if (is_post) {
    request.set(http::field::content_type, "application/json");
    request.body() = std::string(body);
  }
  request.prepare_payload();
  http::async_write(stream, request, [&](const boost::system::error_code& e, std::size_t) { error = e; });
  finish();
  if (error) return broken("cannot send");

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(k_body_bytes_max);
  parser.header_limit(k_header_bytes_max);
  http::async_read(stream, buffer, parser, [&](const boost::system::error_code& e, std::size_t) { error = e; });
  finish();
  if (error) return broken("no answer");
  return MetadataAnswer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace virga
