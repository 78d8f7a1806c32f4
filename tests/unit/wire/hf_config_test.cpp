// Models from config.json: the sizes of published ones, and mistakes told with file and key.
#include "wire/hf_config.hpp"

#include <doctest/doctest.h>

namespace virga {
namespace {

twin::Transformer read(std::string_view text) {
  auto model = parse_hf_config(text, "config.json");
  INFO((model ? std::string() : model.error().message));
  REQUIRE(model.has_value());
  return *model;
}

std::string error_of(std::string_view text) {
  const auto model = parse_hf_config(text, "m/config.json");
  REQUIRE_FALSE(model.has_value());
  CHECK(model.error().code == Code::invalid);
  CHECK(model.error().message.find('\n') == std::string::npos);
  return model.error().message;
}

/// The file's model is the catalogue's.
void check_same(std::string_view text, std::string_view name) {
  const twin::Transformer model = read(text);
  const twin::Transformer* known = twin::find_model(name);
  REQUIRE(known != nullptr);
  INFO(name);
  CHECK(twin::parameters(model).total == twin::parameters(*known).total);
  CHECK(twin::parameters(model).active == twin::parameters(*known).active);
  CHECK(twin::flops_per_token(model, twin::AttentionCount::full, 4096) ==
        twin::flops_per_token(*known, twin::AttentionCount::full, 4096));
}

constexpr std::string_view k_llama = R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
  "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
  "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0}, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true})";

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string result(text);
  result.replace(result.find(what), what.size(), with);
  return result;
}

}  // namespace

TEST_CASE("hf_config: dense models have the parameters of the catalogue") {
  check_same(k_llama, "llama-3-70b");
  check_same(R"({"model_type": "gpt2", "n_layer": 48, "n_embd": 1600, "n_head": 25, "n_positions": 1024, "n_ctx": 1024,
    "vocab_size": 50257, "activation_function": "gelu_new", "n_inner": null, "resid_pdrop": 0.1})",
             "gpt-2-1.5b");
  check_same(R"({"model_type": "bloom", "n_layer": 70, "hidden_size": 14336, "n_head": 112, "vocab_size": 250880,
    "seq_length": 2048, "apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0})",
             "bloom-176b");
  check_same(R"({"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "sliding_window": 4096})",
             "mistral-7b");
}

TEST_CASE("hf_config: mixtures of experts have total and active parameters of the catalogue") {
  check_same(R"({"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2,
    "vocab_size": 32000, "router_aux_loss_coef": 0.02})",
             "mixtral-8x7b");
  check_same(R"({"model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 48,
    "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128,
    "num_experts_per_tok": 8, "moe_intermediate_size": 768, "decoder_sparse_step": 1, "mlp_only_layers": [],
    "vocab_size": 151936, "norm_topk_prob": true})",
             "qwen3-30b-a3b");
  check_same(R"({"model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128,
    "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    "moe_layer_freq": 1, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "vocab_size": 129280, "topk_method": "noaux_tc", "num_nextn_predict_layers": 1,
    "quantization_config": {"fmt": "e4m3"}})",
             "deepseek-v3");
  check_same(R"({"model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 36,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": 128,
    "num_experts_per_tok": 4, "vocab_size": 201088, "attention_bias": true, "swiglu_limit": 7.0})",
             "gpt-oss-120b");
}

TEST_CASE("hf_config: which layers have a sliding window") {
  const twin::Transformer some = read(R"({"model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880,
    "num_hidden_layers": 3, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
    "num_local_experts": 128, "num_experts_per_tok": 4, "vocab_size": 201088, "sliding_window": 256,
    "layer_types": ["full_attention", "sliding_attention", "full_attention"]})");
  CHECK(some.window == 256);
  CHECK(some.window_layers == 1);
  CHECK(read(k_llama).window_layers == 0);
  CHECK(read(replaced(k_llama, "\"llama\"", "\"mistral\"")).window_layers == 0);
  const twin::Transformer all =
      read(replaced(replaced(k_llama, "\"llama\"", "\"mistral\""), "\"use_cache\": true", "\"sliding_window\": 4096"));
  CHECK(all.window_layers == 80);
}

TEST_CASE("hf_config: biases and norms that change the count") {
  const auto parameters = [](std::string_view text) { return twin::parameters(read(text)).total; };
  const std::uint64_t plain = parameters(k_llama);
  // Queries 64 x 128, keys and values 8 x 128 each.
  CHECK(parameters(replaced(k_llama, "\"llama\"", "\"qwen2\"")) == plain + 80 * (64 + 16) * 128);
  CHECK(parameters(replaced(k_llama, "\"llama\"", "\"qwen3\"")) == plain + 80 * 2 * 128);
  CHECK(read(replaced(k_llama, "embeddings\": false", "embeddings\": true")).tied);
  CHECK(read(k_llama).seq == 4096);
}

TEST_CASE("hf_config: mistakes are one line with file and key") {
  CHECK(
      error_of(replaced(k_llama, "\"num_hidden_layers\"", "\"num_hiden_layers\"")) ==
      "m/config.json: key \"num_hidden_layers\" is missing (there is an unknown \"num_hiden_layers\"); a model of kind "
      "llama needs it");
  CHECK(error_of(replaced(k_llama, "\"use_cache\"", "\"number_of_towers\"")) ==
        "m/config.json: key \"number_of_towers\" is unknown for a model of kind llama; remove it if it says nothing "
        "about size");
  CHECK(error_of(replaced(k_llama, "\"use_cache\": true", "\"num_key_value_head\": 8")) ==
        "m/config.json: key \"num_key_value_head\" is unknown for a model of kind llama; did you mean "
        "\"num_key_value_heads\"?");
  CHECK(error_of(replaced(k_llama, "\"llama\"", "\"mamba\""))
            .find("key \"model_type\" is \"mamba\", which is not read") != std::string::npos);
  CHECK(error_of("{}").find("key \"model_type\" is missing") != std::string::npos);
  CHECK(error_of(replaced(k_llama, ": 80", ": \"80\"")).find("key \"num_hidden_layers\" is a string") !=
        std::string::npos);
  CHECK(error_of(replaced(k_llama, ": 80", ": -1")).find("key \"num_hidden_layers\"") != std::string::npos);
  CHECK(error_of(replaced(k_llama, ": 64", ": 63")) ==
        "m/config.json: model m/config.json: hidden 8192 is no multiple of heads 63; say head_dim");
  CHECK(error_of("[1]").find("must be an object") != std::string::npos);
  CHECK(error_of("{").find("m/config.json: ") == 0);
}

}  // namespace virga
