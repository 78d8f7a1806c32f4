#include "cli/batch_script.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace virga {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

/// The words of the rest of one #SBATCH line.
void add_words(std::string_view line, std::vector<std::string>& words) {
  std::size_t i = 0;
  while (true) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i >= line.size() || line[i] == '#') return;
    std::string word;
    char quote = '\0';
    for (; i < line.size() && (quote != '\0' || !is_blank(line[i])); ++i) {
      const char c = line[i];
      if (quote == '\0' && (c == '"' || c == '\''))
        quote = c;
      else if (quote != '\0' && c == quote)
        quote = '\0';
      else if (c == '\\' && quote != '\'' && i + 1 < line.size())
        word += line[++i];
      else
        word += c;
    }
    words.push_back(std::move(word));
  }
}

}  // namespace

Result<std::string> read_batch_script(const std::string& path) {
  const int fd = path.empty() ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(Code::not_found, errno == ENOENT ? "Unable to open file " + path
                                                 : "Unable to open file " + path + ": " + std::strerror(errno));
  }
  std::string script;
  std::string chunk(64 << 10, '\0');
  ssize_t got = 0;
  while ((got = ::read(fd, chunk.data(), chunk.size())) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) script.append(chunk, 0, static_cast<std::size_t>(got));
    if (script.size() > k_script_bytes_max) break;
  }
  const int error = errno;
  if (fd != STDIN_FILENO) ::close(fd);
  if (got < 0 && error == EISDIR) return fail(Code::invalid, "Unable to read file " + path + ": it is a directory");
  if (got < 0) return fail(Code::invalid, "Unable to read file " + path + ": " + std::strerror(error));
  if (script.size() > k_script_bytes_max) return fail(Code::invalid, "Batch script is larger than 64 MiB");
  return script;
}

Status check_batch_script(std::string_view script) {
  if (script.empty()) return fail(Code::invalid, "Batch script is empty!");
  if (script.find_first_not_of(" \t\r\n\v\f") == script.npos) {
    return fail(Code::invalid, "Batch script contains only whitespace!");
  }
  if (!script.starts_with("#!")) {
    return fail(Code::invalid,
                "This does not look like a batch script.  The first\n"
                "line must start with #! followed by the path to an interpreter.\n"
                "For instance: #!/bin/sh");
  }
  if (script.find('\0') != script.npos) {
    return fail(Code::invalid, "The Slurm controller does not allow scripts that\ncontain a NULL character '\\0'.");
  }
  if (script.find("\r\n") != script.npos) {
    return fail(Code::invalid,
                "Batch script contains DOS line breaks (\\r\\n)\ninstead of expected UNIX line breaks (\\n).");
  }
  return {};
}

std::string wrapped_script(std::string_view command) {
  return "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n" + std::string(command) + "\n";
}

std::vector<std::string> sbatch_lines(std::string_view script) {
  constexpr std::string_view k_mark = "#SBATCH";
  std::vector<std::string> words;
  while (!script.empty()) {
    const std::size_t end = script.find('\n');
    std::string_view line = script.substr(0, end);
    script.remove_prefix(end == script.npos ? script.size() : end + 1);
    if (line.starts_with(k_mark)) {
      line.remove_prefix(k_mark.size());
      // An option may follow without a blank, as in Slurm.
      if (line.empty() || is_blank(line.front()) || line.front() == '-') add_words(line, words);
      continue;
    }
    std::size_t first = 0;
    while (first < line.size() && is_blank(line[first])) ++first;
    if (first < line.size() && line[first] != '#') break;  // the first command ends the options
  }
  return words;
}

}  // namespace virga
