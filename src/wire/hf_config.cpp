// Each kind of model is one function that reads its keys; what it does not read must be on the list of skipped keys.
#include "wire/hf_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "wire/config_units.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

using twin::Bias;
using twin::Transformer;

constexpr std::uint32_t k_longest_default_seq = 4096;
constexpr std::uint32_t k_most = 1U << 28;  ///< of any number here; products of two stay in 64 bits
constexpr std::uint32_t k_layers_most = 1U << 16;

/// Keys of transformers' configurations that say nothing about parameters or FLOPs of training.
constexpr std::string_view k_skipped_keys[] = {"_attn_implementation",
                                               "_attn_implementation_autoset",
                                               "_commit_hash",
                                               "_name_or_path",
                                               "activation_function",
                                               "add_cross_attention",
                                               "apply_residual_connection_post_layernorm",
                                               "architectures",
                                               "attention_dropout",
                                               "attention_softmax_in_fp32",
                                               "attn_implementation",
                                               "attn_pdrop",
                                               "auto_map",
                                               "aux_loss_alpha",
                                               "begin_suppress_tokens",
                                               "bias_dropout_fusion",
                                               "bos_token_id",
                                               "chunk_size_feed_forward",
                                               "classifier_dropout",
                                               "decoder_start_token_id",
                                               "dropout",
                                               "dtype",
                                               "embd_pdrop",
                                               "eos_token_id",
                                               "ep_size",
                                               "experts_per_token",
                                               "finetuning_task",
                                               "gradient_checkpointing",
                                               "hidden_act",
                                               "hidden_dropout",
                                               "hidden_dropout_prob",
                                               "id2label",
                                               "initial_context_length",
                                               "initializer_range",
                                               "is_decoder",
                                               "is_encoder_decoder",
                                               "label2id",
                                               "layer_norm_eps",
                                               "layer_norm_epsilon",
                                               "layer_types",
                                               "masked_softmax_fusion",
                                               "max_length",
                                               "max_window_layers",
                                               "min_length",
                                               "model_type",
                                               "n_group",
                                               "norm_topk_prob",
                                               "num_labels",
                                               "num_nextn_predict_layers",
                                               "offset_alibi",
                                               "output_attentions",
                                               "output_hidden_states",
                                               "output_router_logits",
                                               "pad_token_id",
                                               "partial_rotary_factor",
                                               "pretraining_tp",
                                               "problem_type",
                                               "pruned_heads",
                                               "quantization_config",
                                               "reorder_and_upcast_attn",
                                               "resid_pdrop",
                                               "return_dict",
                                               "rms_norm_eps",
                                               "rope_parameters",
                                               "rope_scaling",
                                               "rope_theta",
                                               "rotary_emb_base",
                                               "rotary_pct",
                                               "routed_scaling_factor",
                                               "router_aux_loss_coef",
                                               "router_jitter_noise",
                                               "scale_attn_by_inverse_layer_idx",
                                               "scale_attn_weights",
                                               "scoring_func",
                                               "seq_aux",
                                               "seq_length",
                                               "skip_bias_add",
                                               "skip_bias_add_qkv",
                                               "sliding_window",
                                               "slow_but_exact",
                                               "summary_activation",
                                               "summary_first_dropout",
                                               "summary_proj_to_labels",
                                               "summary_type",
                                               "summary_use_proj",
                                               "swiglu_limit",
                                               "task_specific_params",
                                               "topk_group",
                                               "torch_dtype",
                                               "transformers_version",
                                               "unk_token_id",
                                               "use_bfloat16",
                                               "use_cache",
                                               "use_parallel_residual",
                                               "use_sliding_window"};

/// The keys of one file. The first thing that is wrong stays as error().
class Keys {
 public:
  Keys(JsonNode root, const std::string& file_name, std::string_view kind)
      : root_(root), file_name_(file_name), kind_(kind) {}

