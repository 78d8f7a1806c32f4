// The accounts of a journal as a recorded workload, for `virga simulate`: what users submitted and how it ran, without
// names of jobs, scripts or files.
//
//   Result<std::string> csv = trace_of(*journal);      // virga simulate --trace reads it
//
// One line for each job whose last incarnation has ended, by submission; the columns are those of docs/simulate.md.
// Times are whole seconds from the first submission; a duration of less than half a second is rounded to 1.
#pragma once

#include <string>

#include "base/result.hpp"
#include "ports/journal.hpp"

namespace virga {

Result<std::string> trace_of(Journal& journal);

}  // namespace virga
