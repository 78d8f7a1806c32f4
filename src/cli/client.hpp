// The HTTP client of all commands: blocking, one kept-alive connection to virgad.
//
//   Result<Client> client = Client::from_environment();          // the instance's socket, or $VIRGA_API with a token
//   Result<JobsBody> jobs = client->get_as<JobsBody>("/v1/jobs?state=RUNNING");
//   Result<SubmittedBody> id = client->post_as<SubmittedBody>("/v1/jobs", body, Client::Retry::safe);
//   client->events(0, [](const StreamedEvent& e) { …; return true; });   // until false
//
// Errors of the API come back as they were raised (problem documents). Code::unavailable means that no daemon answers;
// its message names the address and what to do. Where several controllers share a journal, the one that leads is found:
// the addresses are tried in turn, and who follows names it; a takeover is waited for, 10 s at most. While a controller
// restarts, requests that may be repeated (GETs, and POSTs that say so) are tried again for `patience`; there is no
// other time-out, so long polls just wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/event_json.hpp"
#include "wire/home.hpp"
#include "wire/json_codec.hpp"

namespace virga {

class Client {
 public:
  /// May a request be sent twice when the connection breaks before its answer came?
  enum class Retry { never, safe };

  /// How long the one that follows a dead leader is waited for.
  static constexpr Duration k_patience_takeover = Duration::seconds(10);

  /// $VIRGA_API=http://host:port[,http://…] with $VIRGA_TOKEN or the file $VIRGA_TOKEN_FILE; else the sockets in the
  /// folder of home_from_environment().
  static Result<Client> from_environment();
  static Client on_socket(std::string path);
  static Client on_tcp(std::string host, std::string port, std::string token);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// How long a daemon that was there is waited for. A missing socket (`virga down`) is told at once, unless an answer
  /// came on this client before.
  void set_patience(Duration patience);
  /// For messages: the socket's path or the URL, of the controller that was asked last.
  const std::string& address() const;

  Result<std::string> get(std::string_view target);
  Result<std::string> post(std::string_view target, std::string_view body, Retry retry = Retry::never);

  template <class T>
  Result<T> get_as(std::string_view target) {
    return read_as<T>(get(target));
  }
  template <class T, class Body>
  Result<T> post_as(std::string_view target, const Body& body, Retry retry = Retry::never) {
    return read_as<T>(post(target, to_json_text(body), retry));
  }

  /// Every event after `since`, until `each` returns false. A broken stream is resumed without gap or repetition for
  /// `patience`; Code::conflict with "compacted" in its message when events after `since` are no longer kept.
  Status events(Seq since, const std::function<bool(const StreamedEvent&)>& each);

 private:
  class Inside;
  explicit Client(std::unique_ptr<Inside> inside);

  template <class T>
  static Result<T> read_as(Result<std::string> text) {
    if (!text) return unexpected(text.error());
    Result<T> value = from_json_text<T>(*text);
    if (!value) return fail(Code::internal, "virgad's answer is not understood: " + value.error().message);
    return value;
  }

  std::unique_ptr<Inside> inside_;
};

/// What `text`, a text/event-stream that arrives in pieces, says so far.
class EventStreamParser {
 public:
  struct Message {
    std::string id;
    std::string name;
    std::string data;
  };
  /// Takes the next bytes; returns the messages that they complete. Comments (heartbeats) are dropped.
  std::vector<Message> feed(std::string_view bytes);

 private:
  void take_line(std::string_view line, std::vector<Message>& out);

  std::string rest_;
  Message message_;
};

}  // namespace virga
