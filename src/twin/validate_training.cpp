// Measured training runs: which model, machine, software and layout a row means, and what its metric is.
#include <fmt/format.h>

#include <algorithm>

#include "twin/iteration.hpp"
#include "twin/plan.hpp"
#include "twin/validate_rows.hpp"

namespace virga::twin {

namespace {

constexpr double k_giga_binary = 1073741824.0;

bool has(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

/// Which software a source used, by words of its source, group or notes; the first that fits.
struct SourceStack {
  std::string_view word;
  std::string_view stack;
};
constexpr SourceStack k_source_stacks[] = {
    {"ZeRO-3", "deepspeed-zero3-2021"},
    {"date 02-28", "megatron-deepspeed-bf16-2022"},  // the chronicle: "from now on", with a bf16 optimizer
    {"chronicles.md", "megatron-deepspeed-bf16-2022"},
    {"Megatron-DeepSpeed", "megatron-deepspeed-2022"},
    {"SC'21", "megatron-2021"},
    {"GPT-3 example", "megatron-2021"},
    {"korthikanti-2022", "megatron-2022"},
    {"MLPerf Training v3.0", "nemo-2023.4"},
    {"MLPerf Training v3.1", "nemo-2023.8"},
    {"MLPerf Training v4", "nemo-2024"},
    {"MLPerf Training v5", "nemo-2025"},
    {"megatron-h100", "megatron-2024"},
    {"NeMo 24", "nemo-2024"},
    {"(26.04", "megatron-bridge-2026.4"},
    {"(26.06", "megatron-bridge-2026.5"},
    {"(26.08", "megatron-bridge-2026.5"},
    {"Megatron-Bridge", "megatron-bridge-2026.2"},
};

/// Runs of the containers of June 2026 that are predicted with the recipe of April, without graphs of whole iterations.
/// Of DeepSeek-V3 on B300 the recipe was seen (scripts/performance/configs of Megatron-Bridge at the time). The other
/// two are inferred from their rates: Kimi K2 on GB300 is within 1 % of its rate in April, and GPT OSS on B300, which
/// had no MXFP8 before, is far below what graphs would give.
struct OlderRecipe {
  std::string_view model;
  std::string_view gpu;
};
constexpr OlderRecipe k_older_recipes[] = {{"Kimi_K2", "GB300"}, {"DeepSeekV3", "B300"}, {"GPT OSS 120B", "B300"}};

bool has_older_recipe(const ValidatedRow& row) {
  return has(row.source, "(26.06") &&
         std::any_of(std::begin(k_older_recipes), std::end(k_older_recipes),
                     [&](const OlderRecipe& r) { return row.model == r.model && row.gpu == r.gpu; });
}

const Stack* stack_of_source(const RowReader& reader, const ValidatedRow& row, const Assumptions& assumptions) {
  const auto named = [&](std::string_view name) -> const Stack* {
    for (const Stack& stack : assumptions.stacks) {
      if (stack.name == name) return &stack;
    }
    return nullptr;
  };
  if (has_older_recipe(row)) return named("megatron-bridge-2026.4");
  if (const std::string_view stated = reader.text("stack"); !stated.empty()) return named(stated);
  for (const SourceStack& known : k_source_stacks) {
    for (const std::string_view text :
         {reader.text("notes"), std::string_view(row.source), std::string_view(row.source_group)}) {
      if (has(text, known.word)) return named(known.stack);
    }
  }
  return nullptr;
}

/// Letters and digits, small: sources spell models in many ways.
std::string plain(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') text += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) text += c;
  }
  return text;
}

/// Megatron-Bridge trains DeepSeek-V3 with its multi-token head: its two figures make 260 GFLOP a token of it, 250
/// without.
const Transformer* model_called(std::string_view name, std::string_view source) {
  std::string wanted = plain(name);
  if (wanted == "deepseekv3" && has(source, "Megatron-Bridge")) wanted += "mtp";
  for (const Transformer& model : known_models()) {
    if (plain(model.name) == wanted) return &model;
  }
  return nullptr;
}

/// A model of the table, else a GPT of the row's sizes.
bool read_model(RowReader& reader, const ValidatedRow& row, Transformer& model) {
  const auto layers = reader.number<std::uint32_t>("layers");
  const auto hidden = reader.number<std::uint32_t>("hidden");
  const auto heads = reader.number<std::uint32_t>("heads");
  const auto seq = reader.number<std::uint32_t>("seq");
  const auto vocab = reader.number<std::uint32_t>("vocab");
  const Transformer* known = model_called(row.model, row.source);
  if (known != nullptr && (layers == 0 || (known->layers == layers && known->hidden == hidden))) {
    model = *known;
  } else if (layers > 0 && hidden > 0 && heads > 0 && seq > 0) {
    model = gpt(layers, hidden, heads, seq, vocab > 0 ? vocab : 51'200);
    if (model.head_dim == 0) model.head_dim = hidden / heads;
    model.name = row.model;
  } else {
    return false;
  }
  if (seq > 0) model.seq = seq;
  if (vocab > 0) model.vocab = vocab;
  return true;
}

/// The machine of the GPU, with the network that the row states.
const System* system_of(const RowReader& reader, const Gpu& gpu) {
  const std::string_view network = reader.text("network");
  if (has(network, "Omni-Path")) return find_system("jean-zay-a100");
  const bool single = reader.text("source_group") == "vtrain-single-node";
  if (has(network, "800 Gb/s per node") || single) return find_system("hdr-4nic-a100");
  return find_system_of(gpu);
}

/// Megatron-Bridge's recipes of Llama 3 70B with FSDP keep the activations of so many layers in the memory of Grace
/// (cpu_offloading_num_layers); its tables do not say so.
std::uint32_t offloaded_layers(const ValidatedRow& row, const Layout& l) {
  if (!l.sharded_weights || l.micro_batch < 2 || row.model != "LLAMA3_70B") return 0;
  return row.gpu == "GB200" ? 40 : row.gpu == "GB300" ? 20 : 0;
}

/// What the row states of its layout; 0 where it says nothing.
Layout read_layout(RowReader& reader, const ValidatedRow& row, const Stack& stack) {
  Layout l;
  const std::string_view notes = reader.text("notes");
  l.tp = reader.number<std::uint32_t>("tp");
  l.pp = reader.number<std::uint32_t>("pp");
  l.cp = std::max(reader.number<std::uint32_t>("cp"), 1U);
  l.ep = std::max(reader.number<std::uint32_t>("ep"), 1U);
  l.micro_batch = reader.number<std::uint32_t>("micro_batch");
  l.global_batch = reader.number<std::uint32_t>("global_batch");
  l.interleave = reader.number<std::uint32_t>("interleave");
  // Before 2023 who interleaved said so; later everybody does where there is a pipeline.
  if (l.interleave == 0 && (!stack.interleaves || l.pp == 1 || stack.date < 2023)) l.interleave = 1;
  const std::string_view sequence = reader.text("seq_parallel");
  l.sequence_parallel = l.tp != 1 && (sequence == "yes" || (sequence.empty() && stack.date >= 2023));
  const std::string_view recompute = reader.text("recompute");
  l.recompute = enum_from_name<Recompute>(recompute).value_or(stack.flash ? Recompute::none : Recompute::full);
  l.precision = enum_from_name<Precision>(reader.text("precision")).value_or(Precision::bf16);
  l.distributed_optimizer = has(notes, "ZeRO-1") || stack.zero_1;
  l.sharded_weights = has(notes, "ZeRO-3") || (has(notes, "FSDP=") && !has(notes, "FSDP=0"));
  l.offloaded_layers = offloaded_layers(row, l);
  l.dp = l.tp > 0 && l.pp > 0 ? row.gpus / std::max(l.tp * l.pp * l.cp, 1U) : 0;
  return l;
}

/// Fills what is 0 with the fastest that fits; false if nothing does.
bool choose_rest(const Evaluator& evaluator, std::uint32_t gpus, Layout& stated) {
  constexpr std::uint32_t k_tensor[] = {1, 2, 4, 8};
  constexpr std::uint32_t k_micro[] = {1, 2, 3, 4, 6, 8, 16};
  const auto options = [](std::uint32_t value, std::uint32_t choice) { return value > 0 ? value : choice; };
  Layout best;
  double fastest = 0;
  bool best_fits = false;
  for (const std::uint32_t tp : k_tensor) {
    if (stated.tp > 0 && tp != k_tensor[0]) break;
    for (std::uint32_t pp = 1; pp <= evaluator.model().layers; ++pp) {
      if (stated.pp > 0 && pp > 1) break;
      for (const std::uint32_t micro : k_micro) {
        if (stated.micro_batch > 0 && micro != k_micro[0]) break;
        for (std::uint32_t v = 1; v <= 12; ++v) {
          if (stated.interleave > 0 && v > 1) break;
          Layout l = stated;
          l.tp = options(stated.tp, tp);
          l.pp = options(stated.pp, pp);
          l.micro_batch = options(stated.micro_batch, micro);
          l.interleave = options(stated.interleave, v);
          if (l.tp * l.pp * l.cp > gpus || gpus % (l.tp * l.pp * l.cp) != 0) continue;
          l.dp = gpus / (l.tp * l.pp * l.cp);
          if (l.tp == 1) l.sequence_parallel = false;
          if (!divides(l, evaluator.model(), evaluator.machine())) continue;
          // Chunks have the same number of layers, at times with embedding and output counted as one each.
          const std::uint32_t layers = evaluator.model().layers;
          const std::uint32_t chunks = l.pp * l.interleave;
          const bool chosen = stated.pp == 0 || (stated.interleave == 0 && v > 1);
          if (chosen && layers % chunks != 0 && (stated.pp == 0 || (layers + 2) % chunks != 0)) continue;
          const Prediction p = evaluator.predict(l);
          const bool better = fastest == 0 || (p.fits && !best_fits) || (p.fits == best_fits && p.seconds < fastest);
          if (!better) continue;
          fastest = p.seconds;
          best_fits = p.fits;
          best = l;
        }
      }
    }
  }
  if (fastest == 0) return false;
  stated = best;
  return true;
}

double baseline_activation(const Transformer& model, Layout layout) {
  layout.sequence_parallel = false;
  return layer_activation_bytes(model, layout, true);
}

/// What the source takes for the FLOPs of a token, forward and backward. Megatron-Bridge counts causal attention, and
/// before June 2026 it did not count the gate of experts whose activation is not SiLU: of GPT OSS, its two figures make
/// 27.1 GFLOP a token then, 32.6 later.
double source_flops_per_token(const ValidatedRow& row, const Transformer& model) {
  const bool bridge = has(row.source, "Megatron-Bridge");
  const auto flops =
      static_cast<double>(flops_per_token(model, bridge ? AttentionCount::causal : AttentionCount::full));
  if (!bridge || model.bias != Bias::all || !model.gated || !(has(row.source, "(26.02") || has(row.source, "(26.04"))) {
    return flops;
  }
  const double gates = 6.0 * model.hidden * model.expert_ffn * model.experts_active * model.layers;
  return flops - gates;
}

/// The row's metric of a prediction; nothing if it needs more than one iteration's time.
std::optional<double> metric_of(std::string_view metric, const Evaluator& evaluator, const Layout& l,
                                const Prediction& p, double source_flops) {
  const Transformer& model = evaluator.model();
  const double tokens = static_cast<double>(l.global_batch) * model.seq;
  const double gpu_seconds = p.seconds * l.gpus();
  const double flops = source_flops * tokens;
  const double all_flops = static_cast<double>(flops_per_token_full_recompute(model)) * tokens;
  const double peak = evaluator.machine().gpu->peak(l.precision);
  if (metric == "iteration_time" || metric == "iteration_time_derived") return p.seconds;
  if (metric == "tflops_per_gpu_incl_recompute" || metric == "tflops_per_gpu") return all_flops / gpu_seconds / 1e12;
  if (metric == "model_tflops_per_gpu") return flops / gpu_seconds / 1e12;
  if (metric == "tokens_per_s_per_gpu") return tokens / gpu_seconds;
  if (metric == "days_for_300B_tokens") return 300e9 / tokens * p.seconds / 86'400;
  if (metric == "mfu") return 100 * flops / gpu_seconds / peak;
  if (metric == "hfu") {
    // Selective recomputation does the two products of scores and values a second time.
    const double again = 4.0 * model.layers * model.seq * model.heads * model.head_dim * tokens;
    return 100 * (l.recompute == Recompute::full ? all_flops : flops + again) / gpu_seconds / peak;
  }
  if (metric == "memory_per_gpu_reserved") return p.memory.total() / 1e9;
  if (metric == "memory_params_optimizer") {
    return (p.memory.weights + p.memory.gradients + p.memory.optimizer) / k_giga_binary;
  }
  if (metric == "memory_activations") return p.memory.activations / k_giga_binary;
  if (metric == "activation_memory_pct_of_tp_baseline") {
    const double all = layer_activation_bytes(model, l, l.recompute == Recompute::none);
    const double input = 2.0 * model.hidden * l.micro_batch * model.seq / (l.sequence_parallel ? l.tp : 1);
    return 100 * (l.recompute == Recompute::full ? input : all) / baseline_activation(model, l);
  }
  return std::nullopt;
}

}  // namespace

void predict_training(RowReader& reader, const Assumptions& assumptions, ValidatedRow& row) {
  Transformer model;
  const bool described = read_model(reader, row, model);
  const Gpu* gpu = find_gpu(row.gpu);
  const System* system = gpu == nullptr ? nullptr : system_of(reader, *gpu);
  const Stack* known_stack = stack_of_source(reader, row, assumptions);
  const Stack& stack = known_stack != nullptr ? *known_stack : assumptions.stacks.back();
  Layout layout = read_layout(reader, row, stack);
  if (!reader.wrong().empty()) return;
  if (!described) {
    row.skipped = fmt::format("{} is not in data/models.csv, and the row does not describe it", row.model);
    return;
  }
  if (system == nullptr) {
    row.skipped = fmt::format("no GPU \"{}\" in data/gpus.csv", row.gpu);
    return;
  }
  if (row.gpus == 0 || layout.global_batch == 0) {
    row.skipped = "the row states no GPUs or no global batch";
    return;
  }
  if (row.metric == "time_to_train_median_of_3") {
    row.skipped = "the number of steps to the target is a property of the data, not of the machine";
    return;
  }
  if (row.metric == "tokens_per_s_whole_run_incl_eval") {
    row.skipped = "includes evaluation";
    return;
  }
  const Evaluator evaluator(model, *system, stack, assumptions.calibration, Evaluator::k_kept_for_few);
  const bool open = layout.tp == 0 || layout.pp == 0 || layout.micro_batch == 0 || layout.interleave == 0;
  if (open && !choose_rest(evaluator, row.gpus, layout)) {
    row.skipped = "no layout of what the row states divides";
    return;
  }
  if (const auto wrong = check(layout, model, *system); !wrong.empty()) {
    row.skipped = wrong.front();
    return;
  }
  Prediction prediction = evaluator.predict(layout);
  if (!prediction.fits && reader.text("recompute").empty() && layout.recompute == Recompute::none) {
    // Of what the row leaves open, the least recomputation with which it fits.
    Layout again = layout;
    again.recompute = Recompute::selective;
    if (const Prediction less = evaluator.predict(again); less.fits) {
      layout = again;
      prediction = less;
    }
  }
  row.predicted = metric_of(row.metric, evaluator, layout, prediction, source_flops_per_token(row, model));
  if (!row.predicted) row.skipped = fmt::format("metric {} is unknown", row.metric);
  row.unfit = row.predicted && !prediction.fits;
  row.outside_calibration =
      row.predicted && (known_stack == nullptr || beyond_calibration(evaluator.machine(), layout));
}

}  // namespace virga::twin
