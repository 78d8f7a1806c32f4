// See the header for the formulas.
#include "twin/memory.hpp"

#include <algorithm>

namespace virga::twin {

namespace {

constexpr double k_weight_bytes = 2;

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

double layer_parameters_per_gpu(const Transformer& m, const Layout& l) {
  const LayerParameters layer = layer_parameters(m);
  const double t = l.tp;
  const double expert_share = m.experts > 0 ? 1.0 - number(m.dense_layers) / m.layers : 0.0;
  const double experts = number(layer.one_expert) * m.experts / l.ep / (l.ep >= l.tp ? 1.0 : t / l.ep);
  return number(layer.attention) / t + number(layer.norms) + (1 - expert_share) * number(layer.dense_mlp) / t +
         expert_share * (number(layer.shared_mlp) / t + experts);
}

StageParameters stage_parameters(const Transformer& m, const Layout& l) {
  const StageLayers layers = stage_layers(m.layers, l.pp);
  const double layer = layer_parameters_per_gpu(m, l);
  const double embedding = number(embedding_parameters(m) + m.extra_parameters) / l.tp;
  const double output = number(m.hidden) * m.vocab / l.tp;
  if (l.pp == 1) {
    const double all = layer * m.layers + embedding + (m.tied ? 0 : output);
    return {all, all, all};
  }
  return {layer * layers.first + embedding, layer * layers.middle, layer * layers.last + output};
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
  const double whole = (4 + 2 * input_bytes) * h + masks;
  const double query_key_value =
      m.latent.used() ? number(m.heads) * (2.0 * (m.latent.plain_dim + m.latent.rotary_dim) + m.latent.value_dim)
                      : number(m.head_dim) * (m.heads + 2.0 * m.kv_heads);
  const double context = number(m.heads) * (m.latent.used() ? m.latent.value_dim : m.head_dim);
  const double mlp_bytes = (m.gated ? 4 : 2) + input_bytes;  // of the activation function's input, and its output
  const double expert_share = m.experts > 0 ? 1.0 - number(m.dense_layers) / m.layers : 0.0;
  const double routed = number(m.experts_active) * (input_bytes * h + mlp_bytes * m.expert_ffn) +
                        mlp_bytes * number(m.shared_experts) * m.expert_ffn;
  const double split =
      2 * query_key_value + input_bytes * context + (1 - expert_share) * mlp_bytes * m.ffn + expert_share * routed;
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

  const auto stage = [&](double stage_parameters_count, double stage_layer_count, double in_flight, bool last) {
    MemoryUse use;
    const double shards = number(l.dp) * l.cp;
    const double weight_shards = l.sharded_weights ? shards : 1;
    use.weights = k_weight_bytes * stage_parameters_count / weight_shards;
    use.gradients = stack.gradient_bytes * stage_parameters_count / weight_shards;
    use.optimizer =
        stack.optimizer_bytes * stage_parameters_count / (l.distributed_optimizer || l.sharded_weights ? shards : 1);
    use.activations = kept * stage_layer_count * in_flight + (l.recompute == Recompute::full ? live : 0);
    if (last) use.output = tokens * m.vocab / l.tp * 8.0;  // 16-bit logits, 32-bit softmax, 16-bit gradient
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
