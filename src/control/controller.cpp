#include "control/controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "control/controller_inside.hpp"
#include "control/crash_point.hpp"
#include "control/inbox.hpp"
#include "core/binary.hpp"
#include "core/foreign.hpp"

namespace virga {

namespace {

constexpr std::uint64_t k_events_per_snapshot = 20'000;
/// After a failed append, facts wait this long before the next try.
constexpr Duration k_journal_retry = Duration::milliseconds(500);

void say_on_stderr(const std::string& line) {
  std::fprintf(stderr, "virgad: %s\n", line.c_str());
  std::fflush(stderr);
}

/// What of a fact an operator wants to read in the log; "" for most. Asked before the brain has it, since it may be the
/// last that is heard of a gang.
std::string trouble_in(const State& state, const EventBody& fact) {
  if (const auto* refused = std::get_if<GangRefused>(&fact)) {
    const auto gang = state.gangs.find(refused->gang);
    if (gang == state.gangs.end()) return "";
    return fmt::format("pool {}: {} nodes refused ({}): {}", gang->second.pool, gang->second.vms.size(),
                       name_of(refused->refusal), refused->message);
  }
  if (const auto* failed = std::get_if<VmFailed>(&fact)) {
    const auto vm = state.vms.find(failed->vm);
    if (vm == state.vms.end() || vm->second.state == VmState::releasing) return "";
    return fmt::format("node {}: {}", vm->second.name, failed->message);
  }
  return "";
}

}  // namespace

Controller::Controller() : inside_(std::make_unique<Inside>()) {
  inside_->say = say_on_stderr;
  inside_->events_per_snapshot = k_events_per_snapshot;
}
Controller::~Controller() = default;

// Bringing brain and world together ----------------------------------------------------------------------------------

Status Controller::Inside::replay() {
  Seq from{0};
  Result<std::optional<Snapshot>> snapshot = ports.journal->newest_snapshot();
  if (!snapshot) return unexpected(snapshot.error());
  if (*snapshot) {
    Result<Brain> loaded = Brain::load((*snapshot)->state);
    if (!loaded) return unexpected(loaded.error());
    brain = *std::move(loaded);
    from = (*snapshot)->seq;
  }
  Status read = ports.journal->read(from, [&](Seq seq, const Event& event) {
    brain.apply(seq, event);
    ++events_since_snapshot;
    // What the replayed events asked of the world is either done, or asked again by outstanding(). Accounts alone are
    // written again: the crash may have come between an event and its record.
    for (Command& command : brain.take_commands()) {
      if (auto* job = std::get_if<ArchiveJob>(&command)) jobs_to_archive.push_back(std::move(job->job));
      if (auto* vm = std::get_if<ArchiveVm>(&command)) vms_to_archive.push_back(std::move(vm->vm));
    }
    return true;
  });
  return read;
}

Status Controller::Inside::recover_rest(const Config& config) {
  if (!flush_archive()) return fail(Code::exhausted, "the journal cannot be written: see the log");
  return reconcile(config);
}

Status Controller::Inside::reconcile(const Config& config) {
  std::vector<KnownVm> known;
  for (const auto& [id, vm] : brain.state().vms) {
    if (vm.address.empty()) continue;
    known.push_back({id, vm.name, vm.pool, vm.address, brain.state().pool_of(vm).cloud});
  }
  Result<std::vector<ListedVm>> listed = ports.cloud->list(known);
  if (!listed) return unexpected(listed.error());
  std::set<VmId> there;
  for (const ListedVm& vm : *listed) there.insert(vm.vm);

  std::vector<Pending> batch;
  auto add = [&](EventBody body) { batch.push_back({{{ports.clock->now(), std::move(body)}, std::nullopt}, {}}); };
  if (encode(config) != encode(brain.state().config)) {
    if (std::optional<Error> refused = brain.check(ConfigChanged{config})) {
      say("the configuration cannot be changed as it is: " + refused->message + "; going on with the old one");
    } else {
      add(ConfigChanged{config});
    }
  }
  add(ControllerStarted{});
  for (const auto& [id, vm] : brain.state().vms) {
    if (vm.state == VmState::requested || vm.state == VmState::releasing) continue;  // asked again below
    if (!there.contains(id)) add(VmFailed{id, k_gone_when_back});
  }
  for (VmId id : there) {
    if (brain.state().vms.contains(id)) {
      watch_again(brain.state().vms.at(id));
    } else {
      say(fmt::format("VM {} is unknown to the journal: releasing it", id.value));
      ports.cloud->release(id);
    }
  }
  for (Command& command : brain.outstanding()) execute(command, nullptr);
  if (!commit(batch)) return fail(Code::exhausted, "the journal cannot be written: see the log");
  dispatch(batch);
  return {};
}

void Controller::Inside::watch_again(const Vm& vm) {
  if (vm.state != VmState::booting && vm.state != VmState::ready) return;
  ports.cloud->adopt(vm.id);
  ports.engine->attach(vm.id, vm.pool);
}

Status Controller::resume(Ports ports) {
  Inside& in = *inside_;
  in.ports = std::move(ports);
  if (Status replayed = in.replay(); !replayed) return replayed;
  for (const auto& [id, vm] : in.brain.state().vms) in.watch_again(vm);
  for (Command& command : in.brain.outstanding()) in.execute(command, nullptr);
  return {};
}

Status Controller::recover(Ports ports, const Config& config) {
  inside_->ports = std::move(ports);
  if (Status replayed = inside_->replay(); !replayed) return replayed;
  return inside_->recover_rest(config);
}

// Journal → brain → commands -----------------------------------------------------------------------------------------

void Controller::Inside::pass(CrashPoint point) {
  crash_point(point);
  if (crash_hook) crash_hook(point);
}

/// Makes the batch durable and applies it. False if the journal cannot be written: nothing was applied.
bool Controller::Inside::commit(std::vector<Pending>& batch) {
  std::vector<JournalEntry> entries;
  entries.reserve(batch.size());
  for (Pending& item : batch) entries.push_back(std::move(item.entry));
  pass(CrashPoint::append);
  Result<Seq> first = ports.journal->append(entries, jobs_to_archive, vms_to_archive);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].entry = std::move(entries[i]);
  if (!first) {
    if (is_lost()) return false;  // nobody may be told anything any more
    if (!journal_failing) say("journal: " + first.error().message + ": requests are refused until it can be written");
    journal_failing = true;
    journal_retry_at = ports.clock->now() + k_journal_retry;
    return false;
  }
  if (journal_failing) say("journal: can be written again");
  journal_failing = false;
  jobs_to_archive.clear();
  vms_to_archive.clear();
  pass(CrashPoint::appended);
  for (std::size_t i = 0; i < batch.size(); ++i) apply({first->value + i}, batch[i], i + 1);
  events_since_snapshot += batch.size();
  return true;
}

