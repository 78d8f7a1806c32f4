#include "http/router.hpp"

#include "wire/encodings.hpp"

namespace virga {
namespace {

bool knows_query(const Route& route, const std::string& name) {
  for (const QueryParameter& q : route.query) {
    if (q.name == name) return true;
  }
  return name == "dry_run" && route.method == "POST";
}

Error unknown_query(const Route& route, const std::string& name) {
  std::string known;
  for (const QueryParameter& q : route.query) known.append(known.empty() ? "" : ", ").append(q.name);
  return {Code::invalid, "unknown query parameter '" + name + "'; " +
                             (known.empty() ? "this route takes none" : "this route takes: " + known)};
}

/// Fills the path's parameters and the query.
Status decode(Request& request, const RouteMatch& match, std::string_view query) {
  for (std::string_view parameter : match.parameters) {
    std::optional<std::string> decoded = percent_decoded(parameter, false);
    if (!decoded) return fail(Code::invalid, "the path is not percent-encoded");
    request.parameters.push_back(*std::move(decoded));
  }
  auto parsed = parse_query(query);
  if (!parsed) return unexpected(parsed.error());
  for (const auto& [name, value] : *parsed) {
    if (!knows_query(*match.route, name)) return unexpected(unknown_query(*match.route, name));
  }
  request.query = *std::move(parsed);
  return {};
}

}  // namespace

void Router::handle(RawRequest raw, Responder responder) {
  Request request;
  if (raw.peer) {
    request.actor = *std::move(raw.peer);
  } else {
    std::optional<std::string> user = tokens_ ? tokens_->user_of(raw.authorization) : std::nullopt;
    if (!user) {
      HttpReply reply = error_reply(
          {Code::denied, "a token is needed: send the header `Authorization: Bearer TOKEN` (VIRGA_TOKEN)"}, 401);
      reply.headers = "WWW-Authenticate: Bearer\r\n";
      return responder.send(std::move(reply));
    }
    Result<Actor> actor = identities_.actor_of_name(*user);
    if (!actor) return responder.error(actor.error());
    request.actor = *std::move(actor);
  }
  std::string_view target = raw.target;
  std::size_t question = std::min(target.find('?'), target.size());
  RouteMatch match = match_route(raw.method, target.substr(0, question));
  if (match.route == nullptr && match.allowed.empty()) {
    return responder.error(
        {Code::not_found, "there is no " + raw.target.substr(0, 200) + "; GET /v1/openapi.json describes all routes"});
  }
  if (match.route == nullptr) {
    HttpReply reply = error_reply({Code::invalid, "this path takes " + match.allowed + ", not " + raw.method}, 405);
    reply.headers = "Allow: " + match.allowed + "\r\n";
    return responder.send(std::move(reply));
  }
  request.route = match.route;
  target.remove_prefix(std::min(question + 1, target.size()));
  if (Status decoded = decode(request, match, target); !decoded) return responder.error(decoded.error());
  request.body = std::move(raw.body);
  request.last_event_id = std::move(raw.last_event_id);
  request.wants_leader = raw.wants_leader;
  handler_(std::move(request), std::move(responder));
}

}  // namespace virga
