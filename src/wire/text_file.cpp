#include "wire/text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace virga {

namespace {

constexpr unsigned k_buffer_bytes = 1u << 17;

std::string why(gzFile file) {
  int code = Z_OK;
  const char* text = gzerror(file, &code);
  if (code == Z_ERRNO) return std::strerror(errno);
  return code == Z_BUF_ERROR ? "the gzip data ends too early" : text;
}

Status write_plain(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return fail(Code::invalid, path + ": cannot be written: " + std::strerror(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return fail(Code::exhausted, path + ": " + std::strerror(errno));
  return {};
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return fail(Code::invalid, path + ": cannot be read: " + std::strerror(errno));
  gzbuffer(file, k_buffer_bytes);
  std::string text(std::size_t{1} << 20, '\0');
  std::size_t size = 0;
  for (;;) {
    if (size == text.size()) text.resize(2 * size);
    const std::size_t room = std::min<std::size_t>(text.size() - size, 1u << 30);
    const int got = gzread(file, text.data() + size, static_cast<unsigned>(room));
    int code = Z_OK;
    gzerror(file, &code);
    if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END)) {
      const std::string reason = why(file);
      gzclose(file);
      return fail(Code::invalid, path + ": cannot be read: " + reason);
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > bytes_max) {
      gzclose(file);
      return fail(Code::invalid, path + ": more than " + std::to_string(bytes_max >> 20) + " MiB of text");
    }
  }
  gzclose(file);
  text.resize(size);
  return text;
}

Status write_text_file(const std::string& path, std::string_view text) {
  if (!path.ends_with(".gz")) return write_plain(path, text);
  gzFile file = gzopen(path.c_str(), "wb6");
  if (file == nullptr) return fail(Code::invalid, path + ": cannot be written: " + std::strerror(errno));
  gzbuffer(file, k_buffer_bytes);
  bool written = true;
  while (written && !text.empty()) {
    const auto part = static_cast<unsigned>(std::min<std::size_t>(text.size(), 1u << 30));
    written = gzwrite(file, text.data(), part) == static_cast<int>(part);
    text.remove_prefix(part);
  }
  const std::string reason = written ? "" : why(file);
  if (gzclose(file) != Z_OK && written) return fail(Code::exhausted, path + ": cannot be written to its end");
  if (!written) return fail(Code::exhausted, path + ": " + reason);
  return {};
}

}  // namespace virga
