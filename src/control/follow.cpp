// Following a leader, and no longer being one (controller.hpp).
#include <chrono>
#include <thread>
#include <utility>

#include "control/controller_inside.hpp"

namespace virga {

namespace {

/// The leader writes an account with the batch after the one that ended the job; no batch is nearly so long.
constexpr std::uint64_t k_accounts_kept_for_events = 50'000;
constexpr Duration k_wait = Duration::seconds(1);
constexpr Duration k_wait_when_failing = Duration::milliseconds(200);
constexpr auto k_lapse_look = std::chrono::milliseconds(5);

}  // namespace

/// False once the lead is lost. While it only lapsed, since the store does not answer, nothing is done, and this waits:
/// either the store answers that nobody else led, or the lead is lost.
bool Controller::Inside::may_act(bool asks_the_store) {
  if (leadership == nullptr) return true;
  while (!leadership->is_lost()) {
    if (asks_the_store ? leadership->confirm() : leadership->leads()) return true;
    std::this_thread::sleep_for(k_lapse_look);
  }
  return false;
}

/// Applies what was appended since. Code::conflict if some of it is no longer kept.
Status Controller::Inside::catch_up() {
  const Seq last = leadership->view().last;
  Seq next{brain.state().seq.value + 1};
  bool gap = false;
  Status read = ports.journal->read(brain.state().seq, [&](Seq seq, const Event& event) {
    gap = seq != next;
    if (gap) return false;
    brain.apply(seq, event);
    for (const Listener& listener : listeners) listener(seq, event);
    keep_accounts(seq);
    shutdown_seen = shutdown_seen || std::holds_alternative<ShutdownRequested>(event.body);
    next.value = seq.value + 1;
    return true;
  });
  if (!read) return read;
  if (gap || next.value <= last.value) {
    return fail(Code::conflict,
                "events after " + std::to_string(next.value - 1) + " were dropped before they were read");
  }
  leadership->report(brain.state().seq);
  return {};
}

/// Nobody carries out what the events led to, but for the accounts of the last of them, should this one take over.
void Controller::Inside::keep_accounts(Seq seq) {
  commands = brain.take_commands(std::move(commands));
  for (Command& command : commands) {
    if (auto* job = std::get_if<ArchiveJob>(&command)) late_accounts.push_back({seq, std::move(job->job)});
    if (auto* vm = std::get_if<ArchiveVm>(&command)) late_accounts.push_back({seq, std::move(vm->vm)});
  }
  while (!late_accounts.empty() && late_accounts.front().seq.value + k_accounts_kept_for_events < seq.value) {
    late_accounts.pop_front();
  }
}

void Controller::Inside::serve_following(Duration wait) {
  for (InboxItem& item : inbox.take(wait)) {
    if (auto* reader = std::get_if<ReaderItem>(&item)) {
      reader->read(*ports.journal, brain);
    } else if (auto* request = std::get_if<RequestItem>(&item)) {
      request->answer(fail(Code::unavailable, "this controller follows another one: nothing was accepted", true),
                      brain);
    }
  }
}

/// What of it is over is known before anybody acts: the leader may have ended in an orderly way, and left the lead.
Result<std::optional<Followed>> Controller::Inside::follow_turn() {
  const bool leads = leadership->term() != 0;  // asked first: who leads knows that nobody else appends any more
  const Status caught = catch_up();
  if (!caught && !caught.error().retryable) return unexpected(caught.error());
  if (leadership->is_lost()) return fail(Code::conflict, "the lead was lost before it was taken up");
  if (!caught && !journal_failing) say("journal: " + caught.error().message);
  journal_failing = !caught;
  if (caught && shutdown_seen && is_down()) return Followed::down;
  if (caught && leads) return Followed::leads;
  return std::nullopt;
}

Status Controller::begin_following(Ports ports, Leadership& leadership) {
  Inside& in = *inside_;
  in.ports = std::move(ports);
  in.leadership = &leadership;
  leadership.on_news([&in] { in.inbox.wake(); });
  if (Status replayed = in.replay(); !replayed) return replayed;
  leadership.campaign();
  return {};
}

Result<std::optional<Followed>> Controller::follow_now() {
  Result<std::optional<Followed>> turned = inside_->follow_turn();
  if (turned && !*turned) inside_->serve_following({});
  return turned;
}

Result<Followed> Controller::follow(Ports ports, Leadership& leadership, const std::function<void()>& hot) {
  Inside& in = *inside_;
  if (Status begun = begin_following(std::move(ports), leadership); !begun) return unexpected(begun.error());
  for (bool is_hot = false; !in.inbox.stopped();) {
    Result<std::optional<Followed>> turned = in.follow_turn();
    if (!turned) return unexpected(turned.error());
    if (*turned) return **turned;
    if (!is_hot && !in.journal_failing && leadership.view().leader_is_alive) {
      is_hot = true;
      hot();
    }
    in.serve_following(in.journal_failing ? k_wait_when_failing : k_wait);
  }
  return Followed::stopped;
}

Status Controller::lead(Ports ports, const Config& config) {
  Inside& in = *inside_;
  in.ports = std::move(ports);
  for (Inside::Account& account : std::exchange(in.late_accounts, {})) {
    if (auto* job = std::get_if<Job>(&account.record)) in.jobs_to_archive.push_back(std::move(*job));
    if (auto* vm = std::get_if<VmRecord>(&account.record)) in.vms_to_archive.push_back(std::move(*vm));
  }
  in.ports.cloud->lead(in.leadership->term());
  in.ports.engine->lead(in.leadership->term());
  return in.recover_rest(config);
}

}  // namespace virga
