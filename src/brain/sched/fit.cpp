#include "brain/sched/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "brain/place/features.hpp"
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

/// Which of the pool's nodes has this name, from 0.
std::optional<std::uint32_t> slot_of(const Pool& pool, std::string_view node) {
  if (!node.starts_with(pool.node_prefix)) return std::nullopt;
  node.remove_prefix(pool.node_prefix.size());
  std::uint32_t number = 0;
  const auto [rest, error] = std::from_chars(node.data(), node.data() + node.size(), number);
  if (error != std::errc{} || rest != node.data() + node.size() || node.front() == '0') return std::nullopt;
  if (number < 1 || number > pool.max_nodes) return std::nullopt;
  return number - 1;
}

std::vector<std::uint32_t> slots_of(const Pool& pool, const std::vector<std::string>& nodes) {
  std::vector<std::uint32_t> slots;
  for (const std::string& node : nodes) {
    if (const std::optional<std::uint32_t> slot = slot_of(pool, node)) slots.push_back(*slot);
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

/// Whether the nodes that it names could be had if all of the pool were free.
std::optional<std::string> wish_misfit(const Pool& pool, const JobSpec& spec) {
  const NodeWish wish = node_wish_of(spec, pool);
  if (wish.required.size() < spec.placement.nodes.size()) {
    return fmt::format("pool {} does not have all of the nodes that were asked for", pool.name);
  }
  if (wish.is_empty()) return std::nullopt;
  const bool sets_matter = pool.set_nodes_max > 0 && !pool.ib_spans_sets;
  const std::uint32_t cell = sets_matter ? pool.set_nodes_max : pool.max_nodes;
  const std::uint32_t leaf = pool.fabric.nodes_per_leaf > 0 ? pool.fabric.nodes_per_leaf : cell;
  const std::uint32_t leaves_of_cell = (cell + leaf - 1) / leaf;
  const WishedPool all{.slots = pool.max_nodes,
                       .cell_nodes = cell,
                       .leaf_of = [=](std::uint32_t slot) { return slot / cell * leaves_of_cell + slot % cell / leaf; },
                       .room_of = [](std::uint32_t) { return WishedRoom::present; }};
  const WishedGang gang{.wish = &wish,
                        .nodes = spec.nodes,
                        .one_cell = spec.nodes > 1 && spec.needs_fabric,
                        .leaves_max = spec.switches_wait.is_infinite() ? spec.switches : 0};
  std::vector<std::uint32_t> slots;
  if (choose_wished(all, gang, slots)) return std::nullopt;
  return fmt::format("{} nodes of pool {} cannot be had with those that must and those that may not be among them",
                     spec.nodes, pool.name);
}

std::optional<std::string> placement_misfit(const Pool& pool, const JobSpec& spec) {
  const Placement& wants = spec.placement;
  for (const std::string* features : {&wants.features, &wants.batch_features}) {
    if (features_hold(*features, pool.features, spec.nodes)) continue;
    return fmt::format("nodes of pool {} do not have the features {}", pool.name, *features);
  }
  if (wants.tmp_bytes > pool.tmp_bytes) {
    return fmt::format("{} MiB for temporary files asked for, nodes of pool {} have {}", wants.tmp_bytes >> 20,
                       pool.name, pool.tmp_bytes >> 20);
  }
  return wish_misfit(pool, spec);
}

}  // namespace

NodeWish node_wish_of(const JobSpec& spec, const Pool& pool) {
  const Placement& wants = spec.placement;
  return {.required = slots_of(pool, wants.nodes),
          .excluded = slots_of(pool, wants.exclude),
          .contiguous = wants.contiguous};
}

std::optional<Error> placement_mistake(const State& state, const JobSpec& spec) {
  const Placement& wants = spec.placement;
  if (wants == Placement{}) return std::nullopt;
  std::vector<std::string> known;
  for (const Pool& pool : state.config.pools) known.insert(known.end(), pool.features.begin(), pool.features.end());
  if (auto mistake = feature_mistake(wants.features, known)) {
    return Error{Code::invalid, "Invalid feature specification: " + *mistake};
  }
  if (auto mistake = feature_mistake(wants.prefer, known)) {
    return Error{Code::invalid, "Invalid preferred feature specification: " + *mistake};
  }
  if (!wants.batch_features.empty()) {
    const auto mistake = feature_mistake(wants.batch_features, known);
    if (mistake || wants.features.find(wants.batch_features) == std::string::npos) {
      return Error{Code::invalid, "Job --batch option is invalid or not a subset of --constraints" +
                                      (mistake ? ": " + *mistake : std::string())};
    }
  }
  for (const std::string& node : wants.nodes) {
    const bool is_excluded = std::find(wants.exclude.begin(), wants.exclude.end(), node) != wants.exclude.end();
    if (state.find_pool_of_node(node) != nullptr && !is_excluded) continue;
    return Error{Code::invalid, fmt::format("Invalid node name specified: {}{}", node,
                                            is_excluded ? " is asked for, and excluded" : "")};
  }
  for (const std::string& node : wants.exclude) {
    if (state.find_pool_of_node(node) == nullptr) {
      return Error{Code::invalid, "Invalid node name specified: " + node};
    }
  }
  return std::nullopt;
}

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
  if (spec.placement != Placement{}) {
    if (auto why = placement_misfit(pool, spec)) return why;
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
