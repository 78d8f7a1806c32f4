#include "sim/reproduce/reproduction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "control/controller.hpp"
#include "core/binary.hpp"
#include "sim/reproduce/difference.hpp"
#include "sim/world/memory_journal.hpp"

namespace virga {
namespace {

constexpr std::uint64_t k_no_snapshot = std::uint64_t{1} << 60;
constexpr std::size_t k_decisions_told = 8;

/// Gives the times that it is set to, one after the other; the last one for ever. A controller that comes back asks
/// once for each event that it writes then, and they came one after the other.
class RecordedClock : public Clock {
 public:
  void set(std::vector<Time> times) {
    times_ = std::move(times);
    next_ = 0;
  }
  Time now() override { return times_[std::min(next_++, times_.size() - 1)]; }

 private:
  std::vector<Time> times_{Time{}};
  std::size_t next_ = 0;
};

bool is_request(const EventBody& body) {
  return std::holds_alternative<ConfigChanged>(body) || std::holds_alternative<JobSubmitted>(body) ||
         std::holds_alternative<JobActed>(body) || std::holds_alternative<NodeUpdated>(body) ||
         std::holds_alternative<StepStarted>(body) || std::holds_alternative<StepEnded>(body) ||
         std::holds_alternative<CheckpointDone>(body) || std::holds_alternative<JobChanged>(body) ||
         std::holds_alternative<ShutdownRequested>(body);
}

template <class T>
bool is(const Event& event) {
  return std::holds_alternative<T>(event.body);
}

class Reproducer {
 public:
  explicit Reproducer(const RecordedRun& run);
  Reproduction play();

 private:
  const Event& event(std::size_t place) const { return run_.events[place]; }
  std::size_t end() const { return run_.events.size(); }
  bool deviates() const { return out_.deviation.has_value(); }
  void deviate(std::string recorded, std::string simulated);
  void missing(std::size_t until, const std::string& why);

  void begin_life();
  bool comes_back_at(std::size_t place) const;
  void come_back();
  std::size_t batch_end() const;
  bool is_possible(const EventBody& body) const;
  void turn();
  void enter(std::size_t place);
  void hear(const Event& event);
  void confirm_snapshot();
  void finish();
  template <class Records>
  void compare_accounts(const Records& recorded, const Records& ours, const Records& before_last);

