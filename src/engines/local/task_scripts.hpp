// `srun --task-prolog` and `--task-epilog` on a node: programs that run before and after each task, as its user.
//
//   PrologOrders orders = read_prolog_output("export A=1\nunset B\nprint hello\n");
//   orders.apply(environment);                        // NAME=value texts
//   orders.print                                      // "hello\n", for the task's standard output
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/identity.hpp"
#include "wire/program.hpp"

namespace virga {

/// What a prolog has asked for by what it printed.
struct PrologOrders {
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<std::string> unset;
  std::string print;

  void apply(std::vector<std::string>& environment) const;
};

/// Lines that begin with "export", "unset" or "print" and a blank; all others are nothing to anybody.
PrologOrders read_prolog_output(std::string_view text);

/// 0, or errno of why the user may not run it.
int script_refusal(const std::string& path, const JobIdentity& identity);

}  // namespace virga
