// The batch script of the chosen point: what Slurm is told, the launcher's part, and what is told of the last
// checkpoint.
#include "cli/verbs/plan_script.hpp"

namespace virga {
namespace {

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

bool can_be_launched(const PlanReport& report) {
  return report.request.model->causal &&
         report.point.gpus % std::min(report.system.gpus_per_node, report.point.gpus) == 0;
}

std::string plan_script(const PlanReport& report, std::string_view launcher) {
  if (!can_be_launched(report)) return {};
  const std::string body = launcher == "megatron-bridge" ? bridge_script(report) : megatron_script(report);
  return head(report).append(body).append(k_tail);
}

}  // namespace virga
