// The loop: requests and facts → journal → brain → commands → ports.
//
//   Controller controller({...});
//   controller.recover();                          // replay, ask the ports what is there, reconcile
//   controller.run();                              // until stop(), on the calling thread
//
// Where several controllers share a journal (ports/leadership.hpp), one leads and the others follow:
//
//   if (controller.follow({&journal, …}, leadership, hot) == Followed::leads) {   // applies what the leader appends
//     controller.lead(ports, config);              // the ports asked, reconciled
//     ended = controller.run();                    // Ended::lost: nothing more may be told or done by this process
//   }
//
//   controller.request(JobSubmitted{...}, payload, [](Result<std::uint64_t> id, const Brain&) { … });   // from any
//   thread controller.view([](const Brain& brain) { … });                                        // from any thread
//
// Who has a clock of his own (a simulator, a test) drives the same loop step by step instead of calling run():
//
//   while (controller.next_deadline() <= clock.now() || something_was_posted) controller.step_now();
//
// Facts and requests of one batch get one time, in order of arrival; a deadline of the brain that is over by then is
// their last event, TimerFired.
//
// Group commit: everything that has queued up while one batch was made durable becomes the next batch. No command is
// carried out and no request is answered before its event is on stable storage. If the journal cannot be written,
// requests are refused (Code::exhausted) and facts wait; nothing is applied that is not durable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "brain/brain.hpp"
#include "control/crash_point.hpp"
#include "ports/clock.hpp"
#include "ports/cloud.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"
#include "ports/journal.hpp"
#include "ports/leadership.hpp"

namespace virga {

/// Why run() returned.
enum class Ended {
  stopped,  ///< by stop()
  down,     ///< a shutdown that was asked for has released every VM
  lost,     ///< another controller leads, or may lead at any moment
};

/// Why follow() returned.
enum class Followed {
  leads,    ///< this controller leads: lead() comes next
  stopped,  ///< by stop()
  down,     ///< the leader was asked to shut down, and has
};

/// What recover() tells of a VM that the cloud does not list any more.
inline constexpr const char* k_gone_when_back = "gone when the controller came back";

class Controller : public EventSink {
 public:
  /// The ports outlive the controller's run(); the caller owns them.
  struct Ports {
    Journal* journal = nullptr;
    Cloud* cloud = nullptr;
    Engine* engine = nullptr;
    Clock* clock = nullptr;
    std::function<void(const SendMail&)> mail = {};  ///< must not block; none: no mail is sent
  };
  /// The brain is as it is after the request.
  using Answer = std::function<void(Result<std::uint64_t>, const Brain&)>;
  /// Called on the control thread for every durable event, in order; must not block.
  using Listener = std::function<void(Seq, const Event&)>;

  Controller();
  ~Controller() override;

  /// Replays the journal and brings brain and world together. Must come before run().
  Status recover(Ports ports, const Config& config);
  /// Instead of recover(): goes on where the journal ends as if this controller had written it, without an event of its
  /// own. Commands whose answers are missing are given again. For whoever plays a recorded run from its middle.
  Status resume(Ports ports);
  Ended run();
  void stop();

  /// Replays the journal and goes on applying what is appended to it, as a hot standby: readers are served, requests
  /// refused, commands not carried out. `hot` is called once all of it is known and somebody leads. Of the ports only
  /// journal and clock are used. Fails if the journal cannot be read, or has dropped events that were not read yet:
  /// then the process has to start afresh.
  Result<Followed> follow(Ports ports, Leadership& leadership, const std::function<void()>& hot);
  /// The same step by step, for who has a clock of his own: one turn, on the calling thread, that never waits. Nothing
  /// as long as this controller is to go on following.
  Status begin_following(Ports ports, Leadership& leadership);
  Result<std::optional<Followed>> follow_now();
  /// What recover() does after its replay, when follow() has said that this controller leads.
  Status lead(Ports ports, const Config& config);

  /// One turn of run()'s loop that never waits: handles what is in the inbox and the timers that are due, on the
  /// calling thread. Whether there was anything to do. Not to be mixed with run().
  bool step_now();
  /// When step_now() has something to do though nothing is posted; Time::never() if only a post can change that.
  Time next_deadline() const;
  /// Whether a shutdown that was asked for has released every VM: run() would return.
  bool is_down() const;
  /// For whoever calls step_now(), between two steps.
  const Brain& brain() const;

  /// A fact from a port. Never refused, never lost while this process lives.
  void post(EventBody fact) override;
  /// A request from outside; `answer` is called once, on the control thread. What still waits when run() ends is
  /// refused, and what comes later is refused at once, on the caller's thread.
  void request(EventBody body, std::optional<LaunchPayload> payload, Answer answer);
  /// Reads the state between two batches, on the control thread. Readers that wait when run() ends are served before it
  /// returns; later ones never are.
  void view(std::function<void(const Brain&)> reader);
  /// Reads journal and accounts, on the control thread.
  void with_journal(std::function<void(Journal&, const Brain&)> reader);
  void listen(Listener listener);

  /// Called at every crash point, beside what the environment asks for. One that throws unwinds step_now() or
  /// recover(): the controller then is as good as killed, and all that may be done with it is to destroy it.
  void on_crash_point(std::function<void(CrashPoint)> hook);
  /// Where the controller's own messages go, one line each without its end; standard error by default.
  void log_to(std::function<void(const std::string&)> log);
  /// A snapshot is taken after so many events, or half as many as the state has jobs, whichever is more: its cost per
  /// event stays constant however long the queue is, and so does the part of a restart that replays events. The events
  /// before it are dropped. One more snapshot is taken when run() ends; before that one, so many events are kept.
  void snapshot_every(std::uint64_t events);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace virga
