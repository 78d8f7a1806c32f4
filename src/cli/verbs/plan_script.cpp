// The batch script of the chosen point. Flags are those of Megatron-LM's pretrain_gpt.py
// (megatron/training/arguments.py) and fields those of Megatron-Bridge's ConfigContainer, which the bridge's
// scripts/training/run_recipe.py overrides on the command line.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/verbs/plan_report.hpp"

namespace virga {
namespace {

using twin::Layout;
using twin::Transformer;

constexpr double k_default_limit_s = 86400;

/// Days-hours:minutes:seconds, rounded up to minutes.
std::string time_limit(double seconds) {
  const auto minutes = static_cast<std::uint64_t>(std::ceil(seconds / 60));
  return fmt::format("{}-{:02}:{:02}:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
}

/// A name as a job may have it.
std::string job_name(std::string_view model) {
  std::string name(model.substr(model.find_last_of('/') + 1));
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!plain) c = '-';
  }
  return name.empty() ? "train" : name;
}

std::uint64_t save_every(const PlanReport& r) {
  const double interval = r.point.run.interval_s > 0 ? r.point.run.interval_s : 3600;
  return static_cast<std::uint64_t>(std::max(1.0, std::floor(interval / r.prediction.seconds + 0.5)));
}

std::uint64_t steps(const PlanReport& r) {
  const double tokens = r.request.tokens;
  return tokens > 0 ? static_cast<std::uint64_t>(twin::steps_of(tokens, *r.request.model, r.layout.global_batch)) : 100;
}

std::uint32_t expert_tensor(const Layout& l) { return l.ep >= l.tp ? 1 : l.tp / l.ep; }

/// How many layers the last stage has where they cannot be dealt evenly; 0: they can.
std::uint32_t short_last_stage(const PlanReport& r) {
  const std::uint32_t layers = r.request.model->layers;
  const std::uint32_t pp = r.layout.pp;
  if (pp == 1 || layers % pp == 0 || (layers + 2) % pp == 0) return 0;
  return twin::stage_layers(layers, pp).last;
}

bool counts_embedding_as_layer(const PlanReport& r) {
  const std::uint32_t chunks = r.layout.pp * r.layout.interleave;
  return r.layout.pp > 1 && r.request.model->layers % chunks != 0 && (r.request.model->layers + 2) % chunks == 0;
}

class Lines {
 public:
  void add(std::string line) { lines_.push_back(std::move(line)); }
  template <class... T>
  void add(fmt::format_string<T...> format, T&&... values) {
    lines_.push_back(fmt::format(format, std::forward<T>(values)...));
  }
  /// As the elements of a shell array.
  std::string array(std::string_view name) const {
    std::string text = fmt::format("{}=(\n", name);
    for (const std::string& line : lines_) text += "  " + line + "\n";
    return text + ")\n";
  }

