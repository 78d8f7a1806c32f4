#include "http/exchange.hpp"

#include "wire/encodings.hpp"
#include "wire/error_codes.hpp"

namespace virga {

HttpReply error_reply(const Error& error, int status) {
  if (status == 0) status = http_status(error.code);
  return {status, "application/problem+json", problem_text(error, status), {}};
}

Result<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    std::size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = percent_decoded(pair.substr(0, equals), true);
    std::optional<std::string> value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return fail(Code::invalid, "the query '" + std::string(pair) + "' is not percent-encoded");
    if (!out.emplace(*name, *value).second)
      return fail(Code::invalid, "the query parameter '" + *name + "' comes twice");
  }
  return out;
}

}  // namespace virga
