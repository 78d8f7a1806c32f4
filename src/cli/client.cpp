#include "cli/client.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include "cli/connection.hpp"
#include "wire/error_codes.hpp"

namespace virga {
namespace {

/// A daemon that answered before is taken to be restarting; a socket that refuses may be one that just crashed.
constexpr Duration k_patience_known = Duration::seconds(30);
constexpr Duration k_patience_unknown = Duration::seconds(3);
constexpr Duration k_patience_absent = Duration::seconds(5);
constexpr Duration k_pause_first = Duration::milliseconds(5);
constexpr Duration k_pause_max = Duration::milliseconds(250);

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Time steady_now() {
  return Time{std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

/// "http://host:port", the host also as [::1].
Result<Address> address_of_url(const std::string& url) {
  auto wrong = [&] {
    return fail(Code::invalid, "VIRGA_API is '" + url + "', which must be of the form http://host:port");
  };
  constexpr std::string_view k_scheme = "http://";
  if (!url.starts_with(k_scheme)) return wrong();
  std::string rest = url.substr(k_scheme.size());
  if (rest.ends_with('/')) rest.pop_back();
  std::size_t colon = rest.rfind(':');
  if (colon == rest.npos || colon == 0 || colon + 1 == rest.size()) return wrong();
  Address address;
  address.host = rest.substr(0, colon);
  address.port = rest.substr(colon + 1);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  if (address.port.find_first_not_of("0123456789") != address.port.npos) return wrong();
  if (address.host.find_first_of("/ ") != address.host.npos) return wrong();
  return address;
}

Result<std::string> token_from_environment() {
  if (std::string token = environment("VIRGA_TOKEN"); !token.empty()) return token;
  std::string path = environment("VIRGA_TOKEN_FILE");
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::string token;
  if (!(file >> token)) return fail(Code::invalid, "VIRGA_TOKEN_FILE names " + path + ", in which there is no token");
  return token;
}

}  // namespace

class Client::Inside {
 public:
  explicit Inside(Address address) : connection(std::move(address)), address(connection.address().text()) {}

  /// Asks until an answer comes, or repeating is unsafe or too late.
  Connection::Reply persist(bool safe, const std::function<Connection::Reply()>& ask) {
    failing_since.reset();
    Duration pause = k_pause_first;
    for (;;) {
      Connection::Reply reply = ask();
      if (reply) {
        answered = true;
        return reply;
      }
      if (!failing_since) {
        failing_since = steady_now();
        pause = k_pause_first;
      }
      const Connection::Failure& failure = reply.error();
      Duration limit = patience.value_or(answered ? k_patience_known : k_patience_unknown);
      if (failure.sent && !safe) {
        reply.error().error.retryable = false;
        reply.error().error.message += "; whether the request was carried out is not known";
        return reply;
      }
      if (failure.error.code != Code::unavailable || (failure.absent && !answered)) return reply;
      // A daemon that went in an orderly way takes its socket with it: it is restarted now, or it stays away.
      if (failure.absent) limit = std::min(limit, k_patience_absent);
      if (steady_now() - *failing_since >= limit) return reply;
      std::this_thread::sleep_for(std::chrono::nanoseconds(pause.ns));
      pause = std::min(pause * 2, k_pause_max);
    }
  }

  Result<std::string> request(std::string_view method, std::string_view target, std::string_view body, bool safe) {
    Connection::Reply reply = persist(safe, [&] { return connection.exchange(method, target, body); });
    if (!reply) return unexpected(reply.error().error);
    if (reply->status >= 400) return unexpected(error_from_problem(reply->status, reply->body));
    return std::move(reply->body);
  }

  Connection connection;
  std::string address;
  std::optional<Duration> patience;
  bool answered = false;
  std::optional<Time> failing_since;  ///< of the current run of failures
};

Client::Client(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Client Client::on_socket(std::string path) {
  Address address;
  address.socket_path = std::move(path);
  return Client(std::make_unique<Inside>(std::move(address)));
}

Client Client::on_tcp(std::string host, std::string port, std::string token) {
  Address address;
  address.host = std::move(host);
  address.port = std::move(port);
  address.token = std::move(token);
  return Client(std::make_unique<Inside>(std::move(address)));
}

Result<Client> Client::from_environment() {
  if (std::string url = environment("VIRGA_API"); !url.empty()) {
    Result<Address> address = address_of_url(url);
    if (!address) return unexpected(address.error());
    Result<std::string> token = token_from_environment();
    if (!token) return unexpected(token.error());
    return on_tcp(address->host, address->port, *token);
  }
  Result<Home> home = home_from_environment();
  if (!home) return unexpected(home.error());
  return on_socket(home->api_socket());
}

void Client::set_patience(Duration patience) { inside_->patience = patience; }
const std::string& Client::address() const { return inside_->address; }

Result<std::string> Client::get(std::string_view target) { return inside_->request("GET", target, "", true); }

Result<std::string> Client::post(std::string_view target, std::string_view body, Retry retry) {
  return inside_->request("POST", target, body, retry == Retry::safe);
}

Status Client::events(Seq since, const std::function<bool(const StreamedEvent&)>& each) {
  std::optional<Error> bad;
  bool wanted = true;
  for (;;) {
    EventStreamParser parser;
    auto take = [&](std::string_view bytes) {
      inside_->answered = true;
      inside_->failing_since.reset();
      for (const EventStreamParser::Message& message : parser.feed(bytes)) {
        if (message.name == "budget_warning") continue;  // no event, and not numbered
        Result<StreamedEvent> event = event_from_json(message.data);
        if (!event) {
          bad = Error{Code::internal, "virgad's event is not understood: " + event.error().message};
          return false;
        }
        since = event->seq;
        wanted = each(*event);
        if (!wanted) return false;
      }
      return true;
    };
    Connection::Reply reply = inside_->persist(true, [&] {
      parser = EventStreamParser();  // half a message of a broken stream comes again
      return inside_->connection.stream("/v1/events?since=" + std::to_string(since.value), take);
    });
    if (bad) return unexpected(*bad);
    if (!wanted) return {};
    if (!reply) return unexpected(reply.error().error);
    if (reply->status >= 400) return unexpected(error_from_problem(reply->status, reply->body));
    // The stream ended in an orderly way (shutdown, or we were too slow): resume where it stopped.
    std::this_thread::sleep_for(std::chrono::nanoseconds(k_pause_first.ns));
  }
}

void EventStreamParser::take_line(std::string_view line, std::vector<Message>& out) {
  if (line.empty()) {
    if (!message_.data.empty()) out.push_back(message_);
    message_ = Message{};
    return;
  }
  std::size_t colon = line.find(':');
  if (colon == 0) return;  // a comment
  std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") message_.id = value;
  if (field == "event") message_.name = value;
  if (field == "data") {
    if (!message_.data.empty()) message_.data += '\n';
    message_.data += value;
  }
}

std::vector<EventStreamParser::Message> EventStreamParser::feed(std::string_view bytes) {
  std::vector<Message> out;
  rest_ += bytes;
  std::size_t begin = 0;
  for (std::size_t end = rest_.find('\n'); end != rest_.npos; end = rest_.find('\n', begin)) {
    std::string_view line(rest_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    take_line(line, out);
    begin = end + 1;
  }
  rest_.erase(0, begin);
  return out;
}

}  // namespace virga
