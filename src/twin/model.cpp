// See the header: the formulas are there.
#include "twin/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "twin/csv.hpp"

namespace virga {
extern const std::string_view k_twin_models_csv;
}

namespace virga::twin {

namespace {

std::uint64_t wide(std::uint32_t number) { return number; }

std::uint64_t attention_weights(const Transformer& m) {
  const std::uint64_t h = m.hidden;
  const LatentAttention& l = m.latent;
  if (!l.used()) return h * m.head_dim * (2 * wide(m.heads) + 2 * wide(m.kv_heads));
  const std::uint64_t query = wide(m.heads) * (l.plain_dim + l.rotary_dim);
  const std::uint64_t from_query = l.query_rank > 0 ? l.query_rank * (h + query) : h * query;
  return from_query + h * (l.key_rank + l.rotary_dim) + wide(l.key_rank) * m.heads * (l.plain_dim + l.value_dim) +
         wide(m.heads) * l.value_dim * h;
}

std::uint64_t attention_biases(const Transformer& m) {
  if (m.bias == Bias::none || m.latent.used()) return 0;
  const std::uint64_t qkv = wide(m.head_dim) * (m.heads + 2 * m.kv_heads);
  return m.bias == Bias::qkv ? qkv : qkv + m.hidden;
}

std::uint64_t mlp_weights(const Transformer& m, std::uint32_t ffn) {
  return wide(m.hidden) * ffn * (m.gated ? 3U : 2U);
}

std::uint64_t mlp_biases(const Transformer& m, std::uint32_t ffn) {
  return m.bias == Bias::all ? wide(ffn) * (m.gated ? 2U : 1U) + m.hidden : 0;
}

std::uint64_t norm_parameters(const Transformer& m) { return wide(m.hidden) * (m.norm_bias ? 2U : 1U); }

std::uint32_t expert_layers(const Transformer& m) { return m.experts > 0 ? m.layers - m.dense_layers : 0; }

/// Multiply-adds of scores and values for one query against `seq` keys.
std::uint64_t score_weights(const Transformer& m, std::uint32_t seq) {
  const std::uint64_t query_and_value =
      m.latent.used() ? m.latent.plain_dim + m.latent.rotary_dim + m.latent.value_dim : 2 * m.head_dim;
  return wide(seq) * m.heads * query_and_value;
}

std::uint64_t forward_layers_flops(const Transformer& m, AttentionCount attention, std::uint32_t seq) {
  const std::uint64_t windowed = score_weights(m, static_cast<std::uint32_t>(window_keys(m, seq))) * m.window_layers;
  const std::uint64_t scores = score_weights(m, seq) * (m.layers - m.window_layers) + windowed;
  const bool half = m.causal && attention == AttentionCount::causal;
  const std::uint64_t experts = expert_layers(m);
  const std::uint64_t dense = m.layers - experts;
  const std::uint64_t expert = mlp_weights(m, m.expert_ffn);
  const std::uint64_t expert_mlp =
      experts == 0 ? 0 : expert * (m.experts_active + m.shared_experts) + wide(m.hidden) * m.experts;
  return m.layers * 2 * attention_weights(m) + (half ? scores : 2 * scores) + dense * 2 * mlp_weights(m, m.ffn) +
         experts * 2 * expert_mlp;
}

/// Of the output and of the layers that predict further tokens, forward.
std::uint64_t output_flops(const Transformer& m, AttentionCount attention, std::uint32_t seq) {
  const std::uint64_t logits = 2 * wide(m.hidden) * m.vocab;
  if (m.predict_layers == 0) return logits;
  Transformer one = m;  // one layer of the kind that the last is
  one.layers = 1;
  one.window_layers = 0;
  one.dense_layers = m.experts > 0 ? 0 : m.dense_layers;
  const std::uint64_t layer = forward_layers_flops(one, attention, seq) + 4 * wide(m.hidden) * m.hidden;
  return logits + m.predict_layers * (layer + logits);
}

}  // namespace

LayerParameters layer_parameters(const Transformer& m) {
  LayerParameters layer;
  layer.attention = attention_weights(m) + attention_biases(m);
  if (m.latent.used()) layer.norms += m.latent.query_rank + m.latent.key_rank;
  layer.dense_mlp = m.ffn > 0 ? mlp_weights(m, m.ffn) + mlp_biases(m, m.ffn) : 0;
  if (m.experts > 0) {
    layer.one_expert = mlp_weights(m, m.expert_ffn) + mlp_biases(m, m.expert_ffn);
    const std::uint64_t router = wide(m.experts) * m.hidden + (m.bias == Bias::all ? m.experts : 0);
    layer.shared_mlp = layer.one_expert * m.shared_experts + router;
  }
  layer.norms += 2 * norm_parameters(m) + (m.query_key_norm ? 2 * wide(m.head_dim) : 0);
  // The norms of a modulated layer have no weights: scale and shift come from the sample's condition.
  if (m.modulated) layer.norms = 6 * wide(m.hidden) * (m.hidden + 1);
  return layer;
}

std::uint64_t predict_parameters(const Transformer& m) {
  const LayerParameters layer = layer_parameters(m);
  const std::uint64_t mlp = m.experts > 0 ? layer.shared_mlp : layer.dense_mlp;
  return m.predict_layers *
         (layer.attention + layer.norms + mlp + 2 * wide(m.hidden) * m.hidden + 2 * norm_parameters(m));
}

std::uint64_t embedding_parameters(const Transformer& m) { return wide(m.hidden) * (wide(m.vocab) + m.positions); }

std::uint64_t output_parameters(const Transformer& m) { return m.tied ? 0 : wide(m.hidden) * m.vocab; }

ParameterCount parameters(const Transformer& m) {
  const LayerParameters layer = layer_parameters(m);
  const std::uint64_t experts = expert_layers(m);
  const std::uint64_t with_experts = experts + (m.experts > 0 ? m.predict_layers : 0);
  const std::uint64_t rest = m.layers * (layer.attention + layer.norms) + (m.layers - experts) * layer.dense_mlp +
                             experts * layer.shared_mlp + embedding_parameters(m) + output_parameters(m) +
                             predict_parameters(m) + (m.modulated ? 0 : norm_parameters(m)) + m.extra_parameters;
  return {rest + with_experts * m.experts * layer.one_expert,
          rest + with_experts * m.experts_active * layer.one_expert};
}

std::uint64_t window_keys(const Transformer& m, std::uint32_t seq) {
  if (m.window == 0 || m.window >= seq) return seq;
  return 2 * wide(m.window) - wide(m.window) * m.window / seq;
}

std::uint64_t flops_per_token(const Transformer& m, AttentionCount attention, std::uint32_t seq) {
  const std::uint32_t tokens = seq > 0 ? seq : m.seq;
  return 3 * (forward_layers_flops(m, attention, tokens) + output_flops(m, attention, tokens));
}

std::uint64_t flops_per_token_full_recompute(const Transformer& m, std::uint32_t seq) {
  const std::uint32_t tokens = seq > 0 ? seq : m.seq;
  return 4 * forward_layers_flops(m, AttentionCount::full, tokens) + 3 * output_flops(m, AttentionCount::full, tokens);
}

std::string check(const Transformer& m) {
  if (m.layers == 0 || m.hidden == 0 || m.heads == 0 || m.seq == 0) {
    return fmt::format("model {}: layers, hidden, heads and seq must be above 0, got {}, {}, {}, {}", m.name, m.layers,
                       m.hidden, m.heads, m.seq);
  }
  if (!m.latent.used() && m.head_dim == 0) {
    return fmt::format("model {}: hidden {} is no multiple of heads {}; say head_dim", m.name, m.hidden, m.heads);
  }
  if (!m.latent.used() && (m.kv_heads == 0 || m.heads % m.kv_heads != 0)) {
    return fmt::format("model {}: heads {} is no multiple of kv_heads {}", m.name, m.heads, m.kv_heads);
  }
  if (m.experts > 0 && (m.experts_active == 0 || m.experts_active > m.experts || m.expert_ffn == 0)) {
    return fmt::format("model {}: {} of {} experts of ffn {} cannot be active", m.name, m.experts_active, m.experts,
                       m.expert_ffn);
  }
  if (m.dense_layers > m.layers) {
    return fmt::format("model {}: {} dense layers of {}", m.name, m.dense_layers, m.layers);
  }
  if (m.ffn == 0 && (m.experts == 0 || m.dense_layers > 0)) {
    return fmt::format("model {}: its dense layers have no ffn", m.name);
  }
  if (m.window_layers > m.layers || (m.window_layers > 0 && (m.window == 0 || !m.causal))) {
    return fmt::format("model {}: {} of {} layers cannot have a sliding window of {} tokens", m.name, m.window_layers,
                       m.layers, m.window);
  }
  return {};
}

Transformer gpt(std::uint32_t layers, std::uint32_t hidden, std::uint32_t heads, std::uint32_t seq,
                std::uint32_t vocab) {
  Transformer m;
  m.name = "gpt";
  m.layers = layers;
  m.hidden = hidden;
  m.heads = heads;
  m.kv_heads = heads;
  m.head_dim = heads > 0 && hidden % heads == 0 ? hidden / heads : 0;
  m.ffn = 4 * hidden;
  m.vocab = vocab;
  m.seq = seq;
  m.tied = true;
  m.positions = seq;
  m.bias = Bias::all;
  m.norm_bias = true;
  return m;
}

Result<std::vector<Transformer>> parse_models(std::string_view text) {
  CsvReader csv(text);
  std::vector<Transformer> models;
  while (csv.next()) {
    Transformer m;
    bool readable = true;
    const auto field = [&](std::string_view name) { return csv[csv.column(name)]; };
    const auto number = [&](std::string_view name, auto& into) {
      readable = readable && read_optional_number(field(name), into);
    };
    const auto flag = [&](std::string_view name) { return field(name) == "yes"; };
    m.name = field("name");
    number("layers", m.layers);
    number("hidden", m.hidden);
    number("heads", m.heads);
    number("kv_heads", m.kv_heads);
    number("head_dim", m.head_dim);
    if (m.kv_heads == 0) m.kv_heads = m.heads;
    if (m.head_dim == 0 && m.heads > 0 && m.hidden % m.heads == 0) m.head_dim = m.hidden / m.heads;
    number("ffn", m.ffn);
    m.gated = flag("gated");
    number("vocab", m.vocab);
    number("seq", m.seq);
    m.tied = flag("tied");
    number("positions", m.positions);
    const auto bias = enum_from_name<Bias>(field("bias"));
    if (bias) m.bias = *bias;
    m.norm_bias = field("norm") == "layer";
    m.query_key_norm = flag("qk_norm");
    m.causal = field("causal") != "no";
    number("experts", m.experts);
    number("active", m.experts_active);
    number("shared", m.shared_experts);
    number("expert_ffn", m.expert_ffn);
    number("dense_layers", m.dense_layers);
    number("q_rank", m.latent.query_rank);
    number("kv_rank", m.latent.key_rank);
    number("qk_plain", m.latent.plain_dim);
    number("qk_rotary", m.latent.rotary_dim);
    number("v_dim", m.latent.value_dim);
    number("window", m.window);
    number("window_layers", m.window_layers);
    number("predict_layers", m.predict_layers);
    m.modulated = flag("modulated");
    number("extra", m.extra_parameters);
    number("published", m.published);
    if (!readable || !bias || m.name.empty()) {
      return fail(Code::corrupt, fmt::format("models table, line {}: cannot be read", csv.line()));
    }
    if (std::string wrong = check(m); !wrong.empty()) return fail(Code::corrupt, std::move(wrong));
    models.push_back(std::move(m));
  }
  if (csv.ragged_line() > 0) {
    return fail(Code::corrupt, fmt::format("models table, line {}: too many fields", csv.ragged_line()));
  }
  return models;
}

const std::vector<Transformer>& known_models() {
  static const std::vector<Transformer> k_models = [] {
    auto models = parse_models(k_twin_models_csv);
    VIRGA_ASSERT(models.has_value() && !models->empty(), "the embedded table of models is readable");
    return std::move(*models);
  }();
  return k_models;
}

const Transformer* find_model(std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto same = [&](const Transformer& m) {
    return std::equal(m.name.begin(), m.name.end(), name.begin(), name.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
  };
  const auto& all = known_models();
  const auto found = std::find_if(all.begin(), all.end(), same);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace virga::twin
