// See the header for the sum; here is what goes into it.
#include "twin/iteration.hpp"

#include <algorithm>

namespace virga::twin {

namespace {

constexpr std::size_t k_slots = 4096;
constexpr double k_element_bytes = 2;  ///< of activations

double number(std::uint64_t value) { return static_cast<double>(value); }

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Megatron pads the vocabulary to a multiple of 128 per tensor rank.
std::uint64_t vocab_share(const Transformer& m, std::uint32_t tp) { return ceil_div(ceil_div(m.vocab, tp), 128) * 128; }

/// What of a layout the times of a layer depend on, packed; never 0.
std::uint64_t key_of(const Layout& l) {
  std::uint64_t key = 1;
  for (const std::uint64_t part :
       {std::uint64_t{l.tp}, std::uint64_t{l.cp}, std::uint64_t{l.ep}, std::uint64_t{l.micro_batch}}) {
    key = key * 4096 + part;
  }
  return (key * 8 + static_cast<std::uint64_t>(l.precision)) * 8 + static_cast<std::uint64_t>(l.recompute) * 2 +
         (l.sequence_parallel ? 1 : 0);
}

}  // namespace

double slowest(const std::vector<double>& rank_slowdowns) {
  double worst = 1;
  for (const double slowdown : rank_slowdowns) worst = std::max(worst, slowdown);
  return worst;
}

void Evaluator::Pass::add(const Pass& other, double times) {
  compute += other.compute * times;
  host += other.host * times;
  tensor += other.tensor * times;
  expert += other.expert * times;
}

Evaluator::Evaluator(const Transformer& model, const System& system, const Stack& stack, const Calibration& calibration)
    : model_(&model), system_(&system), stack_(stack), calibration_(calibration), net_(system.net()), slots_(k_slots) {
  for (std::size_t i = 0; i < std::size(rates_); ++i) {
    rates_[i] = rates_of(*system.gpu, static_cast<Precision>(i), stack, calibration);
  }
}

/// HBM traffic of norms, dropout, residuals and activation functions of one layer's forward pass.
double Evaluator::elementwise_bytes(const Layout& l) const {
  const Transformer& m = *model_;
  const double h = m.hidden;
  const bool dropout = m.bias == Bias::all && m.causal;
  // Two norms (read, write), two residual sums (read two, write one, dropout's mask).
  const double whole = 2 * 4 * h + 2 * (dropout ? 7 : 6) * h;
  const double ffn = m.experts > 0 ? number(m.expert_ffn) * (m.experts_active + m.shared_experts) : number(m.ffn);
  const double routed = m.experts > 0 ? 8 * h * m.experts_active : 0;  // permute and combine, read and write
  const double heads = number(m.head_dim) * (m.heads + 2.0 * m.kv_heads);
  const double split = (m.gated ? 6 : 4) * ffn + 4 * heads + routed;
  const double quantised = l.precision >= Precision::fp8 ? calibration_.quantise_bytes * (2 * h + 2 * h + ffn) : 0;
  const double t = l.tp;
  return (stack_.elementwise * (whole / (l.sequence_parallel ? t : 1) + split / t) + quantised / t);
}

/// Matrix products of the MLP (the mean of dense and expert layers), and the experts' traffic.
double Evaluator::mlp_seconds(const Layout& l, bool backward, double& expert_traffic) const {
  const Transformer& m = *model_;
  const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
  const std::uint64_t tokens = std::uint64_t{l.micro_batch} * m.seq / l.cp;
  const std::uint64_t up = m.gated ? 2 : 1;
  const auto pair = [&](std::uint64_t rows, std::uint64_t ffn, std::uint64_t count) {
    if (ffn == 0 || rows == 0) return 0.0;
    if (!backward) {
      return gemm_seconds(rates, {rows, up * ffn, m.hidden, count}) + gemm_seconds(rates, {rows, m.hidden, ffn, count});
    }
    return gemm_seconds(rates, {rows, m.hidden, up * ffn, count}) + gemm_seconds(rates, {rows, ffn, m.hidden, count}) +
           gemm_seconds(rates, {m.hidden, up * ffn, rows, count}) + gemm_seconds(rates, {ffn, m.hidden, rows, count});
  };
  if (m.experts == 0) return pair(tokens, m.ffn / l.tp, 1);
  const double share = 1.0 - number(m.dense_layers) / m.layers;
  const std::uint64_t local = std::max<std::uint64_t>(m.experts / l.ep, 1);
  // Tokens are spread evenly over the experts, whose groups span the tensor ranks once there are as many.
  const std::uint64_t per_gpu = ceil_div(tokens, l.ep >= l.tp ? l.tp : 1);
  const std::uint64_t rows = ceil_div(per_gpu * m.experts_active, local);
  const double bytes = number(per_gpu) * m.experts_active * m.hidden * k_element_bytes;
  const Group group{l.ep, std::min(l.ep, system_->domain), 0};
  expert_traffic = share * 2 * collective_seconds(Collective::all_to_all, group, bytes, net_);
  const double dense = m.dense_layers > 0 ? pair(tokens, m.ffn / l.tp, 1) : 0;
  const double shared =
      m.shared_experts > 0 ? pair(tokens, std::uint64_t{m.shared_experts} * m.expert_ffn / l.tp, 1) : 0;
  return share * (pair(rows, m.expert_ffn, local) + shared) + (1 - share) * dense;
}

Evaluator::Pass Evaluator::layer_forward(const Layout& l, bool backward) const {
  const Transformer& m = *model_;
  const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
  const std::uint64_t tokens = std::uint64_t{l.micro_batch} * m.seq / l.cp;
  const std::uint64_t heads = ceil_div(m.heads, l.tp);
  const std::uint64_t kv_heads = ceil_div(m.kv_heads, l.tp);
  Pass pass;
  // A product x W forward is two backward: for the input's gradient and for the weights'.
  const auto linear = [&](std::uint64_t in, std::uint64_t out) {
    if (!backward) return gemm_seconds(rates, {tokens, out, in});
    return gemm_seconds(rates, {tokens, in, out}) + gemm_seconds(rates, {in, out, tokens});
  };
  std::uint64_t key_dim = m.head_dim;
  std::uint64_t value_dim = m.head_dim;
  if (m.latent.used()) {
    key_dim = m.latent.plain_dim + m.latent.rotary_dim;
    value_dim = m.latent.value_dim;
    pass.compute += linear(m.hidden, m.latent.query_rank + m.latent.key_rank + m.latent.rotary_dim) +
                    linear(m.latent.query_rank > 0 ? m.latent.query_rank : m.hidden, heads * key_dim) +
                    linear(m.latent.key_rank, heads * (m.latent.plain_dim + value_dim));
  } else {
    pass.compute += linear(m.hidden, m.head_dim * (heads + 2 * kv_heads));
  }
  const ForwardBackward attention =
      attention_seconds(rates, {l.micro_batch, heads, m.seq, m.seq / l.cp, key_dim, value_dim, m.causal}, stack_);
  pass.compute += (backward ? attention.backward : attention.forward) + linear(heads * value_dim, m.hidden);
  pass.compute += mlp_seconds(l, backward, pass.expert);
  pass.compute += elementwise_bytes(l) * number(tokens) * (backward ? 1.6 : 1.0) / rates.hbm_bytes_s;

  const double exposed = 1 - stack_.tp_hidden;
  double collectives = 0;
  if (l.tp > 1) {
    const Group group{l.tp, std::min(l.tp, system_->domain), 0};
    const double bytes = number(tokens) * m.hidden * k_element_bytes;
    pass.tensor += 2 * collective_seconds(Collective::all_reduce, group, bytes, net_) * exposed;
    // Backward, sequence parallelism gathers the inputs once more for the weights' gradients; it is hidden behind them.
    collectives = l.sequence_parallel ? 4 : 2;
  }
  if (l.cp > 1) {
    // Keys and values go around the ring, hidden behind attention as far as that lasts (ring attention).
    const Group group{2, l.tp * l.cp <= system_->domain ? 2U : 1U, 0};
    const double bytes = number(tokens) * m.head_dim * 2 * number(kv_heads) * k_element_bytes * (l.cp - 1);
    const double ring = collective_seconds(Collective::send_recv, group, bytes, net_) * (backward ? 2 : 1);
    pass.tensor += std::max(0.0, ring - (backward ? attention.backward : attention.forward));
    collectives += l.cp - 1;
  }
  const double host = stack_.host_layer_s + collectives * stack_.host_collective_s;
  pass.host = std::max(0.0, host - pass.compute - pass.tensor - pass.expert);
  return pass;
}

Evaluator::Pass Evaluator::output_pass(const Layout& l) const {
  const Transformer& m = *model_;
  Pass pass;
  if (m.vocab == 0) return pass;
  const Rates& rates = rates_[static_cast<std::size_t>(std::min(l.precision, Precision::bf16))];
  const std::uint64_t tokens = std::uint64_t{l.micro_batch} * m.seq / l.cp;
  const std::uint64_t vocab = vocab_share(m, l.tp);
  pass.compute = gemm_seconds(rates, {tokens, vocab, m.hidden}) + gemm_seconds(rates, {tokens, m.hidden, vocab}) +
                 gemm_seconds(rates, {m.hidden, vocab, tokens}) +
                 number(tokens) * number(vocab) * calibration_.logits_bytes / rates.hbm_bytes_s;
  if (l.tp > 1) {
    const Group group{l.tp, std::min(l.tp, system_->domain), 0};
    pass.tensor = collective_seconds(Collective::all_reduce, group, number(tokens) * m.hidden * k_element_bytes, net_);
  }
  return pass;
}

Evaluator::Times Evaluator::make_times(const Layout& l) const {
  Times times;
  const Pass forward = layer_forward(l, false);
  times.layer_backward = layer_forward(l, true);
  times.layer_backward.compute +=
      layer_parameters_per_gpu(*model_, l) * stack_.accumulate_bytes / rates_[0].hbm_bytes_s;
  times.layer.add(forward, l.recompute == Recompute::full ? 2 : 1);
  times.layer.add(times.layer_backward, 1);
  if (l.recompute == Recompute::selective && !stack_.flash) {
    const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
    times.layer.compute += attention_seconds(rates,
                                             {l.micro_batch, ceil_div(model_->heads, l.tp), model_->seq,
                                              model_->seq / l.cp, model_->head_dim, 0, model_->causal},
                                             stack_)
                               .forward;
  }
  times.output = output_pass(l);
  const double bytes = number(l.micro_batch) * model_->seq / l.cp * model_->hidden * k_element_bytes;
  const bool split = l.sequence_parallel || stack_.scatter_gather;
  times.send = bytes / (split ? l.tp : 1);
  return times;
}

const Evaluator::Times& Evaluator::times(const Layout& l) const {
  const std::uint64_t key = key_of(l);
  // Fibonacci hashing: the high bits of a product with 2^64 / golden ratio.
  Slot& slot = slots_[(key * 0x9E3779B97F4A7C15ULL) >> 52];
  static_assert(k_slots == std::size_t{1} << 12);
  if (slot.key != key) {
    slot.times = make_times(l);
    slot.key = key;
  }
  return slot.times;
}

double Evaluator::data_seconds(const Layout& l, const StageParameters& parameters, double last_backward) const {
  const std::uint32_t ranks = l.dp * l.cp;
  if (ranks <= 1) return 0;
  const Group group{ranks, std::clamp(system_->domain / l.tp, 1U, ranks), 0};
  const double most = std::max({parameters.first, parameters.middle, parameters.last});
  if (l.sharded_weights) {
    // Every layer's weights are gathered before each pass and its gradients scattered after, behind compute.
    const double traffic = l.micro_batches() * (2 * collective_seconds(Collective::all_gather, group, 2 * most, net_) +
                                                collective_seconds(Collective::reduce_scatter, group, 2 * most, net_));
    return std::max(0.0, traffic - last_backward * l.micro_batches());
  }
  const double gradients = stack_.gradient_bytes * most;
  const double traffic = l.distributed_optimizer
                             ? collective_seconds(Collective::reduce_scatter, group, gradients, net_) +
                                   collective_seconds(Collective::all_gather, group, 2 * most, net_)
                             : collective_seconds(Collective::all_reduce, group, gradients, net_);
  return std::max(0.0, traffic - stack_.dp_hidden * last_backward);
}

Terms Evaluator::terms_of(const Layout& l, double slowdown) const {
  const Times& t = times(l);
  const StageLayers layers = stage_layers(model_->layers, l.pp);
  const StageParameters parameters = stage_parameters(*model_, l);
  const double v = l.interleave;
  double m = l.micro_batches();
  if (l.interleave > 1) m = number(ceil_div(l.micro_batches(), l.pp) * l.pp);

  double send = 0;
  if (l.pp > 1) {
    const std::uint32_t stride = l.tp * l.cp * l.dp;
    const Group group{2, 2 * stride <= system_->domain ? 2U : 1U, 0};
    send = collective_seconds(Collective::send_recv, group, t.send, net_) * (1 - stack_.pp_hidden);
  }
  // Forward and backward, in and out: a chunk waits for what it receives, and its send waits for the receiver.
  const double sends = l.pp > 1 ? 2 * v * send : 0;
  const double layer = (t.layer.compute * slowdown) + t.layer.host + t.layer.tensor + t.layer.expert;
  const double output = t.output.compute * slowdown + t.output.tensor;
  const double own = sends + stack_.host_micro_batch_s;
  const double first = layers.first * layer + own;
  const double middle = layers.middle * layer + own;
  const double last = layers.last * layer + output + own;
  const double slow = l.pp == 1 ? last : std::max({first, l.pp > 2 ? middle : 0.0, last});
  const double all = l.pp == 1 ? last : number(model_->layers) * layer + output + own * l.pp;

  Terms terms;
  const double mean_layers = number(model_->layers) / l.pp;
  terms.compute = m * (mean_layers * t.layer.compute + t.output.compute / l.pp) * slowdown;
  terms.host = m * (mean_layers * t.layer.host + stack_.host_micro_batch_s);
  terms.tensor = m * (mean_layers * t.layer.tensor + t.output.tensor / l.pp);
  terms.expert = m * mean_layers * t.layer.expert;
  terms.pipeline = m * sends;
  terms.bubble =
      m * slow + (all - slow) / v - (terms.compute + terms.host + terms.tensor + terms.expert + terms.pipeline);
  const double backward = std::min(layers.first, layers.middle) * t.layer_backward.total();
  terms.data = data_seconds(l, parameters, l.sharded_weights ? middle : backward);
  const double shards = l.distributed_optimizer || l.sharded_weights ? number(l.dp) * l.cp : 1.0;
  const double most = std::max({parameters.first, parameters.middle, parameters.last});
  const double hbm = rates_[0].hbm_bytes_s;
  terms.optimizer = most * (calibration_.optimizer_bytes / shards + 4) / hbm;
  if (model_->tied && l.pp > 1) {
    // First and last stage each have the embedding, and add up its gradients.
    const double bytes = number(model_->hidden) * model_->vocab / l.tp * stack_.gradient_bytes;
    terms.data += collective_seconds(Collective::all_reduce, {2, 1, 0}, bytes, net_);
  }
  terms.step = stack_.step_s;
  return terms;
}

double Evaluator::seconds(const Layout& layout, double slowdown) const { return terms_of(layout, slowdown).total(); }

Prediction Evaluator::predict(const Layout& layout, double slowdown) const {
  Prediction p;
  p.terms = terms_of(layout, slowdown);
  p.seconds = p.terms.total();
  p.memory = memory_use(*model_, layout, stack_, calibration_);
  p.fits = p.memory.total() <= system_->gpu->hbm_bytes;
  const std::pair<Term, double> others[] = {{Term::host, p.terms.host},           {Term::tensor, p.terms.tensor},
                                            {Term::expert, p.terms.expert},       {Term::pipeline, p.terms.pipeline},
                                            {Term::bubble, p.terms.bubble},       {Term::data, p.terms.data},
                                            {Term::optimizer, p.terms.optimizer}, {Term::step, p.terms.step}};
  double most = p.seconds / 10;
  for (const auto& [term, seconds] : others) {
    if (seconds <= most) continue;
    most = seconds;
    p.binding = term;
  }
  return p;
}

}  // namespace virga::twin
