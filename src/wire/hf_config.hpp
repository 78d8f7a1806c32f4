// A model from the config.json that Hugging Face's transformers keep beside its weights.
//
//   Result<twin::Transformer> model = parse_hf_config(text, "config.json");
//   twin::parameters(*model).total;
//
// Read are the kinds of models of k_hf_kinds, by `model_type`. Defaults of absent keys are those of transformers'
// configuration classes; keys that say nothing about size or arithmetic (dropout, token ids, …) are known and skipped.
// The sequence is what the model is trained on, which the file does not say: the context it allows, at most 4,096.
//
// Errors are one line with file and key, Code::invalid: no JSON; a kind that is not read; a key that is missing, of the
// wrong type, or unknown to the kind (with the nearest that is known); values that make no transformer.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "twin/model.hpp"

namespace virga {

inline constexpr std::array<std::string_view, 13> k_hf_kinds = {
    "llama",       "mistral", "mixtral", "qwen2", "qwen3",    "qwen3_moe", "deepseek_v2",
    "deepseek_v3", "kimi_k2", "gpt2",    "bloom", "gpt_neox", "gpt_oss"};

Result<twin::Transformer> parse_hf_config(std::string_view text, const std::string& file_name);

}  // namespace virga
