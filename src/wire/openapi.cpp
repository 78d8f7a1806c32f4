#include "wire/openapi.hpp"

#include <map>
#include <vector>

#include "wire/api_bodies.hpp"
#include "wire/api_routes.hpp"
#include "wire/api_schema.hpp"
#include "wire/error_codes.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

void write_parameter(JsonWriter& w, std::string_view name, std::string_view in, std::string_view type,
                     std::string_view description) {
  w.begin_object();
  w("name", name);
  w("in", in);
  w("required", in == "path");
  if (!description.empty()) w("description", description);
  w.key("schema");
  w.begin_object();
  w("type", type);
  w.end_object();
  w.end_object();
}

void write_parameters(JsonWriter& w, const Route& route) {
  w.key("parameters");
  w.begin_array();
  for (std::size_t at = route.path.find('{'); at != route.path.npos; at = route.path.find('{', at + 1)) {
    std::string_view name = route.path.substr(at + 1, route.path.find('}', at) - at - 1);
    write_parameter(w, name, "path", name == "name" ? "string" : "integer", "");
  }
  for (const QueryParameter& q : route.query) write_parameter(w, q.name, "query", q.type, q.description);
  w.end_array();
}

void write_content(JsonWriter& w, std::string_view type, const std::string& schema) {
  w.key("content");
  w.begin_object();
  w.key(type);
  w.begin_object();
  w.key("schema");
  w.put_json(schema);
  w.end_object();
  w.end_object();
}

void write_operation(JsonWriter& w, const Route& route, SchemaBook& book) {
  w.key(route.method == "GET" ? "get" : "post");
  w.begin_object();
  w("operationId", route.name);
  w("summary", route.summary);
  if (!route.description.empty()) w("description", route.description);
  write_parameters(w, route);
  if (route.request != nullptr) {
    w.key("requestBody");
    w.begin_object();
    write_content(w, "application/json", route.request(book));
    w.end_object();
  }
  w.key("responses");
  w.begin_object();
  w.key(std::to_string(route.status));
  w.begin_object();
  w("description", http_reason(route.status));
  bool is_text = route.content_type != "application/json";
  std::string fallback = is_text ? R"({"type":"string"})" : R"({"type":"object"})";
  write_content(w, route.content_type, route.answer != nullptr ? route.answer(book) : fallback);
  w.end_object();
  w.key("default");
  w.begin_object();
  w("description", "a problem document (RFC 9457) with Virga's own `code` and `retryable`");
  write_content(w, "application/problem+json", book.schema<ProblemBody>());
  w.end_object();
  w.end_object();
  w.end_object();
}

void write_components(JsonWriter& w, const SchemaBook& book) {
  w.key("components");
  w.begin_object();
  w.key("securitySchemes");
  w.put_json(R"({"token":{"type":"http","scheme":"bearer"}})");
  w.key("schemas");
  w.begin_object();
  for (const auto& [name, schema] : book.schemas()) {
    w.key(name);
    w.put_json(schema);
  }
  w.end_object();
  w.end_object();
}

}  // namespace

std::string openapi_text(std::string_view version) {
  std::map<std::string_view, std::vector<const Route*>> by_path;
  for (const Route& route : api_routes()) by_path[route.path].push_back(&route);
  SchemaBook book;
  JsonWriter w;
  w.begin_object();
  w("openapi", "3.1.0");
  w.key("info");
  w.begin_object();
  w("title", "Virga");
  w("version", version);
  w("description",
    "A supercomputer made of cloud virtual machines. Over the Unix socket the caller is who the kernel says "
    "(peer credentials); over TCP he sends a token. Unknown keys in a body are refused by name, missing ones have "
    "their defaults. Strings are bytes: one that is no UTF-8 has lone surrogates \\udc80 … \\udcff for such bytes.");
  w.key("license");
  w.put_json(R"({"name":"Apache-2.0","identifier":"Apache-2.0"})");
  w.end_object();
  // No address of its own: the document is served by the instance that it describes.
  w.key("servers");
  w.put_json(R"([{"url":"/"}])");
  w.key("security");
  w.put_json(R"([{},{"token":[]}])");
  w.key("paths");
  w.begin_object();
  for (const auto& [path, routes] : by_path) {
    w.key(path);
    w.begin_object();
    for (const Route* route : routes) write_operation(w, *route, book);
    w.end_object();
  }
  w.end_object();
  write_components(w, book);
  w.end_object();
  return w.take();
}

}  // namespace virga