bool Controller::Inside::flush_archive() {
  if (jobs_to_archive.empty() && vms_to_archive.empty()) return true;
  std::vector<Pending> nothing;
  return commit(nothing);
}

void Controller::Inside::apply(Seq seq, Pending& item, RequestId id) {
  if (const std::string trouble = trouble_in(brain.state(), item.entry.event.body); !trouble.empty()) say(trouble);
  brain.apply(seq, item.entry.event, item.answer ? id : 0);
  for (const Listener& listener : listeners) listener(seq, item.entry.event);
}

/// Carries out what the batch led to. Replies are matched to the batch by their request's place in it.
void Controller::Inside::dispatch(std::vector<Pending>& batch) {
  commands = brain.take_commands(std::move(commands));
  for (Command& command : commands) execute(command, &batch);
}

void Controller::Inside::execute(Command& command, const std::vector<Pending>* batch) {
  struct Carry {
    Inside& in;
    const std::vector<Pending>* batch;

    void operator()(ReserveGang& c) const {
      in.ports.cloud->reserve(c, [this, &c](const WantedVm& vm) { return in.ports.engine->user_data(vm, c.pool); });
    }
    void operator()(ReleaseVm& c) const {
      const auto vm = in.brain.state().vms.find(c.vm);
      if (vm != in.brain.state().vms.end() && is_occupied(vm->second)) {
        in.say(fmt::format("node {} is given back all the same: {}", vm->second.name, vm->second.release_reason));
      }
      in.ports.engine->detach(c.vm);
      in.ports.cloud->release(c.vm);
    }
    void operator()(StartJob& c) const {
      Result<LaunchPayload> payload = in.ports.journal->payload(c.job.submitted_at_seq);
      if (payload) {
        in.ports.engine->start(c, *std::move(payload));
      } else {
        in.inbox.put(
            FactItem{JobLaunchFailed{c.job.id, c.job.incarnation, "its script is lost: " + payload.error().message}});
      }
    }
    void operator()(SignalJob& c) const { in.ports.engine->signal(c); }
    void operator()(EndJob& c) const { in.ports.engine->end(c); }
    void operator()(ForgetJob& c) const { in.ports.engine->forget(c); }
    void operator()(ArchiveJob& c) const { in.jobs_to_archive.push_back(std::move(c.job)); }
    void operator()(ArchiveVm& c) const { in.vms_to_archive.push_back(std::move(c.vm)); }
    void operator()(WarnOfBudget& c) const { in.say("budget: " + c.text); }
    void operator()(SendMail& c) const {
      if (in.ports.mail) in.ports.mail(c);
    }
    void operator()(Reply& c) const {
      if (batch != nullptr && c.request >= 1 && c.request <= batch->size())
        (*batch)[c.request - 1].answer(std::move(c.result), in.brain);
    }
  };
  const bool stays_here = std::holds_alternative<Reply>(command) || std::holds_alternative<ArchiveJob>(command) ||
                          std::holds_alternative<ArchiveVm>(command) || std::holds_alternative<WarnOfBudget>(command) ||
                          std::holds_alternative<SendMail>(command);
  if (!stays_here && !may_act(true)) return;  // the next leader gives it again
  pass(CrashPoint::command);
  // The engine starts to look for the agent of a VM as soon as the cloud has granted it: see step().
  std::visit(Carry{*this, batch}, command);
  pass(CrashPoint::commanded);
}

