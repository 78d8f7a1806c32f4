// What a job says in its comment about the training that it does, so that the twin can check it.
//
//   #SBATCH --comment="model=llama-3-70b tp=8 pp=4 global-batch=1024 tokens=300B"
//
//   const std::optional<TrainingNote> note = training_note(spec.comment);   // nothing: the comment names no model
//   note->model == "llama-3-70b";  note->wish.tp == 8;  note->tokens == 300'000'000'000;
//
// Words KEY=VALUE with blanks, commas or semicolons between them; case does not matter, "_" is "-". Other words are the
// user's own. What is not said is 0 or empty, and left to the check.
//
//   model         a name of data/models.csv
//   tp pp cp ep   tensor, pipeline, context, expert parallel; the rest of the GPUs is data parallel
//   interleave    model chunks of a GPU (virtual pipeline)
//   micro-batch   samples; also mbs
//   global-batch  samples; also gbs
//   seq           tokens of a sample; the model's own if not said
//   tokens        of the whole run: digits, or with K, M, B, T or an exponent: 300B, 1.4T, 3e11
//   recompute     none, selective or full
//   precision     fp16, bf16, fp8, mxfp8 or nvfp4; bf16 if not said
//   optimizer     distributed, or replicated on each data rank
//   sharding      full: weights and gradients are spread over the data ranks, too (FSDP, ZeRO-3); none
//   software      a name of twin/constants.hpp's k_stacks, such as megatron-2024
//
// Errors: a value that cannot be one of its key is in `mistake`, one line; keys that are none are in `unknown`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "twin/fit_search.hpp"

namespace virga {

struct TrainingNote {
  std::string model;
  twin::FitWish wish;  ///< how it is spread over the GPUs
  std::uint32_t seq = 0;
  std::uint64_t tokens = 0;
  std::vector<std::string> unknown;
  std::string mistake;
};

/// Whether the comment may name a model: cheap, for what is asked often.
bool may_name_model(std::string_view comment);
std::optional<TrainingNote> training_note(std::string_view comment);

/// What placements of the job are compared by: the bytes of its gradients' all-reduce (2 for each parameter of a GPU's
/// share of the model), or 1 GiB where its model is not known.
std::uint64_t reference_bytes(const JobSpec& spec);

}  // namespace virga
