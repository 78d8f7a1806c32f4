// Fields of Megatron-Bridge's ConfigContainer, which its scripts/training/run_recipe.py overrides on the command line.
#include "cli/verbs/plan_script.hpp"

namespace virga {
namespace {

using twin::Layout;
using twin::Transformer;

/// The bridge's recipe whose architecture is the same, or nearest; sizes, and what differs, are overridden.
std::string_view recipe_of(const Transformer& m) {
  if (m.latent.used()) return "deepseek_v3_pretrain_config";
  if (m.experts > 0) return "qwen3_30b_a3b_pretrain_config";
  if (m.query_key_norm) return "qwen3_8b_pretrain_config";
  if (m.bias == twin::Bias::qkv) return "qwen2_7b_pretrain_config";
  return m.gated ? "llama3_8b_pretrain_config" : "gpt3_175b_pretrain_config";
}

void bridge_model(const Transformer& m, Lines& lines) {
  lines.add("model.num_layers={} model.hidden_size={} model.num_attention_heads={}", m.layers, m.hidden, m.heads);
  lines.add("model.num_query_groups={}", m.kv_heads);
  if (!m.latent.used()) lines.add("model.kv_channels={}", m.head_dim);
  if (m.ffn > 0) lines.add("model.ffn_hidden_size={}", m.ffn);
  lines.add("model.seq_length={} \"$SEQ_FIELD\"={} model.vocab_size={}", m.seq, m.seq, m.vocab);
  lines.add("tokenizer.tokenizer_type=NullTokenizer tokenizer.tokenizer_model=null tokenizer.vocab_size={}", m.vocab);
  lines.add("model.share_embeddings_and_output_weights={}", m.tied ? "true" : "false");
  if (m.latent.used()) {
    lines.add("model.q_lora_rank={} model.kv_lora_rank={}",
              m.latent.query_rank > 0 ? fmt::format("{}", m.latent.query_rank) : "null", m.latent.key_rank);
    lines.add("model.qk_head_dim={} model.qk_pos_emb_head_dim={} model.v_head_dim={}", m.latent.plain_dim,
              m.latent.rotary_dim, m.latent.value_dim);
  }
  if (recipe_of(m) == "deepseek_v3_pretrain_config") lines.add("model.mtp_num_layers=null");
  if (recipe_of(m) == "gpt3_175b_pretrain_config") lines.add("comm_overlap.tp_comm_overlap=false");
  if (m.experts == 0) return;
  if (!m.latent.used()) lines.add("model.qk_layernorm={}", m.query_key_norm ? "true" : "false");
  lines.add("model.num_moe_experts={} model.moe_router_topk={} model.moe_ffn_hidden_size={}", m.experts,
            m.experts_active, m.expert_ffn);
  if (m.shared_experts > 0) {
    lines.add("model.moe_shared_expert_intermediate_size={}", std::uint64_t{m.shared_experts} * m.expert_ffn);
  }
  if (m.dense_layers > 0) {
    lines.add("'model.moe_layer_freq=([0]*{}+[1]*{})'", m.dense_layers, m.layers - m.dense_layers);
  }
}

void bridge_layout(const PlanReport& r, Lines& lines) {
  const Layout& l = r.layout;
  lines.add("model.tensor_model_parallel_size={} model.pipeline_model_parallel_size={}", l.tp, l.pp);
  lines.add("model.pipeline_model_parallel_layout=null model.virtual_pipeline_model_parallel_size={}",
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

}  // namespace

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
  text +=
      fmt::format("RECIPE={}   # sizes, and what else differs, are overridden below\n", recipe_of(*r.request.model));
  text += "SEQ_FIELD=${SEQ_FIELD:-dataset.seq_length}   # of older bridges: dataset.sequence_length\n\n";
  text += model.array("MODEL") + layout.array("LAYOUT") + run.array("RUN");
  return text + R"(
srun --kill-on-bad-exit=1 bash -c "$RANK_OF" rank "$BRIDGE/scripts/training/run_recipe.py" \
  --recipe "$RECIPE" "${MODEL[@]}" "${LAYOUT[@]}" "${RUN[@]}" || STATUS=$?
)";
}

}  // namespace virga
