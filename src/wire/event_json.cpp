#include "wire/event_json.hpp"

#include "wire/json_codec.hpp"

namespace virga {

std::string event_json(Seq seq, const Event& event) {
  JsonWriter w;
  w.begin_object();
  w("seq", seq);
  w("at", event.at);
  std::visit(
      [&](const auto& body) {
        w("type", std::decay_t<decltype(body)>::k_name);
        w("body", body);
      },
      event.body);
  w.end_object();
  return w.take();
}

Result<StreamedEvent> event_from_json(std::string_view text) {
  Result<JsonDocument> document = JsonDocument::parse(text);
  if (!document) return unexpected(document.error());
  JsonNode root = document->root();
  StreamedEvent out;
  JsonReader reader;
  if (reader.expect(root, JsonNode::Kind::object, "an object")) {
    JsonNode seq = root.find("seq");
    JsonNode at = root.find("at");
    if (!seq || !at) return fail(Code::invalid, "the event needs the keys 'seq' and 'at'");
    reader.get(seq, out.seq);
    reader.get(at, out.event.at);
    reader.get_variant(root.find("type"), root.find("body"), out.event.body);
  }
  if (reader.error()) return unexpected(*reader.error());
  return out;
}

}  // namespace virga
