// Jobs that wait in Slurm, past Virga, become jobs of Virga's queue (adoption.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engines/slurm/adoption.hpp"
#include "engines/slurm/conf.hpp"
#include "engines/slurm/reconciler.hpp"
#include "wire/text_file.hpp"

namespace virga::slurm {
namespace {

/// What waits for something that Virga knows nothing of is looked at again once that has come.
bool waits_for_nodes(const SlurmJob& job) {
  for (const std::string_view other : {"Dependency", "BeginTime", "JobHeld", "Reservation", "Licenses", "Cleaning"}) {
    if (job.reason.starts_with(other)) return false;
  }
  return true;
}

/// Virga's journal could not take it now.
bool is_for_later(const Error& error) {
  return error.retryable || error.code == Code::exhausted || error.code == Code::unavailable;
}

}  // namespace

void Reconciler::AdoptionAnswers::put(std::uint32_t id, Result<std::uint64_t> answer) {
  const std::lock_guard lock(mutex);
  all.emplace_back(id, std::move(answer));
}

/// `jobs` are all that Slurm knows.
void Reconciler::look_for_adoptable(const std::vector<SlurmJob>& jobs) {
  const std::string& own = options_.cluster.options().partition;
  const std::string direct = direct_partition(own);
  std::set<std::uint32_t> waiting;
  for (const SlurmJob& job : jobs) {
    if (job.state != "PENDING" || !job.nodes.empty() || !is_foreign(job)) continue;
    if (job.partition != own && job.partition != direct) continue;
    // One that an administrator holds may be one that was being adopted.
    if (!waits_for_nodes(job) && job.reason != "JobHeldAdmin") continue;
    waiting.insert(job.id);
    const auto [it, is_new] = adoptions_.try_emplace(job.id);
    if (!is_new && it->second.stage == Adoption::Stage::cancelled) it->second.stage = Adoption::Stage::journalled;
  }
  std::erase_if(adoptions_, [&](const auto& entry) {
    return entry.second.stage != Adoption::Stage::asked && !waiting.contains(entry.first);
  });
}

void Reconciler::take_answers() {
  std::vector<std::pair<std::uint32_t, Result<std::uint64_t>>> answers;
  {
    const std::lock_guard lock(answers_->mutex);
    answers.swap(answers_->all);
  }
  for (auto& [id, answer] : answers) {
    const auto it = adoptions_.find(id);
    if (it == adoptions_.end() || it->second.stage != Adoption::Stage::asked) continue;
    Adoption& adoption = it->second;
    if (answer) {
      adoption.job = *answer;
      adoption.stage = Adoption::Stage::journalled;
    } else if (is_for_later(answer.error())) {
      adoption.stage = Adoption::Stage::found;
      adoption.not_before = Clock::now() + options_.sweep;
    } else {
      adoption.why = answer.error().message;
      adoption.stage = Adoption::Stage::refused;
    }
  }
}

void Reconciler::advance_adoptions() {
  take_answers();
  for (auto& [id, adoption] : adoptions_) {
    if (!reached_) return;
    switch (adoption.stage) {
      case Adoption::Stage::found:
        if (Clock::now() >= adoption.not_before) begin_adoption(id, adoption);
        break;
      case Adoption::Stage::journalled:
        // The note first: a job that has it is cancelled, and never adopted again.
        if (!take(slurm_.note(id, adopted_note(adoption.job), Commands::Hold::unchanged))) return;
        if (!take(slurm_.cancel_pending(id))) return;
        options_.say(fmt::format("job {} of Slurm's is job {} of Virga's now", id, adoption.job));
        adoption.stage = Adoption::Stage::cancelled;
        break;
      case Adoption::Stage::refused:
        if (!take(slurm_.note(id, refused_note(adoption.why), Commands::Hold::unchanged))) return;
        if (!take(slurm_.release({id}))) return;
        options_.say(fmt::format("job {} of Slurm's is not adopted: {}", id, adoption.why));
        adoption.stage = Adoption::Stage::left;
        break;
      case Adoption::Stage::asked:
      case Adoption::Stage::cancelled:
      case Adoption::Stage::left:
        break;
    }
  }
}

void Reconciler::begin_adoption(std::uint32_t id, Adoption& adoption) {
  const std::string mark = random_mark();
  const auto text = slurm_.describe(id, adoptee_columns(mark));
  if (!text && !take(Status(unexpected(text.error())))) return;
  Result<Adoptee> job = text ? parse_adoptee(*text, mark, options_.cluster.options().slurm_name())
                             : Result<Adoptee>(unexpected(text.error()));
  adoption.stage = Adoption::Stage::left;  // unless it turns out otherwise
  if (!job || job->id != id || !job->pending) return;
  if (const auto known = job_of_note(job->note)) {
    adoption.job = *known;
    adoption.stage = Adoption::Stage::journalled;
    return;
  }
  const bool ours = job->note == k_note_adopting;
  if (job->held_by_admin && !ours) return;
  if (!job->refusal.empty()) {
    if (job->note == refused_note(job->refusal) && !job->held_by_admin) return;  // its user was told
    adoption.why = job->refusal;
    adoption.stage = Adoption::Stage::refused;
    return;
  }
  // Held, it cannot begin in Slurm while it becomes Virga's. One that has begun in this moment refuses.
  if (!job->held_by_admin) {
    const Status held = slurm_.note(id, std::string(k_note_adopting), Commands::Hold::yes);
    if (!take(held)) adoption.stage = Adoption::Stage::found;
    if (!held) return;
  }
  ask_for(id, adoption, std::move(*job));
}

void Reconciler::ask_for(std::uint32_t id, Adoption& adoption, Adoptee job) {
  adoption.stage = Adoption::Stage::found;  // whatever Slurm does not answer is asked again
  const auto script = slurm_.script_of(id);
  if (!script && !take(Status(unexpected(script.error())))) return;
  const auto folder = slurm_.state_folder();
  if (!folder && !take(Status(unexpected(folder.error())))) return;
  LaunchPayload payload;
  std::string missing;
  if (!script || !folder) {
    missing = (script ? folder.error() : script.error()).message;
  } else {
    payload.script = *script;
    const auto bytes = read_text_file(fmt::format("{}/hash.{}/job.{}/environment", *folder, id % 10, id));
    auto environment = bytes ? adopted_environment(*bytes) : unexpected(bytes.error());
    if (environment) payload.environment = *std::move(environment);
    if (!environment) missing = environment.error().message;
  }
  JobSpec& spec = job.submission.spec;
  if (missing.empty() && spec.per_node.memory_bytes != 0) {
    const auto per_cpu = slurm_.counts_memory_per_cpu(id);
    if (!per_cpu && !take(Status(unexpected(per_cpu.error())))) return;
    if (per_cpu && *per_cpu) spec.per_node.memory_bytes *= spec.per_node.cpus;
  }
  if (missing.empty() && !payload.script.starts_with("#!")) missing = "its script does not begin with #!";
  if (!missing.empty()) {
    adoption.why = missing;
    adoption.stage = Adoption::Stage::refused;
    return;
  }
  payload.umask = umask_of(payload.environment);
  adoption.stage = Adoption::Stage::asked;
  options_.adopt(std::move(job.submission), std::move(payload),
                 [id, answers = answers_](Result<std::uint64_t> answer) { answers->put(id, std::move(answer)); });
}

bool Reconciler::is_adopting() const {
  return std::any_of(adoptions_.begin(), adoptions_.end(), [](const auto& entry) {
    const Adoption::Stage stage = entry.second.stage;
    const bool waits = stage == Adoption::Stage::found && Clock::now() < entry.second.not_before;
    return !waits && stage != Adoption::Stage::cancelled && stage != Adoption::Stage::left;
  });
}

}  // namespace virga::slurm
