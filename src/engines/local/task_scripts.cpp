#include "engines/local/task_scripts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "wire/slurm_env.hpp"

namespace virga {
namespace {

std::string_view without_blanks_before(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

}  // namespace

PrologOrders read_prolog_output(std::string_view text) {
  PrologOrders orders;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const bool whole = end != text.npos;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    if (line.starts_with("export ")) {
      const std::string_view rest = without_blanks_before(line.substr(7));
      const std::size_t equal = rest.find('=');
      if (equal == 0 || equal == rest.npos) continue;
      orders.variables.emplace_back(rest.substr(0, equal), rest.substr(equal + 1));
    } else if (line.starts_with("unset ")) {
      orders.unset.emplace_back(without_blanks_before(line.substr(6)));
    } else if (line.starts_with("print ")) {
      orders.print += without_blanks_before(line.substr(6));
      if (whole) orders.print += '\n';
    }
  }
  return orders;
}

void PrologOrders::apply(std::vector<std::string>& environment) const {
  Environment changed(std::move(environment));
  for (const auto& [name, value] : variables) changed.set(name, value);
  for (const std::string& name : unset) changed.erase(name);
  environment = changed.take();
}

int script_refusal(const std::string& path, const JobIdentity& identity) {
  ActAs user(identity);
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

}  // namespace virga