  /// A key that must be there, under the first of its names that is.
  std::uint32_t number(std::initializer_list<std::string_view> names) {
    const std::optional<std::uint32_t> found = find_number(names);
    if (!found) missing(*names.begin());
    return found.value_or(0);
  }
  std::uint32_t number(std::initializer_list<std::string_view> names, std::uint32_t otherwise) {
    return find_number(names).value_or(otherwise);
  }
  bool flag(std::string_view name, bool otherwise) {
    const JsonNode node = find(name);
    if (!node || node.kind() == JsonNode::Kind::null) return otherwise;
    if (node.kind() == JsonNode::Kind::boolean) return node.boolean();
    wrong(name, fmt::format("is {}; it must be true or false", node.kind_name()));
    return otherwise;
  }
  /// A list that this program can only read when it is empty.
  void empty_list(std::string_view name) {
    const JsonNode node = find(name);
    if (!node || node.kind() == JsonNode::Kind::null) return;
    if (node.kind() != JsonNode::Kind::array || node.size() > 0) {
      wrong(name, "must be an empty list: all layers after the first dense ones have experts here");
    }
  }
  /// How often a word is in a list of words, if there is such a list.
  std::optional<std::uint32_t> count(std::string_view name, std::string_view word) {
    const JsonNode node = find(name);
    if (!node || node.kind() != JsonNode::Kind::array) return std::nullopt;
    std::uint32_t found = 0;
    for (std::size_t i = 0; i < node.size(); ++i) {
      const JsonNode item = node.element(i);
      if (item.kind() == JsonNode::Kind::string && item.string() == word) ++found;
    }
    return found;
  }
  /// A number of which only one value can be read.
  void only(std::string_view name, std::uint32_t value, std::string_view why) {
    if (number({name}, value) != value) wrong(name, fmt::format("must be {}: {}", value, why));
  }
  void known(std::string_view name) { read_.push_back(name); }

