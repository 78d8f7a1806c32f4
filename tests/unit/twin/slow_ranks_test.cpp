// Slow ranks: bounds of what they cost, and what a planner makes of them.
#include "twin/slow_ranks.hpp"

#include <doctest/doctest.h>

#include "twin/planner.hpp"

namespace virga::twin {
namespace {

const Evaluator& evaluator() {
  static const Evaluator k_evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"),
                                     *find_stack("megatron-2022"));
  return k_evaluator;
}

Layout layout_of(std::uint32_t pp, std::uint32_t interleave) {
  return {.tp = 8,
          .pp = pp,
          .dp = 8,
          .interleave = interleave,
          .micro_batch = 1,
          .global_batch = 8 * pp * 4,
          .sequence_parallel = true,
          .recompute = Recompute::full,
          .distributed_optimizer = true};
}

SlowRanks slow(std::initializer_list<SlowRanks::Group> groups) {
  SlowRanks ranks;
  for (const auto& group : groups) ranks.add(group.factor, group.ranks);
  return ranks;
}

}  // namespace

TEST_CASE("slow ranks: none, and ranks that are not slow, cost nothing") {
  const Layout layout = layout_of(35, 3);
  CHECK(predict(evaluator(), layout, {}).seconds == evaluator().seconds(layout));
  CHECK(predict(evaluator(), layout, slow({{1, 5}})).seconds == doctest::Approx(evaluator().seconds(layout)));
}

TEST_CASE("slow ranks: where every stage has one, all are slow; fewer cost less, but no less than the pace") {
  for (const std::uint32_t interleave : {1U, 3U}) {
    for (const std::uint32_t pp : {1U, 7U, 35U}) {
      if (pp == 1 && interleave > 1) continue;
      const Layout layout = layout_of(pp, interleave);
      INFO("pp ", pp, ", interleave ", interleave);
      const double fast = evaluator().seconds(layout);
      const double all = evaluator().predict(layout, 1.25).seconds;
      CHECK(predict(evaluator(), layout, slow({{1.25, pp}})).seconds == doctest::Approx(all));
      double before = fast;
      for (std::uint32_t ranks = 1; ranks <= pp; ++ranks) {
        const Prediction p = predict(evaluator(), layout, slow({{1.25, ranks}}));
        CHECK(p.seconds > before);
        CHECK(p.seconds <= all * (1 + 1e-9));
        CHECK(p.seconds == doctest::Approx(p.terms.total()));
        CHECK(p.terms.bubble >= 0);
        before = p.seconds;
      }
      // The slow stage alone takes a quarter longer for each micro batch.
      const Prediction one = predict(evaluator(), layout, slow({{1.25, 1}}));
      const double compute = evaluator().predict(layout).terms.compute;
      CHECK(one.seconds - fast > 0.2 * compute);
      CHECK(one.seconds - fast < 0.3 * compute);
    }
  }
}

TEST_CASE("slow ranks: the slowest counts most, in whatever order they are named") {
  const Layout layout = layout_of(7, 1);
  const double mixed = predict(evaluator(), layout, slow({{1.1, 2}, {1.5, 1}, {1.05, 100}})).seconds;
  CHECK(mixed == predict(evaluator(), layout, slow({{1.05, 100}, {1.5, 1}, {1.1, 2}})).seconds);
  CHECK(mixed > predict(evaluator(), layout, slow({{1.5, 1}})).seconds);
  CHECK(mixed < predict(evaluator(), layout, slow({{1.5, 2}, {1.1, 2}, {1.05, 100}})).seconds);
}

TEST_CASE("slow ranks: bounding and exhaustion agree with them, too") {
  for (const double factor : {1.0, 1.1, 2.0}) {
    const Question question{.gpus = 560, .global_batch = 1920, .fixed = {}, .slow = slow({{factor, 3}})};
    const Found bounded = search(evaluator(), question, Method::bounding);
    const Found all = search(evaluator(), question, Method::exhaustive);
    REQUIRE(all.any);
    CHECK(bounded.layout == all.layout);
    CHECK(bounded.seconds == all.seconds);
    CHECK(all.seconds == predict(evaluator(), all.layout, question.slow).seconds);
  }
}

}  // namespace virga::twin