 private:
  std::vector<std::string> lines_;
};

void megatron_attention(const Transformer& m, Lines& lines) {
  if (m.latent.used()) {
    lines.add("--multi-latent-attention");
    if (m.latent.query_rank > 0) lines.add("--q-lora-rank {}", m.latent.query_rank);
    lines.add("--kv-lora-rank {} --qk-head-dim {} --qk-pos-emb-head-dim {} --v-head-dim {}", m.latent.key_rank,
              m.latent.plain_dim, m.latent.rotary_dim, m.latent.value_dim);
  } else {
    lines.add("--kv-channels {}", m.head_dim);
    if (m.kv_heads != m.heads) lines.add("--group-query-attention --num-query-groups {}", m.kv_heads);
  }
  if (m.query_key_norm || m.latent.used()) lines.add("--qk-layernorm");
}

void megatron_model(const Transformer& m, Lines& lines) {
  lines.add("--num-layers {} --hidden-size {} --num-attention-heads {}", m.layers, m.hidden, m.heads);
  if (m.ffn > 0) lines.add("--ffn-hidden-size {}", m.ffn);
  megatron_attention(m, lines);
  lines.add("--seq-length {} --max-position-embeddings {}", m.seq, std::max(m.seq, m.positions));
  lines.add("--position-embedding-type {}", m.positions > 0 ? "learned_absolute" : "rope");
  lines.add("--normalization {}", m.norm_bias ? "LayerNorm" : "RMSNorm");
  if (m.gated) lines.add("--swiglu");
  if (m.bias != twin::Bias::all) lines.add("--disable-bias-linear");
  if (m.bias == twin::Bias::qkv) lines.add("--add-qkv-bias");
  if (!m.tied) lines.add("--untie-embeddings-and-output-weights");
  if (m.experts == 0) return;
  lines.add("--num-experts {} --moe-router-topk {} --moe-ffn-hidden-size {}", m.experts, m.experts_active,
            m.expert_ffn);
  if (m.shared_experts > 0) {
    lines.add("--moe-shared-expert-intermediate-size {}", std::uint64_t{m.shared_experts} * m.expert_ffn);
  }
  if (m.dense_layers > 0) {
    lines.add("--moe-layer-freq '([0]*{}+[1]*{})'", m.dense_layers, m.layers - m.dense_layers);
  }
  lines.add("--moe-grouped-gemm --moe-token-dispatcher-type alltoall");
}

void megatron_layout(const PlanReport& r, Lines& lines) {
  const Layout& l = r.layout;
  lines.add("--tensor-model-parallel-size {} --pipeline-model-parallel-size {}", l.tp, l.pp);
  if (l.interleave > 1) lines.add("--num-virtual-stages-per-pipeline-rank {}", l.interleave);
  if (counts_embedding_as_layer(r)) {
    lines.add("--account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split");
  }
  if (const std::uint32_t last = short_last_stage(r)) lines.add("--decoder-last-pipeline-num-layers {}", last);
  if (l.cp > 1) lines.add("--context-parallel-size {}", l.cp);
  if (r.request.model->experts > 0) {
    lines.add("--expert-model-parallel-size {} --expert-tensor-parallel-size {}", l.ep, expert_tensor(l));
  }
  if (l.sequence_parallel) lines.add("--sequence-parallel");
  if (l.distributed_optimizer) lines.add("--use-distributed-optimizer --overlap-param-gather");
  lines.add("--overlap-grad-reduce");
  if (l.recompute == twin::Recompute::selective) lines.add("--recompute-activations");
  if (l.recompute == twin::Recompute::full) {
    lines.add("--recompute-granularity full --recompute-method uniform --recompute-num-layers 1");
  }
  lines.add("--micro-batch-size {} --global-batch-size {}", l.micro_batch, l.global_batch);
  lines.add("--{}", l.precision == twin::Precision::fp16 ? "fp16" : "bf16");
  if (l.precision == twin::Precision::fp8) lines.add("--fp8-format hybrid --fp8-recipe tensorwise");
  if (l.precision == twin::Precision::mxfp8) lines.add("--fp8-format e4m3 --fp8-recipe mxfp8");
  if (l.precision == twin::Precision::nvfp4) lines.add("--fp4-format e2m1");
}

void megatron_run(const PlanReport& r, Lines& lines) {
  lines.add("--train-iters {} --lr \"$LR\" --lr-decay-style cosine --clip-grad 1.0 --weight-decay 0.1", steps(r));
  lines.add("--save \"$CHECKPOINTS\" --load \"$CHECKPOINTS\" --save-interval {}", save_every(r));
  lines.add("--ckpt-format torch_dist --exit-signal-handler --log-interval 1 --eval-iters 0");
  // Without a tokenizer the vocabulary's size is said; as with one it is padded.
  lines.add("--vocab-size {} \"${{DATA[@]}}\"", r.request.model->vocab);
}

std::string megatron_script(const PlanReport& r) {
  Lines model;
  Lines layout;
  Lines run;
  megatron_model(*r.request.model, model);
  megatron_layout(r, layout);
  megatron_run(r, run);
  std::string text = R"(MEGATRON=${MEGATRON:-$HOME/Megatron-LM}
LR=${LR:-1.5e-4}
# Real data: DATA_PATH=/data/my_text_document TOKENIZER=meta-llama/Llama-3.1-8B sbatch ...
DATA=(--mock-data --tokenizer-type NullTokenizer)
if [ -n "${DATA_PATH:-}" ]; then
  DATA=(--data-path "$DATA_PATH" --tokenizer-type HuggingFaceTokenizer --tokenizer-model "$TOKENIZER")
fi

)";
  text += model.array("MODEL") + layout.array("LAYOUT") + run.array("RUN");
  return text + R"(
srun --kill-on-bad-exit=1 bash -c "$RANK_OF" rank "$MEGATRON/pretrain_gpt.py" \
  "${MODEL[@]}" "${LAYOUT[@]}" "${RUN[@]}" || STATUS=$?
)";
}