  void finish() {
    for (std::size_t i = 0; i < root_.size() && !error_; ++i) {
      const std::string_view name = root_.name(i);
      if (is_known(name)) continue;
      const std::string_view near = closest_word(name, read_);
      wrong(name, fmt::format("is unknown for a model of kind {}{}", kind_,
                              near.empty() ? "; remove it if it says nothing about size"
                                           : fmt::format("; did you mean \"{}\"?", near)));
    }
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  JsonNode find(std::string_view name) {
    read_.push_back(name);
    return root_.find(name);
  }

  std::optional<std::uint32_t> find_number(std::initializer_list<std::string_view> names) {
    std::optional<std::uint32_t> found;
    for (const std::string_view name : names) {
      const JsonNode node = find(name);
      if (!node || node.kind() == JsonNode::Kind::null || found) continue;
      const auto number = node.unsigned_integer();
      if (number && *number <= k_most) {
        found = static_cast<std::uint32_t>(*number);
      } else {
        wrong(name, fmt::format("is {}; it must be a whole number from 0 to {}",
                                number ? fmt::format("{}", *number) : value_text(node), k_most));
        found = 0;
      }
    }
    return found;
  }

  /// What cannot be a count: the number itself, if it is a whole one, else its kind.
  static std::string value_text(JsonNode node) {
    const auto below = node.signed_integer();
    return below ? fmt::format("{}", *below) : std::string(node.kind_name());
  }

  bool is_known(std::string_view name) const {
    return std::find(read_.begin(), read_.end(), name) != read_.end() ||
           std::find(std::begin(k_skipped_keys), std::end(k_skipped_keys), name) != std::end(k_skipped_keys);
  }

  void missing(std::string_view name) {
    std::vector<std::string_view> present;
    for (std::size_t i = 0; i < root_.size(); ++i) present.push_back(root_.name(i));
    const std::string_view near = closest_word(name, present);
    // A key that is known itself is not a misspelt one.
    const bool misspelt = !near.empty() && !is_known(near);
    wrong(name, fmt::format("is missing{}; a model of kind {} needs it",
                            misspelt ? fmt::format(" (there is an unknown \"{}\")", near) : "", kind_));
  }

  void wrong(std::string_view name, std::string_view what) {
    std::string shown(name.substr(0, 80));
    for (char& c : shown) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    if (!error_) error_ = Error{Code::invalid, fmt::format("{}: key \"{}\" {}", file_name_, shown, what)};
  }

  JsonNode root_;
  const std::string& file_name_;
  std::string_view kind_;
  std::vector<std::string_view> read_;
  std::optional<Error> error_;
};

/// Heads and their size where `head_dim` may stand apart from hidden / heads.
void read_heads(Keys& keys, Transformer& m) {
  m.heads = keys.number({"num_attention_heads"});
  m.kv_heads = keys.number({"num_key_value_heads"}, m.heads);
  const std::uint32_t usual = m.heads > 0 && m.hidden % m.heads == 0 ? m.hidden / m.heads : 0;
  m.head_dim = keys.number({"head_dim"}, usual);
}

/// Llama and all that are built like it.
void read_llama_like(Keys& keys, Transformer& m) {
  m.layers = keys.number({"num_hidden_layers"});
  m.hidden = keys.number({"hidden_size"});
  read_heads(keys, m);
  m.gated = true;
  m.vocab = keys.number({"vocab_size"});
  m.tied = keys.flag("tie_word_embeddings", false);
  m.seq = std::min(keys.number({"max_position_embeddings"}, k_longest_default_seq), k_longest_default_seq);
}

void read_llama(Keys& keys, std::string_view kind, Transformer& m) {
  read_llama_like(keys, m);
  m.ffn = keys.number({"intermediate_size"});
  const bool attention_bias = keys.flag("attention_bias", kind == "qwen2");
  const bool mlp_bias = keys.flag("mlp_bias", false);
  m.bias = mlp_bias ? Bias::all : attention_bias ? Bias::qkv : Bias::none;
  m.query_key_norm = kind == "qwen3";
  if (kind == "mistral") m.window = keys.number({"sliding_window"}, 0);
  if (m.window > 0) m.window_layers = m.layers;
}

void read_mixtral(Keys& keys, Transformer& m) {
  read_llama_like(keys, m);
  m.experts = keys.number({"num_local_experts"});
  m.experts_active = keys.number({"num_experts_per_tok"});
  m.expert_ffn = keys.number({"intermediate_size"});
}

void read_gpt_oss(Keys& keys, Transformer& m) {
  read_mixtral(keys, m);
  keys.flag("attention_bias", true);
  m.bias = Bias::all;
  m.extra_parameters = std::uint64_t{m.layers} * m.heads;  // attention sinks
  m.window = keys.number({"sliding_window"}, 128);
  const std::uint32_t every_other = (m.layers + 1) / 2;
  m.window_layers = m.window == 0 ? 0 : keys.count("layer_types", "sliding_attention").value_or(every_other);
}

void read_qwen3_moe(Keys& keys, Transformer& m) {
  read_llama_like(keys, m);
  keys.known("intermediate_size");  // of dense layers, which there are none of
  m.bias = keys.flag("attention_bias", false) ? Bias::qkv : Bias::none;
  m.query_key_norm = true;
  m.experts = keys.number({"num_experts", "num_local_experts"});
  m.experts_active = keys.number({"num_experts_per_tok"});
  m.expert_ffn = keys.number({"moe_intermediate_size"});
  keys.only("decoder_sparse_step", 1, "all layers have experts here");
  keys.empty_list("mlp_only_layers");
}

void read_deepseek(Keys& keys, std::string_view kind, Transformer& m) {
  read_llama_like(keys, m);
  keys.flag("attention_bias", false);
  keys.known("qk_head_dim");
  m.ffn = keys.number({"intermediate_size"});
  m.experts = keys.number({"n_routed_experts"});
  m.experts_active = keys.number({"num_experts_per_tok"});
  m.shared_experts = keys.number({"n_shared_experts"}, 0);
  m.expert_ffn = keys.number({"moe_intermediate_size"});
  m.dense_layers = keys.number({"first_k_dense_replace"}, 0);
  keys.only("moe_layer_freq", 1, "all layers after the first dense ones have experts here");
  keys.known("topk_method");
  m.latent.query_rank = keys.number({"q_lora_rank"}, 0);
  m.latent.key_rank = keys.number({"kv_lora_rank"});
  m.latent.plain_dim = keys.number({"qk_nope_head_dim"});
  m.latent.rotary_dim = keys.number({"qk_rope_head_dim"});
  m.latent.value_dim = keys.number({"v_head_dim"});
  // Routers without an auxiliary loss have a correction for each expert.
  if (kind != "deepseek_v2" && m.layers >= m.dense_layers) {
    m.extra_parameters = std::uint64_t{m.experts} * (m.layers - m.dense_layers);
  }
}

/// What GPT-2, BLOOM and GPT-NeoX have in common: biases and LayerNorm everywhere.
void read_gpt(Keys& keys, std::string_view kind, Transformer& m) {
  m.layers = keys.number({"n_layer", "num_hidden_layers"});
  m.hidden = keys.number({"hidden_size", "n_embd", "n_embed"});
  m.heads = keys.number({"n_head", "num_attention_heads"});
  m.kv_heads = m.heads;
  m.head_dim = m.heads > 0 && m.hidden % m.heads == 0 ? m.hidden / m.heads : 0;
  m.ffn = keys.number({"intermediate_size", "n_inner"}, 4 * m.hidden);
  m.vocab = keys.number({"vocab_size"});
  m.tied = keys.flag("tie_word_embeddings", kind != "gpt_neox");
  m.bias = Bias::all;
  m.norm_bias = true;
  const std::uint32_t positions = keys.number({"n_positions", "max_position_embeddings", "n_ctx"}, 2048);
  m.seq = std::min(positions, k_longest_default_seq);
  if (kind == "gpt2") m.positions = positions;
  if (kind == "bloom") m.extra_parameters = 2 * std::uint64_t{m.hidden};  // the norm of the embeddings
  if (kind == "gpt_neox") keys.flag("attention_bias", true);
}

void read_kind(Keys& keys, std::string_view kind, Transformer& m) {
  if (kind == "mixtral") return read_mixtral(keys, m);
  if (kind == "gpt_oss") return read_gpt_oss(keys, m);
  if (kind == "qwen3_moe") return read_qwen3_moe(keys, m);
  if (kind == "deepseek_v2" || kind == "deepseek_v3" || kind == "kimi_k2") return read_deepseek(keys, kind, m);
  if (kind == "gpt2" || kind == "bloom" || kind == "gpt_neox") return read_gpt(keys, kind, m);
  read_llama(keys, kind, m);
}

}  // namespace

