// Lists of nodes: what is understood is the same list again once it was folded.
#include "wire/hostlist.hpp"

#include "fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto names = virga::expand_hostlist(text, 4096);
  if (!names) {
    must(!names.error().message.empty());
    return 0;
  }
  must(names->size() <= 4096);
  const std::string folded = virga::compress_hostlist(*names);
  const auto again = virga::expand_hostlist(folded, 4096);
  must(again && *again == *names);
  return 0;
}
