#include "brain/sched/fit.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/sched/files.hpp"
#include "brain/training/training_check.hpp"
#include "brain/training/training_note.hpp"
#include "brain/training/training_words.hpp"

namespace virga {

Resources demand_per_node(const JobSpec& spec, const Pool& pool) {
  if (spec.exclusive) return pool.sku.resources;
  return spec.per_node;
}

std::uint64_t part_of_node(std::uint64_t amount, const JobSpec& spec, const Pool& pool) {
  const Resources& all = pool.sku.resources;
  const Resources part = demand_per_node(spec, pool);
  // The larger of cpus/all.cpus and gpus/all.gpus, without fractions.
  std::uint64_t numerator = part.cpus;
  std::uint64_t denominator = std::max<std::uint64_t>(all.cpus, 1);
  if (all.gpus > 0 && std::uint64_t{part.gpus} * denominator > numerator * all.gpus) {
    numerator = part.gpus;
    denominator = all.gpus;
  }
  return amount / denominator * numerator;
}

namespace {

std::string files_misfit(const Config& config, const Pool& pool, const std::string& lost) {
  std::string mounts;
  for (const Storage& one : config.storage) mounts += (mounts.empty() ? "" : ", ") + one.mount;
  return fmt::format("{} is not on the nodes of pool {}, which share no files with this machine; {}", lost, pool.name,
                     mounts.empty() ? "nothing is mounted there: an administrator can add [storage.NAME]"
                                    : "use a folder below " + mounts + " (sbatch --chdir)");
}

}  // namespace

std::optional<std::string> misfit_of(const Config& config, const Pool& pool, const JobSpec& spec) {
  const Resources& has = pool.sku.resources;
  if (spec.nodes > pool.max_nodes) {
    return fmt::format("{} nodes asked for, pool {} has at most {}", spec.nodes, pool.name, pool.max_nodes);
  }
  if (spec.nodes > 1 && spec.needs_fabric && pool.set_nodes_max > 0 && !pool.ib_spans_sets &&
      spec.nodes > pool.set_nodes_max) {
    return fmt::format(
        "{} nodes asked for, and a scale set of pool {}, within which InfiniBand reaches, has at most {}", spec.nodes,
        pool.name, pool.set_nodes_max);
  }
  const std::uint32_t leaf = pool.fabric.nodes_per_leaf;
  if (spec.switches > 0 && spec.switches_wait.is_infinite() && leaf > 0 && spec.nodes > spec.switches * leaf) {
    return fmt::format("{} nodes asked for below {} switches, and a leaf of pool {} has {}", spec.nodes, spec.switches,
                       pool.name, leaf);
  }
  if (!pool.shared_files) {
    if (const auto lost = file_off_storage(config.storage, spec)) return files_misfit(config, pool, *lost);
  }
  if (spec.per_node.fits_in(has)) return std::nullopt;  // an exclusive job too: a whole node may be too little
  if (spec.per_node.gpus > has.gpus) {
    return fmt::format("{} GPUs per node asked for, {} has {}", spec.per_node.gpus, pool.sku.name, has.gpus);
  }
  if (spec.per_node.cpus > has.cpus) {
    return fmt::format("{} CPUs per node asked for, {} has {}", spec.per_node.cpus, pool.sku.name, has.cpus);
  }
  return fmt::format("{} MiB per node asked for, {} has {}", spec.per_node.memory_bytes >> 20, pool.sku.name,
                     has.memory_bytes >> 20);
}

std::optional<std::string> training_misfit_of(const State& state, const Pool& pool, const JobSpec& spec) {
  if (spec.comment.empty()) return std::nullopt;
  return state.index.training.of(spec, pool).misfit;
}

bool can_hold(const State& state, const Pool& pool, const JobSpec& spec) {
  return !misfit_of(state.config, pool, spec) && !training_misfit_of(state, pool, spec);
}

std::vector<std::string> training_warnings(const State& state, const JobSpec& spec) {
  const Partition* partition = may_name_model(spec.comment) ? state.find_partition(spec.partition) : nullptr;
  if (partition == nullptr) return {};
  std::optional<TrainingCheck> best;
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr || misfit_of(state.config, *pool, spec)) continue;
    const TrainingCheck& check = state.index.training.of(spec, *pool);
    if (check.misfit) continue;
    const bool is_first = !best || (check.plan && (!best->plan || check.plan->step < best->plan->step));
    if (is_first) best = check;
  }
  if (!best) return {};
  std::vector<std::string> warnings = best->warnings;
  if (best->plan && best->plan->run > spec.time_limit) {
    warnings.push_back(
        fmt::format("{} is predicted to take {} for the tokens that its comment names, and its time "
                    "limit is {}; give a longer --time, or resume from checkpoints (--requeue, --signal)",
                    best->plan->model, span_text(best->plan->run), span_text(spec.time_limit)));
  }
  return warnings;
}

std::optional<Error> never_fits(const State& state, const JobSpec& spec) {
  const Partition* partition = state.find_partition(spec.partition);
  if (partition == nullptr) return Error{Code::invalid, "invalid partition specified: " + spec.partition};
  std::string why;
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr) continue;
    std::optional<std::string> misfit = misfit_of(state.config, *pool, spec);
    if (!misfit) misfit = training_misfit_of(state, *pool, spec);
    if (!misfit) return std::nullopt;
    why = *std::move(misfit);
  }
  return Error{Code::refused, "Requested node configuration is not available: " + why};
}

void review_waiting_job(const State& state, Job& job) {
  const Partition* partition = state.find_partition(job.spec->partition);
  if (state.shutting_down) {
    job.reason = Reason::shutting_down;
    job.detail = "the supercomputer is being taken down";
  } else if (partition == nullptr || !partition->up) {
    job.reason = Reason::partition_down;
    job.detail = "partition " + job.spec->partition + " is down";
  } else if (std::optional<Error> never = never_fits(state, job.spec)) {
    job.reason = Reason::config_refuses;
    job.detail = never->message;
  } else if (job.reason == Reason::shutting_down || job.reason == Reason::partition_down ||
             job.reason == Reason::config_refuses) {
    job.reason = Reason::priority;
    job.detail.clear();
  }
}

void review_waiting_jobs(Effects& fx) {
  State& state = fx.state;
  for (auto& [id, job] : state.jobs) {
    if (job.state != JobState::pending || !job.promised.empty()) continue;
    // Held ones are looked at when they are released, and those behind a gate when it opens.
    if (job.reason == Reason::held_user || job.reason == Reason::held_admin || job.eligible.is_never()) continue;
    unindex_job(state, job);
    review_waiting_job(state, job);
    index_job(state, job);
  }
}

}  // namespace virga
