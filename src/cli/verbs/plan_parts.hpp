// The parts of a question that have files of their own; plan_options.cpp puts them together.
#pragma once

#include "cli/verbs/plan_options.hpp"

namespace virga {

/// Machines and prices.
Status read_offers(const PlanOptions& options, PlanQuestion& question);
Status read_slow_ranks(const PlanOptions& options, twin::SlowRanks& slow);
/// The fabric and who shares it; of a question that is read otherwise.
Status read_fabric_shared(const PlanOptions& options, PlanQuestion& question);

}  // namespace virga