Result<Transformer> parse_hf_config(std::string_view text, const std::string& file_name) {
  const Result<JsonDocument> document = JsonDocument::parse(text);
  if (!document) return fail(Code::invalid, fmt::format("{}: {}", file_name, document.error().message));
  const JsonNode root = document->root();
  if (root.kind() != JsonNode::Kind::object) {
    return fail(Code::invalid, fmt::format("{}: holds {}; it must be an object of keys", file_name, root.kind_name()));
  }
  const JsonNode type = root.find("model_type");
  const std::string kind = type && type.kind() == JsonNode::Kind::string ? std::string(type.string()) : std::string();
  if (std::find(k_hf_kinds.begin(), k_hf_kinds.end(), kind) == k_hf_kinds.end()) {
    const std::string what =
        kind.empty() ? "is missing" : fmt::format("is \"{}\", which is not read", kind.substr(0, 80));
    return fail(Code::invalid,
                fmt::format("{}: key \"model_type\" {}; known are {}", file_name, what, fmt::join(k_hf_kinds, ", ")));
  }
  Transformer model;
  model.name = file_name;
  Keys keys(root, file_name, kind);
  read_kind(keys, kind, model);
  keys.finish();
  if (keys.error()) return unexpected(*keys.error());
  if (model.layers > k_layers_most) {
    return fail(Code::invalid,
                fmt::format("{}: {} layers; at most {} are read", file_name, model.layers, k_layers_most));
  }
  if (model.vocab == 0) {
    return fail(Code::invalid, fmt::format("{}: key \"vocab_size\" is 0; a language model has words", file_name));
  }
  if (const std::string wrong = twin::check(model); !wrong.empty()) {
    return fail(Code::invalid, fmt::format("{}: {}", file_name, wrong));
  }
  return model;
}

}  // namespace virga
