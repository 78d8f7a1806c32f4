// The models whose training is predicted: any transformer, dense or mixture of experts, of text or of images.
//
//   const Transformer* gpt3 = find_model("gpt-3-175b");              // nullptr: not in data/models.csv
//   parameters(*gpt3).total == 174'615'846'912;
//   flops_per_token(*gpt3, AttentionCount::full) == 1'076'442'955'776;  // forward and backward, no recomputation
//   std::string wrong = check(my_model);                             // empty: well formed
//
// Parameters are exact integers. Per layer, with h hidden, a heads and k key/value heads of d dimensions, f of the
// feed-forward network (MLP):
//
//   attention  h a d (query) + 2 h k d (key, value) + a d h (output), and biases where the model has them
//   MLA        h q + q a (n + r) + h (c + r) + c a (n + v) + a v h, with norms of q and c (DeepSeek-V2,
//   arXiv:2405.04434) MLP        2 h f, gated (SwiGLU, GEGLU) 3 h f; every expert one of its own, the router h x
//   experts norms      2 of h weights each, twice as much with biases (LayerNorm)
//   MTP        a layer, 2 h h of a projection and 2 norms for each further token that is predicted (DeepSeek-V3,
//              arXiv:2412.19437, section 2.2); embedding and output are shared
//
// A causal query sees half of the sequence in the mean; with a sliding window of w tokens w - w w / 2 s of s.
// FLOPs count a multiplication and an addition as two. The backward pass takes twice the forward one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga::twin {

/// Which linear layers have biases.
enum class Bias : std::uint8_t { none, qkv, all };

/// Multi-head latent attention: low-rank queries and keys (all 0: ordinary attention).
struct LatentAttention {
  std::uint32_t query_rank = 0;  ///< q_lora_rank; 0 with a key rank: queries are not compressed
  std::uint32_t key_rank = 0;    ///< kv_lora_rank
  std::uint32_t plain_dim = 0;   ///< qk_nope_head_dim
  std::uint32_t rotary_dim = 0;  ///< qk_rope_head_dim
  std::uint32_t value_dim = 0;   ///< v_head_dim
  bool used() const { return key_rank > 0; }
};

struct Transformer {
  std::string name;
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t ffn = 0;  ///< of dense layers; 0 where there is none
  bool gated = false;
  std::uint32_t vocab = 0;      ///< 0: no embedding table (images)
  std::uint32_t seq = 0;        ///< tokens of a sample, as trained
  bool tied = false;            ///< one table for embedding and output
  std::uint32_t positions = 0;  ///< learned position embeddings; 0: rotary, ALiBi, fixed
  Bias bias = Bias::none;
  bool norm_bias = false;       ///< LayerNorm, not RMSNorm
  bool query_key_norm = false;  ///< a norm of head_dim for queries and one for keys
  bool causal = true;
  std::uint32_t experts = 0;
  std::uint32_t experts_active = 0;
  std::uint32_t shared_experts = 0;
  std::uint32_t expert_ffn = 0;
  std::uint32_t dense_layers = 0;  ///< first layers without experts
  LatentAttention latent;
  std::uint32_t window = 0;  ///< sliding window: the tokens that a query sees, itself included; 0: no layer has one
  std::uint32_t window_layers = 0;  ///< layers whose attention has it
  std::uint32_t predict_layers =
      0;                   ///< multi-token prediction: each a layer more, with a second pass through the output
  bool modulated = false;  ///< adaLN of diffusion transformers: 6 h (h + 1) per layer, once a sample
  std::uint64_t extra_parameters = 0;  ///< patch embedding, class head and the like, as the source lists them
  std::uint64_t published = 0;         ///< the parameter count its authors give, 0: none; tests compare
};

struct ParameterCount {
  std::uint64_t total = 0;
  std::uint64_t active = 0;  ///< that one token meets
};

/// Of one layer: `moe` layers hold all experts here. A model's layer i has experts if it has any and i >= dense_layers.
struct LayerParameters {
  std::uint64_t attention = 0;
  std::uint64_t dense_mlp = 0;   ///< of a layer without experts
  std::uint64_t shared_mlp = 0;  ///< shared experts and the router
  std::uint64_t one_expert = 0;
  std::uint64_t norms = 0;  ///< with adaLN
};
LayerParameters layer_parameters(const Transformer& model);
ParameterCount parameters(const Transformer& model);
/// The embedding table with positions; `output` adds nothing when it is tied.
std::uint64_t embedding_parameters(const Transformer& model);
/// Of the layers that predict further tokens, without their routed experts.
std::uint64_t predict_parameters(const Transformer& model);
std::uint64_t output_parameters(const Transformer& model);

/// Keys that a causal query of a layer with a window sees, times 2, as the sequence is for one without.
std::uint64_t window_keys(const Transformer& model, std::uint32_t seq);

/// How sources count a causal model's attention: the whole square of scores, or the half that is needed.
enum class AttentionCount : std::uint8_t { full, causal };

/// Of forward and backward for one token, no recomputation. For a model of the GPT family, times tokens, this is
/// 72 B s l h^2 (1 + s/6h + V/12lh) (Korthikanti et al. 2022, arXiv:2205.05198). A model that is not causal has the
/// full count always.
std::uint64_t flops_per_token(const Transformer& model, AttentionCount attention, std::uint32_t seq = 0);

/// FLOPs with the forward pass of all layers done twice: 96 B s l h^2 (1 + s/6h + V/16lh) (Narayanan et al. 2021,
/// arXiv:2104.04473), exact for GPT models, the same construction for others.
std::uint64_t flops_per_token_full_recompute(const Transformer& model, std::uint32_t seq = 0);

/// One line for the first thing that is wrong with a description; empty if nothing is.
std::string check(const Transformer& model);

/// A GPT of the usual shape: MLP of 4 h, biases, LayerNorm, learned positions, tied embeddings.
Transformer gpt(std::uint32_t layers, std::uint32_t hidden, std::uint32_t heads, std::uint32_t seq,
                std::uint32_t vocab);

/// In the order of data/models.csv, which the build puts into the program.
const std::vector<Transformer>& known_models();
/// Without case; nullptr: unknown.
const Transformer* find_model(std::string_view name);
/// Reads the file's text; public for its test.
Result<std::vector<Transformer>> parse_models(std::string_view csv);

}  // namespace virga::twin

namespace virga {
template <>
struct EnumNames<twin::Bias> {
  static constexpr std::string_view names[] = {"none", "qkv", "all"};
};
}  // namespace virga
