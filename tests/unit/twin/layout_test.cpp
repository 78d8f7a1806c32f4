// Layouts that cannot be: one line for each reason.
#include "twin/layout.hpp"

#include <doctest/doctest.h>

namespace virga::twin {
namespace {

const System& nd_a100() { return *find_system("Standard_ND96amsr_A100_v4"); }

std::vector<std::string> wrong(const Layout& layout, const Transformer& model = *find_model("gpt-3-175b"),
                               const System& system = nd_a100()) {
  const auto lines = check(layout, model, system);
  CHECK(divides(layout, model, system) == lines.empty());
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("layout: one that divides has nothing to say") {
  const Layout layout{.tp = 8, .pp = 8, .dp = 2, .interleave = 3, .global_batch = 64, .sequence_parallel = true};
  CHECK(wrong(layout).empty());
  CHECK(layout.gpus() == 128);
  CHECK(layout.micro_batches() == 32);
}

TEST_CASE("layout: what does not divide") {
  CHECK(wrong({.tp = 0}) == Lines{"a degree, the micro batch or the global batch is 0; each is at least 1"});
  CHECK(wrong({.tp = 5}) == Lines{"tensor parallel 5 does not divide the 96 heads of gpt-3-175b",
                                  "tensor parallel 5 and the 96 key/value heads of gpt-3-175b do not divide",
                                  "tensor parallel 5 does not divide the ffn 49152 of gpt-3-175b",
                                  "tensor parallel 5 does not divide hidden 12288 of gpt-3-175b"});
  CHECK(wrong({.pp = 97, .global_batch = 97}) ==
        Lines{"pipeline parallel 97 is more than the 96 layers of gpt-3-175b"});
  CHECK(wrong({.interleave = 2}) == Lines{"interleave 2 needs a pipeline, and 1 stages x 2 chunks at most 96 layers"});
  CHECK(wrong({.dp = 3, .micro_batch = 2, .global_batch = 64}) ==
        Lines{"global batch 64 is no multiple of data parallel 3 x micro batch 2"});
  CHECK(wrong({.cp = 3}) == Lines{"context parallel 3 does not divide the sequence of 2048"});
  CHECK(wrong({.dp = 8, .ep = 8, .global_batch = 8}) == Lines{"expert parallel 8, but gpt-3-175b has no experts"});
  CHECK(wrong({.dp = 6, .ep = 3, .global_batch = 6}, *find_model("mixtral-8x7b")) ==
        Lines{"expert parallel 3 does not divide the 8 experts of mixtral-8x7b"});
  CHECK(wrong({.dp = 4, .ep = 8, .global_batch = 4}, *find_model("mixtral-8x7b")) ==
        Lines{"expert parallel 8 does not divide the 4 GPUs of a pipeline stage"});
}

TEST_CASE("layout: what the machine cannot") {
  CHECK(wrong({.precision = Precision::fp8}) == Lines{"A100-SXM4-80GB has no tensor cores for fp8"});
  CHECK(wrong({.dp = 100, .global_batch = 100}, *find_model("llama-2-7b"), *find_system("Standard_NC96ads_A100_v4")) ==
        Lines{"100 GPUs are more than one node of Standard_NC96ads_A100_v4, which has no InfiniBand"});
}

TEST_CASE("layout: layers are dealt evenly, with embedding and output as layers where that is even") {
  CHECK(stage_layers(96, 8).first == 12);
  const StageLayers bloom = stage_layers(70, 12);
  CHECK(bloom.first == 5);
  CHECK(bloom.middle == 6);
  CHECK(bloom.last == 5);
  CHECK(stage_layers(78, 12).middle == 7);
  CHECK(stage_layers(5, 1).last == 5);
}

}  // namespace virga::twin
