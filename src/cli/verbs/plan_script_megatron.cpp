// Flags of Megatron-LM's pretrain_gpt.py (megatron/training/arguments.py).
#include "cli/verbs/plan_script.hpp"

namespace virga {
namespace {

using twin::Layout;
using twin::Transformer;

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
  // Megatron's default is a dropout of 0.1, which only models of the GPT family are trained with.
  if (m.bias != twin::Bias::all) lines.add("--attention-dropout 0 --hidden-dropout 0");
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
  lines.add("--moe-token-dispatcher-type alltoall");
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
    if (l.precision != twin::Precision::fp16) lines.add("--moe-grouped-gemm");  // which Megatron has not in fp16
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

}  // namespace

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

}  // namespace virga
