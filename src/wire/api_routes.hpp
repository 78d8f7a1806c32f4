// The API's routes, in one table: the server dispatches by it, and the OpenAPI document is made of it.
//
//   RouteMatch match = match_route("GET", "/v1/jobs/7");
//   if (match.route) switch (match.route->operation) …      // match.parameters == {"7"}
//
// To add a route: an Operation, a row in api_routes.cpp, a case in http/handlers.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace virga {

enum class Operation : std::uint8_t {
  ping,
  status,
  config,
  vms,
  jobs,
  job,
  submit,
  cancel,
  cancel_many,
  change_job,
  hold,
  release,
  requeue,
  requeue_hold,
  user_hold,
  suspend,
  resume,
  update_partition,
  signal,
  wait,
  explain,
  script,
  start_step,
  end_step,
  checkpoint,
  update_node,
  accounted_jobs,
  accounted_vms,
  cost,
  budgets,
  priorities,
  offers,
  market,
  reload,
  shutdown,
  events,
  journal,
  backup,
  openapi,
};

class SchemaBook;

struct QueryParameter {
  std::string_view name;
  std::string_view type;  ///< of JSON Schema
  std::string_view description;
};

struct Route {
  Operation operation;
  std::string_view method;
  std::string_view path;  ///< "/v1/jobs/{id}"
  std::string_view name;  ///< operationId
  std::string_view summary;
  std::string_view description;
  std::vector<QueryParameter> query;
  /// The reference to a body's schema, made from its visit(); null where there is no JSON body.
  std::string (*request)(SchemaBook&) = nullptr;
  std::string (*answer)(SchemaBook&) = nullptr;
  int status = 200;
  std::string_view content_type = "application/json";
};

std::span<const Route> api_routes();

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string_view> parameters;  ///< still percent-encoded, in the order of the path
  std::string allowed;                       ///< methods of that path; empty if there is no such path
};
/// Does `path` fit `pattern`, in which {name} stands for anything but a slash? `parameters` gets what stands there.
bool fits_path(std::string_view pattern, std::string_view path, std::vector<std::string_view>& parameters);
RouteMatch match_route(std::string_view method, std::string_view path);

}  // namespace virga
