#include "http/exchange.hpp"

#include "wire/error_codes.hpp"

namespace virga {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

HttpReply error_reply(const Error& error, int status) {
  if (status == 0) status = http_status(error.code);
  return {status, "application/problem+json", problem_text(error, status), {}};
}

std::optional<std::string> url_decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]);
      int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    std::size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = url_decoded(pair.substr(0, equals), true);
    std::optional<std::string> value = url_decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return fail(Code::invalid, "the query '" + std::string(pair) + "' is not percent-encoded");
    if (!out.emplace(*name, *value).second)
      return fail(Code::invalid, "the query parameter '" + *name + "' comes twice");
  }
  return out;
}

}  // namespace virga
