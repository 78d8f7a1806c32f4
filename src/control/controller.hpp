// The loop: requests and facts → journal → brain → commands → ports.
//
//   Controller controller({...});
//   controller.recover();                          // replay, ask the ports what is there, reconcile
//   controller.run();                              // until stop(), on the calling thread
//
//   controller.request(JobSubmitted{...}, payload, [](Result<std::uint64_t> id) { … });   // from any thread
//   controller.view([](const Brain& brain) { … });                                        // from any thread
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
#include "ports/clock.hpp"
#include "ports/cloud.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"
#include "ports/journal.hpp"

namespace virga {

class Controller : public EventSink {
 public:
  /// The ports outlive the controller's run(); the caller owns them.
  struct Ports {
    Journal* journal = nullptr;
    Cloud* cloud = nullptr;
    Engine* engine = nullptr;
    Clock* clock = nullptr;
  };
  using Answer = std::function<void(Result<std::uint64_t>)>;
  /// Called on the control thread for every durable event, in order; must not block.
  using Listener = std::function<void(Seq, const Event&)>;

  Controller();
  ~Controller() override;

  /// Replays the journal and brings brain and world together. Must come before run().
  Status recover(Ports ports, const Config& config);
  /// Returns after stop(), or once a shutdown that was asked for has released every VM.
  void run();
  void stop();

  /// A fact from a port. Never refused, never lost while this process lives.
  void post(EventBody fact) override;
  /// A request from outside; `answer` is called once, on the control thread.
  void request(EventBody body, std::optional<LaunchPayload> payload, Answer answer);
  /// Reads the state between two batches, on the control thread.
  void view(std::function<void(const Brain&)> reader);
  /// Reads journal and accounts, on the control thread.
  void with_journal(std::function<void(Journal&, const Brain&)> reader);
  void listen(Listener listener);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace virga
