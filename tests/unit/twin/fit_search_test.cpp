// Layouts that fit, the fastest of them, and the least memory where none does.
#include "twin/fit_search.hpp"

#include <doctest/doctest.h>

namespace virga::twin {
namespace {

const System& nd(const char* name = "Standard_ND96isr_H100_v5") { return *find_system(name); }
const Transformer& model(const char* name) { return *find_model(name); }

}  // namespace

TEST_CASE("fit search: what is found fits, divides, and is what the evaluator says") {
  for (const char* name : {"llama-3-8b", "llama-2-70b", "mixtral-8x7b", "gpt-3-175b"}) {
    FitSearch search(model(name), nd(), {});
    search.run(512);
    REQUIRE(search.best());
    const FitFound& best = *search.best();
    CHECK(best.layout.gpus() == 512);
    CHECK(divides(best.layout, model(name), nd()));
    CHECK_FALSE(best.is_tight);
    CHECK(best.memory_bytes <= search.gpu_bytes());
    CHECK(search.least()->memory_bytes <= best.memory_bytes);
    const Evaluator evaluator(model(name), nd(), *find_stack("megatron-bridge-2026.2"));
    const Prediction prediction = evaluator.predict(best.layout);
    CHECK(best.step.ns == doctest::Approx(prediction.seconds * 1e9).epsilon(1e-9));
    CHECK(static_cast<double>(best.memory_bytes) == doctest::Approx(prediction.memory.total()).epsilon(1e-6));
  }
}

TEST_CASE("fit search: a wish is kept, and never finds more than an open one") {
  FitSearch open(model("llama-3-70b"), nd(), {.global_batch = 512});
  open.run(128);
  REQUIRE(open.best());
  for (const std::uint32_t tp : {1U, 2U, 4U, 8U}) {
    for (const std::uint32_t pp : {1U, 2U, 4U, 8U}) {
      CAPTURE(tp);
      CAPTURE(pp);
      FitSearch fixed(model("llama-3-70b"), nd(), {.tp = tp, .pp = pp, .global_batch = 512});
      fixed.run(128);
      REQUIRE(fixed.least());
      CHECK(fixed.least()->layout.tp == tp);
      CHECK(fixed.least()->layout.pp == pp);
      CHECK(fixed.least()->memory_bytes >= open.least()->memory_bytes);
      if (fixed.best()) CHECK(fixed.best()->tokens_per_second <= open.best()->tokens_per_second);
    }
  }
  FitSearch full(model("llama-3-70b"), nd(), {.tp = 8, .recompute = Recompute::full});
  full.run(128);
  REQUIRE(full.best());
  CHECK(full.best()->layout.recompute == Recompute::full);
}

TEST_CASE("fit search: more memory never unfits, and more GPUs by the same kind neither") {
  for (const char* name : {"llama-2-13b", "llama-3-70b", "llama-3.1-405b", "mt-nlg-530b"}) {
    CAPTURE(name);
    bool fitted = false;
    for (std::uint32_t gpus = 8; gpus <= 4096; gpus *= 2) {
      CAPTURE(gpus);
      FitSearch small(model(name), nd("Standard_ND96isr_H100_v5"), {});
      FitSearch large(model(name), nd("Standard_ND96isr_H200_v5"), {});
      small.run(gpus, true);
      large.run(gpus, true);
      if (small.best()) CHECK(large.best());
      CHECK((small.best() || !fitted));
      fitted = fitted || small.best();
    }
    CHECK(fitted);
  }
}

TEST_CASE("fit search: experts are spread over any number of ranks that divides them") {
  FitSearch search(model("kimi-k2"), nd(), {.tp = 1, .pp = 1, .sharded_weights = false});  // 384 experts
  search.run(384);
  REQUIRE(search.least());
  CHECK(search.least()->layout.ep == 384);
}

TEST_CASE("fit search: nothing divides") {
  FitSearch search(model("llama-3-70b"), nd(), {.tp = 3});
  search.run(6);
  CHECK_FALSE(search.least());
  CHECK_FALSE(search.best());
  search.run(0);
  CHECK_FALSE(search.least());
}

}  // namespace virga::twin
