#include "wire/api_schema.hpp"

namespace virga {

void SchemaBook::Members::add(std::string_view name, const std::string& schema, const std::string& fallback) {
  if (!properties.empty()) properties += ',';
  properties += to_json_text(std::string(name)) + ":";
  // A reference stands alone in older tools; only inline schemas carry their default.
  bool inline_schema = schema.find("$ref") == schema.npos;
  properties += schema;
  if (inline_schema && !fallback.empty()) properties.insert(properties.size() - 1, ",\"default\":" + fallback);
}

std::string SchemaBook::schema_of(Time*) {
  return define(
      "Time",
      R"({"type":"string","description":"UTC in ISO 8601, nanoseconds where they are not zero; )"
      R"(empty: not set; never","examples":["2026-01-31T12:00:00Z","2026-01-31T12:00:00.000000001Z","never"]})");
}

std::string SchemaBook::schema_of(Duration*) {
  return define("Duration", R"({"description":"seconds","oneOf":[{"type":"number"},{"const":"infinite"}]})");
}

std::string SchemaBook::schema_of(Money*) { return define("Money", R"({"type":"number","description":"US dollars"})"); }

std::string SchemaBook::define(std::string_view name, std::string schema) {
  schemas_.insert_or_assign(std::string(name), std::move(schema));
  return reference(name);
}

std::string SchemaBook::reference(std::string_view name) {
  return R"({"$ref":"#/components/schemas/)" + std::string(name) + "\"}";
}

std::string SchemaBook::enum_schema(const std::vector<std::string_view>& names) {
  JsonWriter w;
  w.begin_object();
  w("type", "string");
  w("enum", names);
  w.end_object();
  return w.take();
}

std::string SchemaBook::object_schema(const std::string& properties) {
  return R"({"type":"object","additionalProperties":false,"properties":{)" + properties + "}}";
}

}  // namespace virga
