// Batch scripts: their #SBATCH lines come apart into words, whatever they hold.
#include "cli/batch_script.hpp"

#include "fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string script(reinterpret_cast<const char*>(data), size);
  const virga::Status is_one = virga::check_batch_script(script);
  must(is_one || !is_one.error().message.empty());
  std::size_t letters = 0;
  for (const std::string& word : virga::sbatch_lines(script)) letters += word.size();
  must(letters <= size);
  must(virga::check_batch_script(virga::wrapped_script("true")).has_value());
  return 0;
}
