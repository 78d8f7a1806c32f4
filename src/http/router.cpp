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

/// slurmrestd's own answer to what is none of its paths.
HttpReply slurm_refusal(const SlurmRestMatch& match) {
  if (match.known_path) {
    return {405,
            "text/plain",
            "Requested REST method is not defined at URL. Please view /openapi/v3 for API reference.",
            {}};
  }
  return {404, "text/plain", "Unable find requested URL. Please view /openapi/v3 for API reference.", {}};
}

/// Fills in what was asked of Slurm's interface; the answer to send if there is no such thing.
std::optional<HttpReply> decode_slurm(Request& request, std::string_view method, std::string_view path,
                                      std::string_view query) {
  const SlurmRestMatch match = match_slurm_rest(method, path);
  if (match.route == nullptr) return slurm_refusal(match);
  request.slurm = {match.route, match.codec};
  for (std::string_view parameter : match.parameters) {
    std::optional<std::string> decoded = percent_decoded(parameter, false);
    if (!decoded) return slurm_refusal({});
    request.parameters.push_back(*std::move(decoded));
  }
  auto parsed = parse_query(query);
  if (!parsed) return HttpReply{400, "text/plain", "Unable to parse query.", {}};
  request.query = *std::move(parsed);
  return std::nullopt;
}

}  // namespace

Result<Actor> Router::actor_of(RawRequest& raw) {
  if (raw.peer) return *std::move(raw.peer);
  const std::string bearer = raw.slurm_token.empty() ? raw.authorization : "Bearer " + raw.slurm_token;
  std::optional<std::string> user = tokens_ ? tokens_->user_of(bearer) : std::nullopt;
  if (!user) {
    return fail(Code::denied, "a token is needed: send the header `Authorization: Bearer TOKEN` (VIRGA_TOKEN)");
  }
  Result<Actor> actor = identities_.actor_of_name(*user);
  if (!actor || raw.slurm_user.empty() || raw.slurm_user == *user) return actor;
  // As slurmrestd: SlurmUser and root may act for everybody.
  if (!actor->is_operator) return fail(Code::denied, "Authentication failure: the token is not that of the user");
  return identities_.actor_of_name(raw.slurm_user);
}

void Router::handle(RawRequest raw, Responder responder) {
  Request request;
  Result<Actor> actor = actor_of(raw);
  if (!actor && actor.error().code == Code::denied) {
    HttpReply reply = error_reply(actor.error(), 401);
    reply.headers = "WWW-Authenticate: Bearer\r\n";
    return responder.send(std::move(reply));
  }
  if (!actor) return responder.error(actor.error());
  request.actor = *std::move(actor);
  std::string_view target = raw.target;
  std::size_t question = std::min(target.find('?'), target.size());
  request.wants_leader = raw.wants_leader;
  if (is_slurm_rest(target)) {
    const std::string_view query = target.substr(std::min(question + 1, target.size()));
    std::optional<HttpReply> refused = decode_slurm(request, raw.method, target.substr(0, question), query);
    if (refused) return responder.send(*std::move(refused));
    request.body = std::move(raw.body);
    return handler_(std::move(request), std::move(responder));
  }
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
  handler_(std::move(request), std::move(responder));
}

}  // namespace virga
