// Fuzz target: any bytes as a stored record give a value or an error, and a value has exactly these bytes. The first
// byte chooses the kind of record.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "brain/state.hpp"
#include "core/binary.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "core/vm.hpp"
#include "wire/event_json.hpp"
#include "wire/json_codec.hpp"

namespace {

template <class T>
bool check(std::string_view bytes) {
  virga::Result<T> value = virga::decode<T>(bytes);
  if (!value) return false;
  VIRGA_ASSERT(virga::encode(*value) == bytes, "two records mean the same");
  // What the commands do with it next: name every enumerator.
  if constexpr (std::is_same_v<T, virga::Event>) {
    (void)virga::event_json(virga::Seq{1}, *value);
  } else {
    (void)virga::to_json_text(*value);
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      check<virga::LaunchPayload>(bytes);
      break;
    case 1:
      check<virga::Job>(bytes);
      break;
    case 2:
      check<virga::VmRecord>(bytes);
      break;
    case 3:
      check<virga::State>(bytes);
      break;
    default:
      check<virga::Event>(bytes);
  }
  return 0;
}
