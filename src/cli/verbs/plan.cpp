// virga plan --validate: the performance model against measured runs.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "cli/verbs/verb.hpp"
#include "twin/validate.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

constexpr std::size_t k_file_bytes_max = 64U << 20;

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return fail(Code::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
  std::string text;
  char part[65536];
  for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, file.get())) > 0;) {
    text.append(part, n);
    if (text.size() > k_file_bytes_max) return fail(Code::invalid, fmt::format("{}: above 64 MiB", path));
  }
  if (std::ferror(file.get()) != 0) return fail(Code::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
  return text;
}

}  // namespace

int plan_verb(const PlanOptions& options) {
  Result<std::string> text = read_file(options.validate);
  if (!text) return complain(text.error());
  Result<twin::Validation> validation = twin::validate(*text, options.validate);
  if (!validation) return complain(validation.error());
  fmt::print("{}", options.json ? to_json_text(*validation) + "\n" : twin::validation_text(*validation, options.rows));
  return 0;
}

}  // namespace virga
