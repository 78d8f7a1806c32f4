#include "cli/messages.hpp"

#include <errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "wire/slurm_text.hpp"

namespace virga {

void print_error(std::string_view command, std::string_view text, bool as_error) {
  std::string out;
  while (true) {
    std::size_t end = text.find('\n');
    out.append(command).append(as_error ? ": error: " : ": ").append(text.substr(0, end)).append("\n");
    if (end == text.npos || end + 1 >= text.size()) break;
    text.remove_prefix(end + 1);
    if (text == "\n") {  // a message that ends in an empty line
      out += "\n";
      break;
    }
  }
  std::fwrite(out.data(), 1, out.size(), stderr);
}

int error_exit_code(std::string_view command, int otherwise) {
  const bool may_choose = command == "sbatch" || command == "salloc" || command == "srun";
  const char* text = may_choose ? std::getenv("SLURM_EXIT_ERROR") : nullptr;
  const int code = whole_number_or_zero(text != nullptr ? text : "");
  return code > 0 && code <= 255 ? code : otherwise;
}

int failed(std::string_view command, const Error& error) {
  print_error(command, error.message);
  return error_exit_code(command);
}

bool print_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return true;
  if (errno != EPIPE) std::fprintf(stderr, "virga: cannot write the output: %s\n", std::strerror(errno));
  return false;
}

std::string version_line() { return "slurm 22.05.8\n"; }

std::string slurm_error_text(const Error& error) {
  // "Invalid job id specified: 99" and the like: Slurm's scripts look for its text alone.
  for (std::string_view known : {"Invalid job id specified", "Invalid node name specified",
                                 "Job/step already completing or completed", "Access/permission denied",
                                 "Job is no longer pending execution", "Requested operation is presently disabled"}) {
    if (error.message.starts_with(known)) return std::string(known);
  }
  return error.message;
}

bool is_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

bool may_colour(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  return is_terminal(fd) && (no_colour == nullptr || *no_colour == '\0');
}

int whole_number_or_zero(std::string_view text) {
  Result<std::uint32_t> value = parse_count(text);
  return value && *value < 1'000'000 ? static_cast<int>(*value) : 0;
}

}  // namespace virga
