// Slurm's error numbers and words, for those who test for them: its REST clients, and scripts that read stderr.
//
//   slurm_error({Code::not_found, "Invalid job id specified: 99"})      // 2017, "Invalid job id specified"
//
// Virga's own refusals that Slurm has no word for keep their text, under the number of its closest one.
// Source: the numbers that `scontrol errnumstr` and slurmrestd of Slurm 22.05.8 give.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct SlurmError {
  int number = 0;
  std::string text;
};

SlurmError slurm_error(const Error& error);

/// One entry of a document's "errors". 22.05 names its members differently from path to path.
struct SlurmRestError {
  enum class Shape : std::uint8_t {
    described,  ///< description, error_number, error, source
    errno_,     ///< error, errno
    coded,      ///< error_code, error
  };
  SlurmError error;
  Shape shape = Shape::described;
  std::string description = {};
  std::string source = {};  ///< the function of Slurm's that failed
};
using SlurmRestErrors = std::vector<SlurmRestError>;

}  // namespace virga
