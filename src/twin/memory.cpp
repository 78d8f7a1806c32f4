// See the header for the formulas.
#include "twin/memory.hpp"

#include <algorithm>

namespace virga::twin {

namespace {

constexpr double k_weight_bytes = 2;
/// Sharded weights that are whole at a time: DeepSpeed's stage3_max_live_parameters.
constexpr double k_live_parameters = 1e9;

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

GpuParameters layer_parameters_per_gpu(const Transformer& m, const Layout& l) {
  const LayerParameters layer = layer_parameters(m);
  const double t = l.tp;
  const double expert_share = m.experts > 0 ? 1.0 - number(m.dense_layers) / m.layers : 0.0;
  const double all = number(layer.attention) / t + number(layer.norms) +
                     (1 - expert_share) * number(layer.dense_mlp) / t + expert_share * number(layer.shared_mlp) / t;
  return {all, expert_share * number(layer.one_expert) * m.experts / std::max(l.ep, l.tp)};
}

std::uint32_t expert_data_ranks(const Layout& l) { return std::max(l.dp * l.cp * l.tp / std::max(l.ep, l.tp), 1U); }

StageParameters stage_parameters(const Transformer& m, const Layout& l) {
  const StageLayers layers = stage_layers(m.layers, l.pp);
  const GpuParameters layer = layer_parameters_per_gpu(m, l);
  const double embedding = number(embedding_parameters(m) + m.extra_parameters) / l.tp;
  const double output = number(m.hidden) * m.vocab / l.tp;
  const double predict_experts = m.experts > 0 ? number(layer_parameters(m).one_expert) * m.experts : 0;
  const GpuParameters predict{number(predict_parameters(m)) / l.tp,
                              predict_experts * m.predict_layers / std::max(l.ep, l.tp)};
  const auto stage = [&](double count, double more, double more_experts) {
    return GpuParameters{layer.shared_by_data * count + more, layer.experts * count + more_experts};
  };
  if (l.pp == 1) {
    const double more = embedding + (m.tied ? 0 : output) + predict.shared_by_data;
    const GpuParameters all = stage(m.layers, more, predict.experts);
    return {all, all, all};
  }
  return {stage(layers.first, embedding, 0), stage(layers.middle, 0, 0),
          stage(layers.last, output + predict.shared_by_data, predict.experts)};
}

double layer_activation_bytes(const Transformer& m, const Layout& l, bool scores_kept) {
  const double t = l.tp;
  const double h = m.hidden;
  const double tokens = number(l.micro_batch) * m.seq / l.cp;
  const double spread = l.sequence_parallel ? t : 1;
  // Dropout masks are of models with biases: those of the GPT family.
  const double masks = m.bias == Bias::all && m.causal ? 2 * h : 0;
  // Inputs of norms and, in 16 or 8 bits, of matrix products.
  const double input_bytes = l.precision >= Precision::fp8 ? 1 : 2;
  const bool again = l.recompute == Recompute::selective && m.experts > 0;
  const double whole = (again ? 4 : 4 + 2 * input_bytes) * h + masks;
  const double query_key_value =
      m.latent.used() ? number(m.heads) * (2.0 * (m.latent.plain_dim + m.latent.rotary_dim) + m.latent.value_dim)
                      : number(m.head_dim) * (m.heads + 2.0 * m.kv_heads);
  const double context = number(m.heads) * (m.latent.used() ? m.latent.value_dim : m.head_dim);
  const double mlp_bytes = (m.gated ? 4 : 2) + input_bytes;  // of the activation function's input, and its output
  const double expert_share = m.experts > 0 ? 1.0 - number(m.dense_layers) / m.layers : 0.0;
  const double expert_bytes = again ? mlp_bytes - input_bytes : mlp_bytes;
  const double routed = number(m.experts_active) * (input_bytes * h + expert_bytes * m.expert_ffn) +
                        expert_bytes * number(m.shared_experts) * m.expert_ffn;
  const double latent = m.latent.query_rank + m.latent.key_rank + m.latent.rotary_dim;
  const double split = 2 * (again && m.latent.used() ? latent : query_key_value) + input_bytes * context +
                       (1 - expert_share) * mlp_bytes * m.ffn + expert_share * routed;
  const double scores = scores_kept ? 5.0 * m.heads * m.seq : 0;
  return tokens * (whole / spread + split / t + scores / t);
}

MemoryUse memory_use(const Transformer& m, const Layout& l, const Stack& stack) {
  const StageLayers layers = stage_layers(m.layers, l.pp);
  const StageParameters parameters = stage_parameters(m, l);
  const bool scores_kept = !stack.flash && l.recompute == Recompute::none;
  const double live = layer_activation_bytes(m, l, !stack.flash);
  const double tokens = number(l.micro_batch) * m.seq / l.cp;
  const double input = 2.0 * m.hidden * tokens / (l.sequence_parallel ? l.tp : 1);
  const double kept = l.recompute == Recompute::full ? input : layer_activation_bytes(m, l, scores_kept);
  const double chunks = l.interleave > 1 ? 1.0 + (l.pp - 1.0) / (number(l.pp) * l.interleave) : 1.0;
  const double micro_batches = l.micro_batches();
  // Sharded weights are whole for the layer at work and for the next, which is on its way; gradients for one.
  const double whole = l.sharded_weights ? std::min(layer_parameters_per_gpu(m, l).total(), k_live_parameters) : 0;
  const std::uint32_t expert_ranks = expert_data_ranks(l);

  const auto stage = [&](const GpuParameters& held, double layer_count, double in_flight, bool last) {
    MemoryUse use;
    const double shards = number(l.dp) * l.cp;
    const double share = held.shared_by_data / shards + held.experts / expert_ranks;
    const double kept_parameters = l.sharded_weights ? share : held.total();
    use.weights = k_weight_bytes * (kept_parameters + 2 * whole);
    use.gradients = stack.gradient_bytes * (kept_parameters + whole);
    use.optimizer = stack.optimizer_bytes * (l.distributed_optimizer || l.sharded_weights ? share : held.total());
    const double on_gpu = layer_count - std::min<double>(layer_count, l.offloaded_layers);
    const double held_layers = on_gpu + (last ? m.predict_layers : 0);
    use.activations = kept * held_layers * in_flight + (l.recompute == Recompute::full ? live : 0);
    // 16-bit logits, 32-bit softmax, 16-bit gradient
    if (last) use.output = tokens * m.vocab / l.tp * 8.0 * (1 + m.predict_layers);
    use.reserve = stack.reserve_bytes + stack.fragmentation * (use.activations + use.output);
    return use;
  };
  const MemoryUse first =
      stage(parameters.first, layers.first, std::min(number(l.pp), micro_batches) * chunks, l.pp == 1);
  if (l.pp == 1) return first;
  const MemoryUse second =
      stage(parameters.middle, layers.middle, std::min(l.pp - 1.0, micro_batches) * chunks, l.pp == 2);
  const MemoryUse last = stage(parameters.last, layers.last, chunks, true);
  const MemoryUse& fuller = first.total() >= second.total() || l.pp == 2 ? first : second;
  return fuller.total() >= last.total() ? fuller : last;
}

}  // namespace virga::twin
