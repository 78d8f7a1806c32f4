// Bytes as text of other alphabets: base64, and the percent-encoding of addresses.
//
//   to_base64("hello");                        // "aGVsbG8="
//   percent_encoded("a/b c");                  // "a%2Fb%20c"
//   percent_decoded("a%20b+c", true).value()   // "a b c"
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace virga {

std::string to_base64(std::string_view bytes);
/// The alphabet of addresses, without padding, as in JSON web tokens.
std::string to_base64_url(std::string_view bytes);
/// Of both alphabets, padded or not; line breaks are allowed. Nothing for what is no base64.
std::optional<std::string> from_base64(std::string_view text);

/// A value for a path or a query: everything but letters, digits and -._~ becomes %XX.
std::string percent_encoded(std::string_view text);
/// Nothing for a broken escape or a zero byte. A query's '+' is a blank, a path's is not.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank);

/// Safe inside an element of HTML or SVG and inside a quoted attribute. Control characters become blanks.
std::string html_escaped(std::string_view text);

}  // namespace virga
