#include "wire/slurm_document.hpp"

namespace virga {
namespace {

void put_error(JsonWriter& w, const SlurmRestError& error) {
  using Shape = SlurmRestError::Shape;
  w.begin_object();
  switch (error.shape) {
    case Shape::described:
      if (!error.description.empty()) w("description", error.description);
      w("error_number", error.error.number);
      w("error", error.error.text);
      if (!error.source.empty()) w("source", error.source);
      break;
    case Shape::errno_:
      w("error", error.error.text);
      w("errno", error.error.number);
      break;
    case Shape::coded:
      w("error_code", error.error.number);
      w("error", error.error.text);
      break;
  }
  w.end_object();
}

}  // namespace

void begin_slurm_document(JsonWriter& w, SlurmPlugin plugin, const SlurmRestErrors& errors) {
  w.begin_object();
  w.key("meta");
  w.put_json(plugin == SlurmPlugin::slurm
                 ? R"({"plugin":{"type":"openapi/v0.0.38","name":"Slurm OpenAPI v0.0.38"},)"
                   R"("Slurm":{"version":{"major":22,"micro":8,"minor":5},"release":"22.05.8"}})"
                 : R"({"plugin":{"type":"openapi/dbv0.0.38","name":"Slurm OpenAPI DB v0.0.38"},)"
                   R"("Slurm":{"version":{"major":22,"micro":8,"minor":5},"release":"22.05.8"}})");
  w.key("errors");
  w.begin_array();
  for (const SlurmRestError& error : errors) put_error(w, error);
  w.end_array();
}

void put_null(JsonWriter& w, std::string_view key) {
  w.key(key);
  w.put_null();
}

void put_number_or_null(JsonWriter& w, std::string_view key, std::uint64_t value) {
  value != 0 ? w(key, value) : put_null(w, key);
}

}  // namespace virga