  const RecordedRun& run_;
  RecordedWorld world_;
  RecordedClock clock_;
  JournalDisk disk_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Controller> controller_;  // after what it uses
  std::size_t place_ = 0;                   ///< of the next event to come out
  bool over_ = false;                       ///< all events have come out: nothing more is compared
  Reproduction out_;
};

Reproducer::Reproducer(const RecordedRun& run) : run_(run), world_(run) {
  disk_.before = run.start.seq.value;
  disk_.first_kept = disk_.before + 1;
  if (run.start.snapshot) disk_.snapshots.push_back(*run.start.snapshot);
  // How a job runs is in the run, so its script need not be; but control asks for one.
  for (const auto& [id, job] : run.start.brain.state().jobs) disk_.payloads[job.submitted_at_seq.value];
  world_.on_deviation = [this](std::string recorded, std::string simulated) {
    deviate(std::move(recorded), std::move(simulated));
  };
}

void Reproducer::deviate(std::string recorded, std::string simulated) {
  if (deviates()) return;
  const std::size_t at = std::min(place_, end() - 1);
  out_.deviation = {run_.seq_of(place_), event(at).at, std::move(recorded), std::move(simulated)};
  world_.on_decision = [this](std::string words) {
    if (out_.deviation->then.size() < k_decisions_told) out_.deviation->then.push_back(std::move(words));
  };
}

/// The events up to there have not all come out.
void Reproducer::missing(std::size_t until, const std::string& why) {
  if (place_ < until) deviate(event_words(event(place_)), why);
}

// The controller's lives ---------------------------------------------------------------------------------------------

void Reproducer::begin_life() {
  controller_.reset();
  journal_.reset();
  journal_ = *open_memory_journal(disk_);
  controller_ = std::make_unique<Controller>();
  controller_->log_to([](const std::string&) {});
  controller_->snapshot_every(k_no_snapshot);
  controller_->listen([this](Seq, const Event& event) { hear(event); });
  ++out_.lives;
}

/// A controller that comes back writes at most one ConfigChanged, ControllerStarted, and the VMs that are gone.
bool Reproducer::comes_back_at(std::size_t place) const {
  if (is<ControllerStarted>(event(place))) return true;
  return is<ConfigChanged>(event(place)) && place + 1 < end() && is<ControllerStarted>(event(place + 1));
}

void Reproducer::come_back() {
  const std::size_t from = place_;
  const Brain& before = controller_ ? controller_->brain() : run_.start.brain;
  const auto* changed = std::get_if<ConfigChanged>(&event(from).body);
  const Config config = changed != nullptr ? changed->config : before.state().config;
  std::size_t until = from + (changed != nullptr ? 2 : 1);
  std::set<VmId> lost;
  for (; until < end(); ++until) {
    const auto* gone = std::get_if<VmFailed>(&event(until).body);
    if (gone == nullptr || gone->message != k_gone_when_back) break;
    lost.insert(gone->vm);
  }
  std::vector<Time> times;
  for (std::size_t place = from; place < until; ++place) times.push_back(event(place).at);
  clock_.set(std::move(times));
  world_.lose(std::move(lost));
  begin_life();
  const Status recovered = controller_->recover({journal_.get(), &world_, &world_, &clock_}, config);
  if (!recovered) return deviate("the controller comes back", "it does not: " + recovered.error().message);
  missing(until, "the controller has come back without that");
  confirm_snapshot();
}

// From batch to batch ------------------------------------------------------------------------------------------------

/// Up to where the events of one time can be one batch. A timer is the last one of its batch.
std::size_t Reproducer::batch_end() const {
  const Time at = event(place_).at;
  const Brain& brain = controller_->brain();
  const bool due = brain.next_deadline() <= at;
  std::size_t until = place_;
  for (; until < end() && event(until).at == at; ++until) {
    if (until > place_) {
      if (comes_back_at(until)) break;
      if (run_.start.to_confirm && run_.seq_of(until - 1) == run_.start.to_confirm->seq) break;
    }
    if (is<TimerFired>(event(until))) return due || until == place_ ? until + 1 : until;
    // Possible only after what came before it: that was another batch.
    if (!due && until > place_ && !is_possible(event(until).body)) break;
  }
  return until;
}

bool Reproducer::is_possible(const EventBody& body) const {
  return is_request(body) ? !controller_->brain().check(body) : !world_.lacking(body);
}

void Reproducer::enter(std::size_t place) {
  const EventBody& body = event(place).body;
  if (is_request(body)) {
    std::optional<LaunchPayload> payload;
    if (is<JobSubmitted>(event(place))) payload.emplace();
    const auto answer = [this, place](const Result<std::uint64_t>& result, const Brain&) {
      if (!result && place_ <= place) deviate(event_words(event(place)), "that is refused: " + result.error().message);
    };
    return controller_->request(body, std::move(payload), answer);
  }
  if (is<TimerFired>(event(place))) return;  // the controller's own
  if (const std::optional<std::string> lacking = world_.lacking(body)) {
    return deviate(event_words(event(place)), "the controller " + *lacking);
  }
  controller_->post(body);
}

void Reproducer::turn() {
  const std::size_t until = batch_end();
  const Time at = event(place_).at;
  const Time deadline = controller_->brain().next_deadline();
  if (is<TimerFired>(event(until - 1)) && deadline <= at) {
    ++out_.timers;
    out_.latest_timer = std::max(out_.latest_timer, at - deadline);
  }
  for (std::size_t place = place_; place < until && !deviates(); ++place) enter(place);
  if (deviates()) return;
  clock_.set({at});
  controller_->step_now();
  missing(until, deadline.is_never() ? "no deadline is set" : "the next deadline is " + iso8601(deadline));
  confirm_snapshot();
}

/// Whatever the controller writes.
void Reproducer::hear(const Event& ours) {
  if (over_ || deviates()) return;
  if (place_ == end()) return deviate("the run is over", event_words(ours));
  const Event& theirs = event(place_);
  if (encode(ours) != encode(theirs)) {
    auto [recorded, simulated] = event_difference(theirs, ours);
    return deviate(std::move(recorded), std::move(simulated));
  }
  ++place_;
  out_.submissions += is<JobSubmitted>(theirs) ? 1 : 0;
  out_.refusals += is<GangRefused>(theirs) ? 1 : 0;
}

void Reproducer::confirm_snapshot() {
  const std::optional<Snapshot>& snapshot = run_.start.to_confirm;
  if (!snapshot || deviates() || controller_->brain().state().seq != snapshot->seq) return;
  const std::uint64_t digest = controller_->brain().digest();
  out_.snapshot_confirmed = digest == snapshot->digest;
  if (out_.snapshot_confirmed) return;
  deviate(fmt::format("the snapshot after event {} has digest {:016x}", snapshot->seq.value, snapshot->digest),
          fmt::format("the state has digest {:016x}", digest));
}

// The end ------------------------------------------------------------------------------------------------------------

Time end_of(const Job& job) { return job.ended; }
Time end_of(const VmRecord& vm) { return vm.released; }
std::string title_of(const Job& job) { return job_text(job.id, job.incarnation); }
std::string title_of(const VmRecord& vm) { return fmt::format("VM {}, {}", vm.id.value, vm.name); }

/// What the last batch put into the accounts may or may not be there: it is written with the next one.
template <class Records>
void Reproducer::compare_accounts(const Records& recorded, const Records& ours, const Records& before_last) {
  const auto at = [](const Records& in, const auto& key) {
    const auto found = in.find(key);
    return found == in.end() ? nullptr : &found->second;
  };
  const auto same = [](const auto* a, const auto* b) {
    return a == nullptr || b == nullptr ? a == b : encode(*a) == encode(*b);
  };
  std::optional<typename Records::key_type> first;  // the earliest of those that deviate
  Time when = Time::never();
  const auto note = [&](const auto& key, const auto& record) {
    if (end_of(record) >= when) return;
    first = key;
    when = end_of(record);
  };
  for (const auto& [key, record] : ours) {
    const auto* theirs = at(recorded, key);
    if (!same(theirs, &record) && (!same(theirs, at(before_last, key)))) note(key, record);
  }
  const Time began = run_.start.brain.state().now;
  for (const auto& [key, record] : recorded) {
    const bool within = end_of(record) > began && end_of(record) <= run_.events.back().at;
    if (within && !ours.contains(key)) note(key, record);
  }
  if (!first || deviates()) return;
  const auto* theirs = at(recorded, *first);
  const auto* mine = at(ours, *first);
  if (theirs == nullptr || mine == nullptr) {
    deviate(theirs == nullptr ? "no account of " + title_of(*mine) : "the account of " + title_of(*theirs),
            mine == nullptr ? "there is none" : "there is one");
  } else {
    auto [of_theirs, of_mine] = difference_of(*theirs, *mine);
    deviate("the account of " + title_of(*theirs) + ": " + of_theirs, std::move(of_mine));
  }
  out_.deviation->at = when;
}

void Reproducer::finish() {
  if (deviates()) return;
  over_ = true;
  out_.digest = controller_->brain().digest();
  const auto jobs = disk_.jobs;
  const auto vms = disk_.vms;
  controller_->step_now();  // writes the accounts of the last batch
  out_.job_accounts = disk_.jobs.size();
  out_.vm_accounts = disk_.vms.size();
  compare_accounts(run_.jobs, disk_.jobs, jobs);
  compare_accounts(run_.vms, disk_.vms, vms);
}

Reproduction Reproducer::play() {
  if (!comes_back_at(0)) {
    clock_.set({event(0).at});
    begin_life();
    const Status resumed = controller_->resume({journal_.get(), &world_, &world_, &clock_});
    if (!resumed) deviate("the run begins", "it does not: " + resumed.error().message);
    world_.count_from_here();
  }
  while (place_ < end() && !deviates()) {
    if (comes_back_at(place_)) {
      come_back();
    } else {
      turn();
    }
  }
  finish();
  out_.events = place_;
  out_.decisions = world_.decisions();
  return std::move(out_);
}

}  // namespace

Reproduction reproduce(const RecordedRun& run) {
  VIRGA_ASSERT(!run.events.empty(), "a run has events");
  return Reproducer(run).play();
}

}  // namespace virga