/// The bridge's recipe whose architecture is the same; sizes are overridden.
std::string_view recipe_of(const Transformer& m) {
  if (m.latent.used()) return "deepseek_v3_pretrain_config";
  if (m.experts > 0) return m.query_key_norm ? "qwen3_30b_a3b_pretrain_config" : "mixtral_8x7b_pretrain_config";
  if (m.query_key_norm) return "qwen3_8b_pretrain_config";
  if (m.bias == twin::Bias::qkv) return "qwen2_7b_pretrain_config";
  return m.gated ? "llama3_8b_pretrain_config" : "gpt3_175b_pretrain_config";
}

void bridge_model(const Transformer& m, Lines& lines) {
  lines.add("model.num_layers={} model.hidden_size={} model.num_attention_heads={}", m.layers, m.hidden, m.heads);
  lines.add("model.num_query_groups={}", m.kv_heads);
  if (!m.latent.used()) lines.add("model.kv_channels={}", m.head_dim);
  if (m.ffn > 0) lines.add("model.ffn_hidden_size={}", m.ffn);
  lines.add("model.seq_length={} dataset.sequence_length={} model.vocab_size={}", m.seq, m.seq, m.vocab);
  lines.add("model.share_embeddings_and_output_weights={}", m.tied ? "true" : "false");
  if (m.latent.used()) {
    lines.add("model.q_lora_rank={} model.kv_lora_rank={}",
              m.latent.query_rank > 0 ? fmt::format("{}", m.latent.query_rank) : "null", m.latent.key_rank);
    lines.add("model.qk_head_dim={} model.qk_pos_emb_head_dim={} model.v_head_dim={}", m.latent.plain_dim,
              m.latent.rotary_dim, m.latent.value_dim);
  }
  if (m.experts == 0) return;
  lines.add("model.num_moe_experts={} model.moe_router_topk={} model.moe_ffn_hidden_size={}", m.experts,
            m.experts_active, m.expert_ffn);
  if (m.shared_experts > 0) {
    lines.add("model.moe_shared_expert_intermediate_size={}", std::uint64_t{m.shared_experts} * m.expert_ffn);
  }
  if (m.dense_layers > 0)
    lines.add("'model.moe_layer_freq=([0]*{}+[1]*{})'", m.dense_layers, m.layers - m.dense_layers);
}

void bridge_layout(const PlanReport& r, Lines& lines) {
  const Layout& l = r.layout;
  lines.add("model.tensor_model_parallel_size={} model.pipeline_model_parallel_size={}", l.tp, l.pp);
  lines.add("model.virtual_pipeline_model_parallel_size={}",
            l.interleave > 1 ? fmt::format("{}", l.interleave) : "null");
  if (counts_embedding_as_layer(r)) {
    lines.add("model.account_for_embedding_in_pipeline_split=true model.account_for_loss_in_pipeline_split=true");
  }
  if (const std::uint32_t last = short_last_stage(r)) lines.add("model.num_layers_in_last_pipeline_stage={}", last);
  lines.add("model.context_parallel_size={} model.sequence_parallel={}", l.cp, l.sequence_parallel ? "true" : "false");
  if (r.request.model->experts > 0) {
    lines.add("model.expert_model_parallel_size={} model.expert_tensor_parallel_size={}", l.ep, expert_tensor(l));
  }
  if (l.recompute == twin::Recompute::none) lines.add("model.recompute_granularity=null");
  if (l.recompute == twin::Recompute::selective) lines.add("model.recompute_granularity=selective");
  if (l.recompute == twin::Recompute::full) {
    lines.add("model.recompute_granularity=full model.recompute_method=uniform model.recompute_num_layers=1");
  }
  const std::string_view spread = l.distributed_optimizer ? "true" : "false";
  lines.add("ddp.use_distributed_optimizer={} optimizer.use_distributed_optimizer={}", spread, spread);
  lines.add("ddp.overlap_grad_reduce=true ddp.overlap_param_gather={}", spread);
  lines.add("train.micro_batch_size={} train.global_batch_size={}", l.micro_batch, l.global_batch);
  static constexpr std::string_view k_recipes[] = {"fp16_mixed", "bf16_mixed", "bf16_with_fp8_current_scaling_mixed",
                                                   "bf16_with_mxfp8_mixed", "bf16_with_nvfp4_mixed"};
  lines.add("mixed_precision={}", k_recipes[static_cast<std::size_t>(l.precision)]);
}