void Controller::Inside::step(std::vector<InboxItem> items) {
  if (!may_act(false)) return;
  const Time now = ports.clock->now();
  std::vector<Pending> batch;
  std::vector<ReaderItem> readers;
  for (FactItem& fact : waiting_facts) batch.push_back({{{now, std::move(fact.body)}, std::nullopt}, {}});
  waiting_facts.clear();
  for (InboxItem& item : items) {
    if (auto* fact = std::get_if<FactItem>(&item)) {
      batch.push_back({{{now, std::move(fact->body)}, std::nullopt}, {}});
    } else if (auto* request = std::get_if<RequestItem>(&item)) {
      if (std::optional<Error> refused = brain.check(request->body)) {
        request->answer(unexpected(*std::move(refused)), brain);
      } else {
        batch.push_back({{{now, std::move(request->body)}, std::move(request->payload)}, std::move(request->answer)});
      }
    } else {
      readers.push_back(std::move(std::get<ReaderItem>(item)));
    }
  }
  if (brain.next_deadline() <= now) batch.push_back({{{now, TimerFired{}}, std::nullopt}, {}});

  if (!batch.empty()) {
    // VMs that this batch grants: the engine looks for their agents once the grant is durable.
    std::vector<VmId> granted;
    for (const Pending& item : batch) {
      const auto* grant = std::get_if<GangGranted>(&item.entry.event.body);
      if (grant == nullptr) continue;
      auto gang = brain.state().gangs.find(grant->gang);
      if (gang != brain.state().gangs.end())
        granted.insert(granted.end(), gang->second.vms.begin(), gang->second.vms.end());
    }
    if (commit(batch)) {
      for (VmId id : granted) {
        const auto vm = brain.state().vms.find(id);
        if (vm != brain.state().vms.end()) ports.engine->attach(id, vm->second.pool);
      }
      dispatch(batch);
    } else if (is_lost()) {
      return;  // whether the batch is in the journal is for the next leader to know
    } else {
      for (Pending& item : batch) {
        if (item.answer) {
          item.answer(fail(Code::exhausted, "the journal cannot be written (disk full?): nothing was accepted", true),
                      brain);
        } else if (!std::holds_alternative<TimerFired>(item.entry.event.body)) {
          waiting_facts.push_back({std::move(item.entry.event.body)});
        }
      }
    }
  } else {
    flush_archive();
  }
  for (ReaderItem& reader : readers) reader.read(*ports.journal, brain);
  if (events_since_snapshot >= std::max<std::uint64_t>(events_per_snapshot, brain.state().jobs.size() / 2)) {
    if (save_snapshot()) compact();
  }
}

