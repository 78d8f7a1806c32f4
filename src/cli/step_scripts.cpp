#include "cli/step_scripts.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/messages.hpp"
#include "wire/slurm_env.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;  // of a name that is there twice the first counts
  for (char** variable = ::environ; *variable != nullptr; ++variable) all.emplace_back(*variable);
  return Environment(std::move(all)).take();
}

}  // namespace

int run_srun_script(const SrunScript& script) {
  if (script.path.empty() || same_word(script.path, "none")) return 0;
  if (::access(script.path.c_str(), R_OK | X_OK) != 0) {
    std::fprintf(stderr, "srun: Access denied for %s: %s\n", script.path.c_str(), std::strerror(errno));
    return 0;
  }
  std::vector<std::string> words = {script.path};
  words.insert(words.end(), script.arguments.begin(), script.arguments.end());
  std::vector<std::string> variables = script.variables;
  variables.push_back("SLURM_SCRIPT_CONTEXT=" + script.what + "_srun");
  variables = environment_with(variables);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) {
    print_error("srun", fmt::format("cannot start the {}: {}", script.what, std::strerror(errno)));
    return 1;
  }
  if (pid == 0) {
    ::execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace virga
