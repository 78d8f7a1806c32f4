// `srun --prolog` and `--epilog`: programs that srun itself runs before a step's tasks start and after they have ended.
//
//   SrunScript prolog{"prolog", path, argv, variables};
//   const int code = run_srun_script(prolog);       // 0: it did well, or there is none
#pragma once

#include <string>
#include <vector>

namespace virga {

struct SrunScript {
  std::string what;                    ///< "prolog" or "epilog"
  std::string path;                    ///< "" or "none": nothing is run
  std::vector<std::string> arguments;  ///< the step's command
  std::vector<std::string> variables;  ///< NAME=value, beside those of srun's own environment
};

/// Waits for its end. Its exit code, 128 + n where signal n ended it; what may not be executed is told and left out.
int run_srun_script(const SrunScript& script);

}  // namespace virga
