#include "sim/world/memory_journal.hpp"

#include <algorithm>

#include "base/digest.hpp"

namespace virga {

namespace {

class MemoryJournal : public Journal {
 public:
  explicit MemoryJournal(JournalDisk& disk) : disk_(disk) { disk_.is_open = true; }
  ~MemoryJournal() override { disk_.is_open = false; }

  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override {
    if (disk_.full) return fail(Code::exhausted, "the simulated disk is full", true);
    const Seq first{disk_.last() + 1};
    for (const JournalEntry& entry : entries) {
      disk_.history.push_back(entry.event);
      if (entry.payload) disk_.payloads[disk_.last()] = *entry.payload;
    }
    for (const Job& job : jobs) {
      auto before = disk_.jobs.find({job.id, job.incarnation});
      if (disk_.on_job_record) disk_.on_job_record(job, before != disk_.jobs.end() ? &before->second : nullptr);
      disk_.jobs[{job.id, job.incarnation}] = job;
    }
    for (const VmRecord& vm : vms) disk_.vms[vm.id] = vm;
    return first;
  }

  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override {
    const std::uint64_t first = std::max({after.value, disk_.first_kept - 1, disk_.before}) + 1;
    for (std::uint64_t n = first; n <= disk_.last(); ++n) {
      if (!each(Seq{n}, disk_.history[n - 1 - disk_.before])) break;
    }
    return {};
  }

  Status payloads(const std::function<bool(Seq, const LaunchPayload&)>& each) override {
    for (const auto& [seq, payload] : disk_.payloads) {
      if (!each(Seq{seq}, payload)) break;
    }
    return {};
  }
  Status import(Journal&) override {
    if (!disk_.history.empty()) return fail(Code::conflict, "the journal in memory is not empty");
    return fail(Code::internal, "nothing is copied into a journal in memory");
  }
  Result<LaunchPayload> payload(Seq seq) override {
    auto found = disk_.payloads.find(seq.value);
    if (found == disk_.payloads.end()) return fail(Code::not_found, "no payload " + std::to_string(seq.value));
    return found->second;
  }

  Status save_snapshot(const Snapshot& snapshot) override {
    if (disk_.full) return fail(Code::exhausted, "the simulated disk is full", true);
    if (snapshot.seq.value > disk_.last()) return fail(Code::invalid, "a snapshot of the future");
    if (snapshot.digest != digest_of(snapshot.state)) return fail(Code::invalid, "a snapshot with another digest");
    disk_.snapshots.push_back(snapshot);
    return {};
  }
  Result<std::optional<Snapshot>> newest_snapshot() override {
    if (disk_.snapshots.empty()) return std::nullopt;
    return disk_.snapshots.back();
  }
  Result<std::optional<Snapshot>> oldest_snapshot() override {
    if (disk_.snapshots.empty()) return std::nullopt;
    return disk_.snapshots.front();
  }

  Status compact() override {
    if (disk_.full) return fail(Code::exhausted, "the simulated disk is full", true);
    if (disk_.snapshots.empty()) return {};
    disk_.snapshots.erase(disk_.snapshots.begin(), disk_.snapshots.end() - 1);
    disk_.first_kept = disk_.snapshots.back().seq.value + 1;
    for (const auto& [key, job] : disk_.jobs) {
      if (is_final(job.state) && !job.requeue_after_end) disk_.payloads.erase(job.submitted_at_seq.value);
    }
    return {};
  }

  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override {
    std::vector<Job> found;
    for (const auto& [key, job] : disk_.jobs) {
      const Time started = job.started.is_set() ? job.started : job.ended;
      if (!query.jobs.empty() && std::find(query.jobs.begin(), query.jobs.end(), job.id) == query.jobs.end()) continue;
      if (query.uid && *query.uid != job.owner.uid) continue;
      if (query.ended_after && job.ended <= *query.ended_after) continue;
      if (query.started_before && started >= *query.started_before) continue;
      found.push_back(job);
    }
    return newest(std::move(found), query.limit);
  }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) override {
    std::vector<VmRecord> found;
    for (const auto& [id, vm] : disk_.vms) {
      if (query.ended_after && vm.released <= *query.ended_after) continue;
      if (query.started_before && vm.granted >= *query.started_before) continue;
      found.push_back(vm);
    }
    return newest(std::move(found), query.limit);
  }

  Result<JournalInfo> info() override {
    JournalInfo info;
    const std::uint64_t first = std::max(disk_.first_kept, disk_.before + 1);
    info.first = {first <= disk_.last() ? first : 0};
    info.last = {disk_.last()};
    if (!disk_.history.empty()) info.last_time = disk_.history.back().at;
    if (!disk_.snapshots.empty()) info.snapshot = disk_.snapshots.back().seq;
    info.archived_jobs = disk_.jobs.size();
    info.schema_version = k_schema_version;
    return info;
  }

  Status backup(const std::string& path) override {
    if (disk_.backups.contains(path)) return fail(Code::conflict, path + " exists already");
    auto copy = std::make_shared<JournalDisk>(disk_);
    copy->is_open = false;
    copy->backups.clear();
    disk_.backups.emplace(path, std::move(copy));
    return {};
  }

  Result<JournalReport> verify() override {
    return JournalReport{.events = disk_.last() + 1 - std::max(disk_.first_kept, disk_.before + 1),
                         .payloads = disk_.payloads.size(),
                         .snapshots = disk_.snapshots.size(),
                         .archived_jobs = disk_.jobs.size(),
                         .archived_vms = disk_.vms.size()};
  }

 private:
  template <class Record>
  static std::vector<Record> newest(std::vector<Record> all, std::uint32_t limit) {
    if (all.size() > limit) all.erase(all.begin(), all.end() - limit);
    return all;
  }

  JournalDisk& disk_;
};

}  // namespace

Result<std::unique_ptr<Journal>> open_memory_journal(JournalDisk& disk) {
  if (disk.is_open) return fail(Code::conflict, "the simulated journal is open already");
  return std::make_unique<MemoryJournal>(disk);
}

}  // namespace virga
