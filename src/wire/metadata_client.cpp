#include "wire/metadata_client.hpp"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace virga {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;

constexpr std::size_t k_body_bytes_max = 4U << 20;

struct Place {
  std::string host;
  std::string port = "80";
  std::string path;
};

Result<Place> place_of(const std::string& base) {
  constexpr std::string_view k_scheme = "http://";
  const auto bad = [&] {
    return fail(Code::invalid, fmt::format("'{}' is no address of a metadata service; write one such as {}", base,
                                           k_metadata_service));
  };
  if (!base.starts_with(k_scheme)) return bad();
  Place place;
  place.host = base.substr(k_scheme.size());
  if (const auto slash = place.host.find('/'); slash != std::string::npos) {
    place.path = place.host.substr(slash);
    place.host.resize(slash);
  }
  while (place.path.ends_with('/')) place.path.pop_back();
  if (const auto colon = place.host.rfind(':'); colon != std::string::npos && !place.host.ends_with(']')) {
    place.port = place.host.substr(colon + 1);
    place.host.resize(colon);
  }
  if (place.host.empty() || place.port.empty()) return bad();
  return place;
}

/// One exchange on a context of its own; each step begins the next.
class Exchange {
 public:
  Exchange(const Place& place, const MetadataRequest& request) : stream_(context_) {
    request_.method_string(request.method);
    request_.target(place.path + request.target);
    request_.version(11);
    request_.set(http::field::host, place.host);
    request_.set("Metadata", "true");
    request_.set(http::field::connection, "close");
    if (!request.body.empty()) request_.set(http::field::content_type, "application/json");
    request_.body() = request.body;
    request_.prepare_payload();
    parser_.body_limit(k_body_bytes_max);
  }

  error_code run(const asio::ip::tcp::resolver::results_type& endpoints, Duration timeout) {
    stream_.expires_after(std::chrono::nanoseconds(timeout.ns));
    stream_.async_connect(endpoints, [this](error_code error, const auto&) {
      if (!done(error)) send();
    });
    context_.run();
    return error_;
  }
  asio::io_context& context() { return context_; }
  MetadataAnswer answer() const { return {static_cast<int>(parser_.get().result_int()), parser_.get().body()}; }

 private:
  bool done(error_code error) {
    error_ = error;
    return bool(error);
  }
  void send() {
    http::async_write(stream_, request_, [this](error_code error, std::size_t) {
      if (!done(error)) http::async_read(stream_, buffer_, parser_, [this](error_code e, std::size_t) { done(e); });
    });
  }

  asio::io_context context_{1};
  beast::tcp_stream stream_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  error_code error_;
};

}  // namespace

Result<MetadataAnswer> ask_metadata(const std::string& base, const MetadataRequest& request, Duration timeout) {
  const auto place = place_of(base);
  if (!place) return unexpected(place.error());
  Exchange exchange(*place, request);
  error_code error;
  asio::ip::tcp::resolver resolver(exchange.context());
  const auto endpoints = resolver.resolve(place->host, place->port, error);  // a number, as a rule: answered at once
  if (!error) error = exchange.run(endpoints, timeout);
  if (!error) return exchange.answer();
  const bool late = error == beast::error::timeout;
  return fail(late ? Code::timeout : Code::unavailable,
              fmt::format("the metadata service at {}: {}", base, late ? "no answer in time" : error.message()), true);
}

}  // namespace virga
