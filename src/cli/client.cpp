#include "cli/client.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "cli/connection.hpp"
#include "wire/api_bodies.hpp"
#include "wire/error_codes.hpp"

namespace virga {
namespace {

/// A daemon that answered before is taken to be restarting; a socket that refuses may be one that just crashed.
constexpr Duration k_patience_known = Duration::seconds(30);
constexpr Duration k_patience_unknown = Duration::seconds(3);
constexpr Duration k_patience_absent = Duration::seconds(5);
constexpr Duration k_pause_first = Duration::milliseconds(5);
constexpr Duration k_pause_max = Duration::milliseconds(250);
constexpr Duration k_silent_wait = Duration::seconds(2);
constexpr int k_misdirected = 421;
constexpr int k_unavailable = 503;
/// One controller names the next; more often than this they contradict each other, as in a takeover.
constexpr int k_hops_max = 3;

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
  explicit Inside(std::vector<Address> addresses) {
    for (Address& each : addresses) add(std::move(each));
    address = connection().address().text();
  }

  Connection& connection() { return *connections_[current_]; }

  /// Asks until an answer comes, or repeating is unsafe or too late.
  Connection::Reply persist(bool safe, const std::function<Connection::Reply()>& ask) {
    failing_since.reset();
    pause_ = k_pause_first;
    std::size_t absent = 0;
    for (int hops = 0;;) {
      Connection::Reply reply = ask();
      // Also one that goes away (503) has done nothing, and another one may be there.
      const bool misdirected =
          reply && (reply->status == k_misdirected || (reply->status == k_unavailable && connections_.size() > 1));
      if (reply && !misdirected) {
        answered = true;
        return reply;
      }
      if (!failing_since) {
        failing_since = steady_now();
        pause_ = k_pause_first;
      }
      if (misdirected) {
        met_ = true;
        absent = 0;  // a follower that still names a leader who is gone will lead itself in a moment
        if (hops++ < k_hops_max && go_to_leader(reply->body)) continue;
        if (steady_now() - *failing_since >= patience.value_or(Client::k_patience_takeover)) return reply;
      } else {
        absent = reply.error().absent ? absent + 1 : 0;
        if (std::optional<Connection::Reply> final = give_up(std::move(reply), safe, absent)) return *std::move(final);
      }
      // The others are asked without a pause, each once.
      const bool asked_all = next();
      if (!asked_all) continue;
      hops = 0;
      tell_of_waiting();
      std::this_thread::sleep_for(std::chrono::nanoseconds(pause_.ns));
      pause_ = std::min(pause_ * 2, k_pause_max);
    }
  }

  Result<std::string> request(std::string_view method, std::string_view target, std::string_view body, bool safe) {
    Connection::Reply reply = persist(safe, [&] { return connection().exchange(method, target, body); });
    if (!reply) return unexpected(reply.error().error);
    if (reply->status >= 400) return unexpected(error_from_problem(reply->status, reply->body));
    return std::move(reply->body);
  }

  std::string address;
  std::optional<Duration> patience;
  bool answered = false;
  std::optional<Time> failing_since;  ///< of the current run of failures

 private:
  void add(Address address) {
    connections_.push_back(std::make_unique<Connection>(std::move(address)));
    connections_.back()->while_waiting([this] { return !another_leads(); });
  }

  /// Whether a controller says so that is not the one whose answer is waited for.
  bool another_leads() const {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (i == current_) continue;
      Connection probe(connections_[i]->address());
      probe.while_waiting([] { return false; });  // one that is frozen, too, does not count
      if (Connection::Reply reply = probe.exchange("GET", "/v1/ping", ""); reply && reply->status == 200) return true;
    }
    return false;
  }

  /// The failure as the caller shall see it, if it is the last one. `absent`: so many in a row were not there at all.
  std::optional<Connection::Reply> give_up(Connection::Reply reply, bool safe, std::size_t absent) const {
    Connection::Failure& failure = reply.error();
    const Duration unknown = met_ ? Client::k_patience_takeover : k_patience_unknown;
    Duration limit = patience.value_or(answered ? k_patience_known : unknown);
    if (failure.sent && !safe) {
      failure.error.retryable = false;
      failure.error.message += "; whether the request was carried out is not known";
      return reply;
    }
    if (failure.error.code != Code::unavailable) return reply;
    const bool all_absent = absent >= connections_.size();
    if (all_absent && !answered) return reply;
    // A daemon that went in an orderly way takes its socket with it: it is restarted now, or it stays away.
    if (all_absent) limit = std::min(limit, k_patience_absent);
    const bool later = connections_.size() > 1 && tried_ + 1 < connections_.size();
    if (!later && steady_now() - *failing_since >= limit) return reply;
    return std::nullopt;
  }

  /// The next address; true if all were tried since the last pause.
  bool next() {
    current_ = (current_ + 1) % connections_.size();
    address = connection().address().text();
    tried_ = (tried_ + 1) % connections_.size();
    return tried_ == 0;
  }

  /// To whom the problem document names as the leader; false if it names nobody whom this client can reach.
  bool go_to_leader(std::string_view body) {
    Result<ProblemBody> problem = from_json_text<ProblemBody>(body);
    if (!problem || !problem->leader) return false;
    const Address here = connection().address();
    Address leader;
    if (!here.socket_path.empty()) {
      leader.socket_path = problem->leader->socket;
    } else if (Result<Address> url = address_of_url(problem->leader->url)) {
      leader = *std::move(url);
      leader.token = here.token;
    } else {
      return false;
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i]->address().text() != leader.text()) continue;
      if (i == current_) return false;
      current_ = i;
      address = leader.text();
      return true;
    }
    add(std::move(leader));
    current_ = connections_.size() - 1;
    address = connection().address().text();
    return true;
  }

  void tell_of_waiting() {
    if (told_ || connections_.size() < 2 || steady_now() - *failing_since < k_silent_wait) return;
    told_ = true;
    std::fprintf(stderr, "virga: no controller leads at the moment; waiting for one\n");
  }

  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t current_ = 0;
  std::size_t tried_ = 0;  ///< in a row, modulo their number
  Duration pause_ = k_pause_first;
  bool told_ = false;
  bool met_ = false;  ///< a controller that could not answer itself
};

Client::Client(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Client Client::on_socket(std::string path) {
  Address address;
  address.socket_path = std::move(path);
  return Client(std::make_unique<Inside>(std::vector{std::move(address)}));
}

Client Client::on_tcp(std::string host, std::string port, std::string token) {
  Address address;
  address.host = std::move(host);
  address.port = std::move(port);
  address.token = std::move(token);
  return Client(std::make_unique<Inside>(std::vector{std::move(address)}));
}

Result<Client> Client::from_environment() {
  std::vector<Address> addresses;
  if (std::string urls = environment("VIRGA_API"); !urls.empty()) {
    Result<std::string> token = token_from_environment();
    if (!token) return unexpected(token.error());
    std::istringstream parts(urls);
    for (std::string url; std::getline(parts, url, ',');) {
      Result<Address> address = address_of_url(url);
      if (!address) return unexpected(address.error());
      address->token = *token;
      addresses.push_back(*std::move(address));
    }
  } else {
    Result<Home> home = home_from_environment();
    if (!home) return unexpected(home.error());
    for (std::string& socket : api_sockets(*home)) addresses.emplace_back().socket_path = std::move(socket);
  }
  return Client(std::make_unique<Inside>(std::move(addresses)));
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
      return inside_->connection().stream("/v1/events?since=" + std::to_string(since.value), take);
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