std::string bridge_script(const PlanReport& r) {
  Lines model;
  Lines layout;
  Lines run;
  bridge_model(*r.request.model, model);
  bridge_layout(r, layout);
  run.add("train.train_iters={} train.exit_signal_handler=true logger.log_interval=1", steps(r));
  run.add("checkpoint.save=\"$CHECKPOINTS\" checkpoint.load=\"$CHECKPOINTS\" checkpoint.save_interval={}",
          save_every(r));
  std::string text = "BRIDGE=${BRIDGE:-/opt/Megatron-Bridge}\n";
  text += fmt::format("RECIPE={}   # the same architecture; its sizes are overridden below\n\n",
                      recipe_of(*r.request.model));
  text += model.array("MODEL") + layout.array("LAYOUT") + run.array("RUN");
  return text + R"(
srun --kill-on-bad-exit=1 bash -c "$RANK_OF" rank "$BRIDGE/scripts/training/run_recipe.py" \
  --recipe "$RECIPE" "${MODEL[@]}" "${LAYOUT[@]}" "${RUN[@]}" || STATUS=$?
)";
}

/// A trainer that was told to end has saved and ended well; that it is to go on, the controller learns from here.
constexpr std::string_view k_tail = R"(
last=$(find "$CHECKPOINTS" -maxdepth 1 -name 'iter_*' 2>/dev/null | sort | tail -n 1 || true)
STEP=$((10#0${last##*iter_}))
if [ "$STEP" -gt 0 ]; then virga checkpoint 'done' --step "$STEP" || true; fi
exit "${STATUS:-0}"
)";

std::string head(const PlanReport& r) {
  const std::uint32_t gpus_per_node = std::min(r.system.gpus_per_node, r.point.gpus);
  const double limit = r.point.run.wall_s > 0 ? r.point.run.wall_s * 1.1 : k_default_limit_s;
  std::string text = "#!/bin/bash\n";
  text += fmt::format("# {} on {} GPUs of {}: {}\n# predicted: {:.2f} s a step, {:.1f} of {:.1f} GiB a GPU\n",
                      job_name(r.request.model->name), r.point.gpus, job_name(r.system.name), layout_text(r.layout),
                      r.prediction.seconds, r.prediction.memory.total() / 1073741824.0,
                      r.system.gpu->hbm_bytes / 1073741824.0);
  text += fmt::format(
      "#SBATCH --job-name={}\n#SBATCH --nodes={}\n#SBATCH --ntasks-per-node={}\n#SBATCH --gpus-per-node={}\n"
      "#SBATCH --exclusive\n#SBATCH --time={}\n#SBATCH --signal=TERM@120\n#SBATCH --requeue\n"
      "#SBATCH --output=%x-%j.out\n\nset -euo pipefail\n\n",
      job_name(r.request.model->name), r.point.nodes, gpus_per_node, gpus_per_node, time_limit(limit));
  text += R"(# Kept across evictions and requeues; each start goes on from the last complete checkpoint.
CHECKPOINTS=${CHECKPOINTS:-${VIRGA_CHECKPOINT_DIR:-$SLURM_SUBMIT_DIR/checkpoints}}
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))
export MASTER_ADDR MASTER_PORT CUDA_DEVICE_MAX_CONNECTIONS=1
# One task for each GPU, so that the signal before an end reaches the trainer itself, which then saves.
# shellcheck disable=SC2016
RANK_OF='export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS; exec python3 -u "$@"'

)";
  return text;
}

}  // namespace

std::string plan_script(const PlanReport& report, std::string_view launcher) {
  if (!report.request.model->causal) return {};  // no launcher here trains models of images
  const std::string body = launcher == "megatron-bridge" ? bridge_script(report) : megatron_script(report);
  return head(report).append(body).append(k_tail);
}

}  // namespace virga
