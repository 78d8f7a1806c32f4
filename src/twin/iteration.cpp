// See the header for the sum; here is what goes into it.
#include "twin/iteration.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace virga::twin {

namespace {

constexpr double k_element_bytes = 2;  ///< of activations

double number(std::uint64_t value) { return static_cast<double>(value); }

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Megatron pads the vocabulary to a multiple of 128 per tensor rank.
std::uint64_t vocab_share(const Transformer& m, std::uint32_t tp) { return ceil_div(ceil_div(m.vocab, tp), 128) * 128; }

/// Degrees packed into a key; never 0.
std::uint64_t packed(std::initializer_list<std::uint64_t> parts) {
  std::uint64_t key = 1;
  for (const std::uint64_t part : parts) key = (key * 8192 + part) ^ (key >> 51);
  return key | 1;
}

/// What of a layout the times of a layer depend on.
std::uint64_t layer_key(const Layout& l) {
  const std::uint64_t rest = static_cast<std::uint64_t>(l.precision) * 8 + static_cast<std::uint64_t>(l.recompute) * 2 +
                             (l.sequence_parallel ? 1 : 0);
  return packed({l.tp, l.cp, l.ep, l.micro_batch, 2 * rest});
}

/// What of a layout the traffic of data ranks depends on.
std::uint64_t data_key(const Layout& l) {
  const std::uint64_t rest = (l.distributed_optimizer ? 2 : 0) + (l.sharded_weights ? 1 : 0);
  return packed({l.tp, l.pp, l.dp, l.cp, 2 * (l.ep * std::uint64_t{4} + rest)});
}

/// Ranks of `ranks` that a token with so many experts meets, in the mean, where all are equally likely.
double ranks_met(std::uint32_t ranks, std::uint32_t experts) {
  double missed = 1;
  for (std::uint32_t i = 0; i < experts; ++i) missed *= 1 - 1.0 / ranks;
  return ranks * (1 - missed);
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

Evaluator::Evaluator(const Transformer& model, const System& system, const Stack& stack, const Calibration& calibration,
                     std::uint32_t kept)
    : model_(&model),
      system_(&system),
      stack_(stack),
      calibration_(calibration),
      net_(system.net()),
      slot_shift_(64 - std::countr_zero(kept)),
      times_(kept),
      data_times_(kept) {
  VIRGA_ASSERT(std::has_single_bit(kept) && kept > 1, "a slot is the high bits of a hash");
  for (std::size_t i = 0; i < std::size(rates_); ++i) {
    rates_[i] = rates_of(*system.gpu, static_cast<Precision>(i), stack, calibration);
  }
}

/// CPU time for the expert part of a layer, one pass.
double Evaluator::host_experts_seconds(const Layout& l) const {
  if (model_->experts == 0) return 0;
  return stack_.host_expert_s + stack_.host_local_expert_s * model_->experts / l.ep;
}

/// Whether nothing of an expert layer waits for the host (Stack::graphed_experts).
bool Evaluator::graphed(const Layout& l) const {
  return model_->experts > 0 && stack_.graphed_experts && l.precision > Precision::fp8;
}

/// HBM traffic of norms, dropout, residuals, rotation and activation functions of one layer's forward pass, per token.
double Evaluator::elementwise_bytes(const Layout& l) const {
  const Transformer& m = *model_;
  const double h = m.hidden;
  const bool dropout = m.bias == Bias::all && m.causal;
  // Two norms (read, write), two residual sums (read two, write one, dropout's mask).
  const double whole = 2 * 4 * h + 2 * (dropout && m.experts == 0 ? 7 : 6) * h;
  const double expert_share = m.experts > 0 ? 1.0 - number(m.dense_layers) / m.layers : 0.0;
  const double ffn = (1 - expert_share) * m.ffn + expert_share * number(m.shared_experts) * m.expert_ffn;
  const double heads = m.latent.used()
                           ? number(m.heads) * (2.0 * (m.latent.plain_dim + m.latent.rotary_dim) + m.latent.value_dim)
                           : number(m.head_dim) * (m.heads + 2.0 * m.kv_heads);
  const double activation = m.gated ? 6 : 4;
  // Scales of small blocks want a copy along rows and one along columns.
  const double copies = l.precision > Precision::fp8 ? 2 : l.precision == Precision::fp8 ? 1 : 0;
  const double quantise = copies * calibration_.quantise_bytes;
  const double t = l.tp;
  return stack_.elementwise * (whole / (l.sequence_parallel ? t : 1) + (activation * ffn + 4 * heads) / t) +
         (quantise * (4 * h + ffn) + expert_share * routed_bytes(l, activation, quantise)) / t;
}

/// The same of a token's copies for its experts: permuted, sent, sorted and combined again.
double Evaluator::routed_bytes(const Layout& l, double activation, double quantise) const {
  const Transformer& m = *model_;
  const double h = m.hidden;
  const double ffn = m.expert_ffn;
  double bytes = stack_.expert_bytes * h;
  // Kernels of experts with sizes from the GPU have the activation and the cast to blocks fused into the products.
  if (!graphed(l)) bytes += activation * ffn + quantise * (h + ffn);
  // Experts with biases (GPT OSS) have their input clamped and joined again, in 16 bits, before the activation; their
  // output gets bias times probability in 32 bits, expert by expert, joined and cast (Megatron-Core, TEGroupedMLP).
  if (m.bias == Bias::all && !graphed(l)) bytes += 16 * ffn + 28 * h;
  return m.experts_active * bytes;
}

/// One exchange of tokens with their experts: near by NVLink, far by NICs, where a token goes to each domain at most
/// once and is spread from there, to each GPU at most once (DeepSeek-V3, arXiv:2412.19437, section 3.2.2; HybridEP).
double Evaluator::all_to_all_seconds(const Layout& l, double tokens) const {
  if (l.ep <= 1) return 0;
  const double token_bytes = model_->hidden * k_element_bytes;
  const std::uint32_t active = model_->experts_active;
  const std::uint32_t near = std::min(l.ep, std::max(system_->domain, 1U));
  const std::uint32_t domains = std::max(l.ep / near, 1U);
  const double inside =
      collective_seconds(Collective::all_to_all, {near, near, 0}, tokens * ranks_met(l.ep, active) * token_bytes, net_);
  if (domains == 1) return inside;
  const RankGroup far{domains, 1, 0};
  const double copies = ranks_met(domains, active);
  return std::max(inside, collective_seconds(Collective::all_to_all, far, tokens * copies * token_bytes, net_));
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
  const double routed = number(per_gpu) * m.experts_active;
  // Grouped products pad each expert's tokens, so that they stay aligned.
  const double uneven = routed * (l.ep > 1 ? stack_.expert_load : 1.0) / number(local);
  const std::uint64_t rows = ceil_div(static_cast<std::uint64_t>(uneven) + 1, 16) * 16;
  const double hidden = graphed(l)                             ? stack_.graphed_hidden
                        : l.ep > std::max(system_->domain, 1U) ? stack_.far_hidden
                                                               : stack_.expert_hidden;
  expert_traffic = share * (1 - hidden) * 2 * all_to_all_seconds(l, number(per_gpu));
  const double dense = m.dense_layers > 0 ? pair(tokens, m.ffn / l.tp, 1) : 0;
  const double shared =
      m.shared_experts > 0 ? pair(tokens, std::uint64_t{m.shared_experts} * m.expert_ffn / l.tp, 1) : 0;
  return share * (pair(rows, m.expert_ffn, local) + shared) + (1 - share) * dense;
}

/// What nothing hides of a layer's two all-reduces (or, with sequence parallelism, gathers and scatters) between tensor
/// ranks.
double Evaluator::tensor_seconds(const Layout& l, bool backward) const {
  const Transformer& m = *model_;
  const std::uint64_t tokens = std::uint64_t{l.micro_batch} * m.seq / l.cp;
  const RankGroup group{l.tp, std::min(l.tp, system_->domain), 0};
  const double bytes = number(tokens) * m.hidden * k_element_bytes;
  // NVLink SHARP adds up what all-reduces send, and saves gathers and scatters nothing.
  const double both = 2 * (l.sequence_parallel ? collective_seconds(Collective::all_gather, group, bytes, net_) +
                                                     collective_seconds(Collective::reduce_scatter, group, bytes, net_)
                                               : collective_seconds(Collective::all_reduce, group, bytes, net_));
  if (!backward || !stack_.async_tensor) return both * (1 - stack_.tp_hidden);
  const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
  const std::uint64_t up = m.gated ? 2 : 1;
  const double weights =
      gemm_seconds(rates, {m.hidden, m.head_dim * (ceil_div(m.heads, l.tp) + 2 * ceil_div(m.kv_heads, l.tp)), tokens}) +
      gemm_seconds(rates, {m.hidden, up * m.ffn / l.tp, tokens});
  return both - std::min(weights, both * (l.sequence_parallel ? 0.5 : 1));
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
  // A sliding window saves nothing here: the measured runs of GPT OSS take the time of whole squares, and longer.
  Attention shape{l.micro_batch, heads, m.seq, m.seq / l.cp, key_dim, value_dim, m.causal};
  shape.only_16 = m.window_layers > 0;
  const ForwardBackward attention = attention_seconds(rates, shape, stack_);
  pass.compute += (backward ? attention.backward : attention.forward) + linear(heads * value_dim, m.hidden);
  pass.compute += mlp_seconds(l, backward, pass.expert);
  pass.compute += elementwise_bytes(l) * number(tokens) * (backward ? 1.6 : 1.0) / rates.hbm_bytes_s;

  double collectives = 0;
  if (l.tp > 1) {
    pass.tensor += tensor_seconds(l, backward);
    // Backward, sequence parallelism gathers the inputs once more for the weights' gradients; it is hidden behind them.
    collectives = l.sequence_parallel ? 4 : 2;
  }
  if (l.cp > 1) {
    // Keys and values go around the ring, hidden behind attention as far as that lasts (ring attention).
    const RankGroup group{2, l.tp * l.cp <= system_->domain ? 2U : 1U, 0};
    const double bytes = number(tokens) * m.head_dim * 2 * number(kv_heads) * k_element_bytes * (l.cp - 1);
    const double ring = collective_seconds(Collective::send_recv, group, bytes, net_) * (backward ? 2 : 1);
    pass.tensor += std::max(0.0, ring - (backward ? attention.backward : attention.forward));
    collectives += l.cp - 1;
  }
  const double host =
      graphed(l) ? 0.0 : stack_.host_layer_s + host_experts_seconds(l) + collectives * stack_.host_collective_s;
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
    const RankGroup group{l.tp, std::min(l.tp, system_->domain), 0};
    pass.tensor = collective_seconds(Collective::all_reduce, group, number(tokens) * m.hidden * k_element_bytes, net_);
  }
  return pass;
}

/// Models with experts recompute norms and activations (half of the forward traffic of these), and with latent
/// attention queries, keys and values: Megatron-Core's modules layernorm, moe_act and mla_up_proj.
double Evaluator::expert_recompute_seconds(const Layout& l) const {
  const Transformer& m = *model_;
  if (m.experts == 0) return 0;
  const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
  const std::uint64_t tokens = std::uint64_t{l.micro_batch} * m.seq / l.cp;
  double seconds = 0.5 * elementwise_bytes(l) * number(tokens) / rates.hbm_bytes_s;
  if (m.latent.used()) {
    const std::uint64_t heads = ceil_div(m.heads, l.tp);
    const LatentAttention& a = m.latent;
    seconds += gemm_seconds(rates, {tokens, heads * (a.plain_dim + a.rotary_dim), a.query_rank}) +
               gemm_seconds(rates, {tokens, heads * (a.plain_dim + a.value_dim), a.key_rank});
  }
  return seconds;
}

Evaluator::Times Evaluator::make_times(const Layout& l) const {
  Times times;
  const Pass forward = layer_forward(l, false);
  Pass backward = layer_forward(l, true);
  backward.compute += layer_parameters_per_gpu(*model_, l).total() * stack_.accumulate_bytes / rates_[0].hbm_bytes_s;
  times.layer.add(forward, l.recompute == Recompute::full ? 2 : 1);
  times.layer.add(backward, 1);
  if (l.recompute == Recompute::selective && !stack_.flash) {
    const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
    times.layer.compute += attention_seconds(rates,
                                             {l.micro_batch, ceil_div(model_->heads, l.tp), model_->seq,
                                              model_->seq / l.cp, model_->head_dim, 0, model_->causal},
                                             stack_)
                               .forward;
  }
  if (l.recompute == Recompute::selective && stack_.flash) times.layer.compute += expert_recompute_seconds(l);
  times.output = output_pass(l);
  if (model_->predict_layers > 0) {
    // On the last stage, each a layer after a product of 2 h x h, and the output again.
    Pass predict = times.layer;
    predict.add(times.output, 1);
    const Rates& rates = rates_[static_cast<std::size_t>(l.precision)];
    const std::uint64_t tokens = std::uint64_t{l.micro_batch} * model_->seq / l.cp;
    predict.compute += 3 * gemm_seconds(rates, {tokens, model_->hidden / l.tp, std::uint64_t{2} * model_->hidden});
    times.output.add(predict, model_->predict_layers);
  }
  const double generation = generation_of(stack_, calibration_);
  times.layer.compute /= generation;
  times.output.compute /= generation;
  const bool split = l.sequence_parallel || stack_.scatter_gather;
  const double bytes =
      number(l.micro_batch) * model_->seq / l.cp * model_->hidden * k_element_bytes / (split ? l.tp : 1);
  times.send_near = collective_seconds(Collective::send_recv, {2, 2, 0}, bytes, net_);
  times.send_far = collective_seconds(Collective::send_recv, {2, 1, 0}, bytes, net_);
  return times;
}

const Evaluator::Times& Evaluator::times(const Layout& l) const {
  const std::uint64_t key = layer_key(l);
  Slot<Times>& slot = times_[slot_of(key)];
  if (slot.key != key) slot = {key, make_times(l)};
  return slot.value;
}

const Evaluator::DataTimes& Evaluator::data_times(const Layout& l) const {
  const std::uint64_t key = data_key(l);
  Slot<DataTimes>& slot = data_times_[slot_of(key)];
  if (slot.key != key) slot = {key, make_data_times(l)};
  return slot.value;
}

/// Of parameters that all ranks of a group have: in an iteration, or with sharded weights in a micro batch.
double Evaluator::data_traffic(const Layout& l, const RankGroup& group, double parameters) const {
  const auto seconds = [&](Collective what, double bytes) {
    return collective_seconds(what, group, bytes * parameters, net_);
  };
  if (l.sharded_weights) {
    // Every layer's weights are gathered before each pass, its gradients scattered after.
    const double traffic = 2 * seconds(Collective::all_gather, 2) + seconds(Collective::reduce_scatter, 2);
    return traffic / stack_.sharded_share;
  }
  if (!l.distributed_optimizer) return seconds(Collective::all_reduce, stack_.reduce_bytes);
  return seconds(Collective::reduce_scatter, stack_.reduce_bytes) + seconds(Collective::all_gather, 2);
}

Evaluator::DataTimes Evaluator::make_data_times(const Layout& l) const {
  const StageParameters stages = stage_parameters(*model_, l);
  DataTimes data;
  const auto more = [](const GpuParameters& a, const GpuParameters& b) { return a.total() < b.total(); };
  const GpuParameters most = std::max({stages.first, stages.middle, stages.last}, more);
  const std::uint32_t ranks = l.dp * l.cp;
  const std::uint32_t expert_ranks = expert_data_ranks(l);
  data.parameters = most.total();
  data.optimizer_share = l.distributed_optimizer || l.sharded_weights
                             ? most.shared_by_data / ranks + most.experts / expert_ranks
                             : most.total();
  data.traffic = data_traffic(l, {ranks, std::clamp(system_->domain / l.tp, 1U, ranks), 0}, most.shared_by_data);
  if (most.experts > 0) {
    const std::uint32_t near = std::clamp(system_->domain / std::max(l.ep, l.tp), 1U, expert_ranks);
    data.traffic += data_traffic(l, {expert_ranks, near, 0}, most.experts);
  }
  if (model_->tied && l.pp > 1) {
    // First and last stage each have the embedding, and add up its gradients.
    const double bytes = number(model_->hidden) * model_->vocab / l.tp * stack_.reduce_bytes;
    data.embedding = collective_seconds(Collective::all_reduce, {2, 1, 0}, bytes, net_);
  }
  return data;
}

Terms Evaluator::terms_of(const Layout& l, double slowdown) const {
  const Times& t = times(l);
  const StageLayers layers = stage_layers(model_->layers, l.pp);
  const DataTimes& data = data_times(l);
  const double v = l.interleave;
  double m = l.micro_batches();
  if (l.interleave > 1) m = number(ceil_div(l.micro_batches(), l.pp) * l.pp);

  double send = 0;
  if (l.pp > 1) {
    const std::uint32_t stride = l.tp * l.cp * l.dp;
    send = (2 * stride <= system_->domain ? t.send_near : t.send_far);
    // Megatron hides sends in the interleaved schedule only (overlap_p2p_comm).
    if (l.interleave > 1) send *= 1 - stack_.pp_hidden;
  }
  // Forward and backward, in and out: a chunk waits for what it receives, and its send waits for the receiver.
  const double sends = l.pp > 1 ? 2 * v * send : 0;
  const double layer = (t.layer.compute * slowdown) + t.layer.host + t.layer.tensor + t.layer.expert;
  const double output = t.output.compute * slowdown + t.output.host + t.output.tensor + t.output.expert;
  const double own = sends + stack_.host_micro_batch_s;
  const double first = layers.first * layer + own;
  const double middle = layers.middle * layer + own;
  const double last = layers.last * layer + output + own;
  const double slow = l.pp == 1 ? last : std::max({first, l.pp > 2 ? middle : 0.0, last});
  const double all = l.pp == 1 ? last : number(model_->layers) * layer + output + own * l.pp;

  Terms terms;
  const double mean_layers = number(model_->layers) / l.pp;
  terms.compute = m * (mean_layers * t.layer.compute + t.output.compute / l.pp) * slowdown;
  terms.host = m * (mean_layers * t.layer.host + t.output.host / l.pp + stack_.host_micro_batch_s);
  terms.tensor = m * (mean_layers * t.layer.tensor + t.output.tensor / l.pp);
  terms.expert = m * (mean_layers * t.layer.expert + t.output.expert / l.pp);
  terms.pipeline = m * sends;
  terms.bubble =
      m * slow + (all - slow) / v - (terms.compute + terms.host + terms.tensor + terms.expert + terms.pipeline);
  const double hidden = (l.sharded_weights ? stack_.sharded_window : stack_.dp_window) * middle;
  terms.data = std::max(0.0, data.traffic - hidden) * (l.sharded_weights ? m : 1.0) + data.embedding;
  terms.optimizer = (data.optimizer_share * calibration_.optimizer_bytes + data.parameters * 4) / rates_[0].hbm_bytes_s;
  terms.step = stack_.step_s;
  return terms;
}

double Evaluator::seconds(const Layout& layout, double slowdown) const { return terms_of(layout, slowdown).total(); }

double Evaluator::seconds_at_least(const Layout& l) const {
  const Times& t = times(l);
  // A stage does 1/pp of the model's work for each of its micro batches; the slowest does no less.
  const double passes = l.global_batch / (number(l.micro_batch) * l.dp * l.pp);
  const double work = passes * (number(model_->layers) * t.layer.total() + t.output.total());
  constexpr double k_rounding = 1 - 1e-9;  // the same sum in another order
  return (work + stack_.step_s) * k_rounding;
}

Prediction Evaluator::predict(const Layout& layout, double slowdown) const {
  Prediction p;
  p.terms = terms_of(layout, slowdown);
  p.seconds = p.terms.total();
  p.memory = memory_use(*model_, layout, stack_);
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