/// Nobody takes from the inbox any more. Facts need no answer: the next controller asks the ports what is there.
void Controller::Inside::serve_what_waits() {
  for (InboxItem& item : inbox.close()) {
    if (auto* request = std::get_if<RequestItem>(&item)) {
      request->answer(fail(Code::unavailable, "the controller is going away: nothing was accepted", true), brain);
    } else if (auto* reader = std::get_if<ReaderItem>(&item)) {
      reader->read(*ports.journal, brain);
    }
  }
}

bool Controller::Inside::save_snapshot() {
  events_since_snapshot = 0;
  if (!flush_archive()) return false;  // compaction must not drop what the accounts do not have yet
  Snapshot snapshot{.seq = brain.state().seq, .digest = 0, .state = brain.save()};
  snapshot.digest = brain.digest();
  Status saved = ports.journal->save_snapshot(snapshot);
  if (!saved) say("snapshot: " + saved.error().message);
  return saved.has_value();
}

void Controller::Inside::compact() {
  if (Status done = ports.journal->compact(); !done) say("compaction: " + done.error().message);
}

/// The events stay as long as they are few: what ran can be reproduced after its controller is gone.
void Controller::Inside::leave_snapshot() {
  if (!save_snapshot()) return;
  const Result<JournalInfo> kept = ports.journal->info();
  if (!kept || kept->last.value - kept->first.value >= events_per_snapshot) compact();
}

bool Controller::Inside::is_down() const {
  const State& state = brain.state();
  return state.shutting_down && state.vms.empty() && state.gangs.empty() && state.index.living.empty();
}

Time Controller::Inside::due() const {
  const bool something_to_write = !waiting_facts.empty() || !jobs_to_archive.empty() || !vms_to_archive.empty();
  const Time wanted = something_to_write ? Time{} : brain.next_deadline();
  return journal_failing ? std::max(wanted, journal_retry_at) : wanted;
}

Duration Controller::Inside::time_to_wait() const {
  const Time next = due();
  if (next.is_never()) return Duration::infinite();
  return std::max(Duration{}, next - ports.clock->now());
}

// The loop and its doors ---------------------------------------------------------------------------------------------

Ended Controller::run() {
  Inside& in = *inside_;
  while (!in.inbox.stopped() && !in.is_down() && !in.is_lost()) in.step(in.inbox.take(in.time_to_wait()));
  if (in.is_lost()) return Ended::lost;
  in.serve_what_waits();
  in.leave_snapshot();
  if (in.is_lost()) return Ended::lost;
  return in.is_down() ? Ended::down : Ended::stopped;
}

bool Controller::step_now() {
  Inside& in = *inside_;
  std::vector<InboxItem> items = in.inbox.take({});
  if (items.empty() && in.due() > in.ports.clock->now()) return false;
  in.step(std::move(items));
  return true;
}

Time Controller::next_deadline() const { return inside_->due(); }

bool Controller::is_down() const { return inside_->is_down(); }

const Brain& Controller::brain() const { return inside_->brain; }

void Controller::stop() { inside_->inbox.stop(); }

void Controller::post(EventBody fact) { inside_->inbox.put(FactItem{std::move(fact)}); }

void Controller::request(EventBody body, std::optional<LaunchPayload> payload, Answer answer) {
  Answer turned_away = answer;
  if (!inside_->inbox.put(RequestItem{std::move(body), std::move(payload), std::move(answer)})) {
    turned_away(inside_->inbox.stopped()
                    ? fail(Code::unavailable, "the controller is going away: nothing was accepted", true)
                    : fail(Code::exhausted, "too many requests wait already", true),
                inside_->brain);
  }
}

void Controller::view(std::function<void(const Brain&)> reader) {
  inside_->inbox.put(ReaderItem{[reader = std::move(reader)](Journal&, const Brain& brain) { reader(brain); }});
}

void Controller::with_journal(std::function<void(Journal&, const Brain&)> reader) {
  inside_->inbox.put(ReaderItem{std::move(reader)});
}

void Controller::listen(Listener listener) { inside_->listeners.push_back(std::move(listener)); }

void Controller::on_crash_point(std::function<void(CrashPoint)> hook) { inside_->crash_hook = std::move(hook); }

void Controller::log_to(std::function<void(const std::string&)> log) { inside_->say = std::move(log); }

void Controller::snapshot_every(std::uint64_t events) { inside_->events_per_snapshot = events; }

}  // namespace virga
