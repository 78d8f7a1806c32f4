// One HTTP request and its answer, as plain values: what goes into the stand-in and what comes out of it.
//
//   Request request{"GET", "/subscriptions/S/resourceGroups?api-version=2021-04-01", {{"Authorization", "Bearer t"}},
//   ""}; Answer answer = stand_in.handle(request, now);
//
// No socket in here: the tests call the stand-in with these, and the server turns HTTP into these.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace virga::arm {

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  std::string method;  ///< upper case
  std::string target;  ///< path and query as on the wire, percent-encoded
  std::vector<Header> headers;
  std::string body;
  std::string node = {};  ///< the private address of the VM that asks the metadata service at its own address; else ""
  Time received = {};     ///< by the client's clock, which the stand-in's may run ahead of; unset: they are the same

  /// Names are compared without case; "" if absent.
  std::string_view header(std::string_view name) const;
};

/// How an answer reaches the client; all but `whole` only by an injected failure.
enum class Delivery : std::uint8_t {
  whole,
  truncated,  ///< the connection breaks in the middle of the body
  never,      ///< nothing is ever said; the connection stays open
};

struct Answer {
  int status = 200;
  std::vector<Header> headers;
  std::string body;
  std::string content_type = "application/json; charset=utf-8";
  Delivery delivery = Delivery::whole;

  std::string_view header(std::string_view name) const;
};

/// What the Azure Resource Manager says when it refuses: {"error": {"code", "message"}}.
Answer refusal(int status, std::string_view code, std::string_view message);

}  // namespace virga::arm
