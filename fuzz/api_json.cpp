// Fuzz target: any bytes as a request of the API give a value or a message, and a payload that was understood is
// written and read back byte for byte.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "core/binary.hpp"
#include "wire/api_bodies.hpp"
#include "wire/api_routes.hpp"
#include "wire/error_codes.hpp"
#include "wire/event_json.hpp"
#include "wire/json_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)virga::match_route("GET", text);
  (void)virga::error_from_problem(500, text);
  if (auto event = virga::event_from_json(text)) (void)virga::event_json(event->seq, event->event);
  if (auto jobs = virga::from_json_text<virga::JobsBody>(text)) (void)virga::to_json_text(*jobs);
  if (auto body = virga::from_json_text<virga::SubmitBody>(text)) {
    auto again = virga::from_json_text<virga::SubmitBody>(virga::to_json_text(*body));
    VIRGA_ASSERT(again, "what was written cannot be read");
    VIRGA_ASSERT(virga::encode(again->payload) == virga::encode(body->payload), "a payload changed on the way");
  }
  return 0;
}
