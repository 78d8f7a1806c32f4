// Base64 and percent-encoding, there and back.
#include "wire/encodings.hpp"

#include <doctest/doctest.h>

namespace virga {

TEST_CASE("base64: of all lengths, in both alphabets") {
  CHECK(to_base64("") == "");
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foo") == "Zm9v");
  CHECK(to_base64("foob") == "Zm9vYg==");
  CHECK(to_base64("hello?>") == "aGVsbG8/Pg==");
  CHECK(to_base64_url("hello?>") == "aGVsbG8_Pg");
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  CHECK(from_base64(to_base64(bytes)) == bytes);
  CHECK(from_base64(to_base64_url(bytes)) == bytes);
  CHECK(from_base64("aGVs\r\nbG8=\n") == "hello");
  CHECK(from_base64("aGVsbG8") == "hello");
  for (const char* bad : {"a?b", "abcde", "aGVsbG8=aGVs", "not base64!"}) CHECK_FALSE(from_base64(bad));
}

TEST_CASE("percent-encoding: what is no plain letter, and broken escapes") {
  CHECK(percent_encoded("a/b c%\xff") == "a%2Fb%20c%25%FF");
  CHECK(percent_encoded("Az09-._~") == "Az09-._~");
  CHECK(percent_decoded("a%20b+c", true).value() == "a b c");
  CHECK(percent_decoded("a%2Fb+c", false).value() == "a/b+c");
  for (const char* bad : {"%", "%2", "%zz", "a%00", "abc%4"}) CHECK_FALSE(percent_decoded(bad, true));
}

}  // namespace virga
