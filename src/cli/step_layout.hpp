// Which of a step's tasks run on which of its nodes: what StepRequest asks for, worked out.
#pragma once

#include "base/result.hpp"
#include "cli/step_client.hpp"

namespace virga {

/// Code::invalid where a task's node is not one of the job's.
Result<StepLayout> lay_out_step(const StepRequest& request);

}  // namespace virga
