// Whether the model that a job names fits the GPUs that it asks for, and how long the training takes there.
//
//   TrainingChecks checks;                                    // keeps its answers: the same question costs nothing
//   again const TrainingCheck& check = checks.of(spec, pool); if (check.misfit) …"llama-3-70b does not fit 8 GPUs …; 32
//   GPUs would do (4 nodes, tp=8 pp=4)"… if (check.plan) check.plan->step;                         // the predicted
//   time of an iteration
//
// What the comment (training_note.hpp) leaves open is searched (twin/fit_search.hpp): of what fits, the layout with the
// most tokens a second is the plan. So a job is refused only when no way of training the model on these GPUs is
// predicted to fit, with a margin for the prediction's own error: a job that would run must not be refused.
//
// Memory is bytes of one GPU. Nothing is checked where the model, or the SKU, is not known to the twin; the warnings
// say so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/time.hpp"
#include "core/config.hpp"
#include "core/job.hpp"
#include "twin/layout.hpp"

namespace virga {

struct TrainingPlan {
  std::string model;
  std::string gpu;
  twin::Layout layout;
  Duration step;  ///< of one iteration
  std::uint64_t tokens_per_step = 0;
  std::uint64_t tokens_per_second = 0;
  std::uint64_t memory_bytes = 0;  ///< of the fullest GPU
  std::uint64_t gpu_bytes = 0;     ///< that it has
  Duration run;                    ///< for the tokens that the comment names; zero: it names none
};

struct TrainingCheck {
  std::optional<std::string> misfit;
  std::optional<TrainingPlan> plan;
  std::vector<std::string> warnings;  ///< without those about the time limit, which is no part of the question
};

/// The check itself. O(layouts): a few milliseconds for a thousand GPUs.
TrainingCheck check_training(const JobSpec& spec, const Pool& pool);

/// "tp=8 pp=4 dp=2, micro batch 1, global batch 1024, selective recomputation"
std::string words_of(const twin::Layout& layout);

/// The answers given so far, by what they depend on.
class TrainingChecks {
 public:
  const TrainingCheck& of(const JobSpec& spec, const Pool& pool) const;

 private:
  /// Comment, size, its GPU, nodes, GPUs of each.
  using Key = std::tuple<std::string, std::string, std::string, std::uint32_t, std::uint32_t>;
  mutable std::map<Key, TrainingCheck> known_;  ///< no state: what is not there is computed anew
};

}  // namespace virga
