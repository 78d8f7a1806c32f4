// The planner: bounding finds what exhaustion finds, and more of anything never makes the best layout slower.
#include "twin/planner.hpp"

#include <doctest/doctest.h>

#include <random>

namespace virga::twin {
namespace {

struct Case {
  const Transformer* model;
  System system;
  const Stack* stack;
  Question question;
};

std::uint32_t pick(std::mt19937& random, std::initializer_list<std::uint32_t> of) {
  return *(of.begin() + random() % of.size());
}

Case draw(std::mt19937& random) {
  const auto& models = known_models();
  const auto& systems = known_systems();
  Case c{
      &models[random() % models.size()], systems[random() % systems.size()], &k_stacks[random() % k_stacks.size()], {}};
  c.question.gpus = pick(random, {1, 2, 8, 16, 24, 40, 64, 96, 256, 1120});
  c.question.global_batch = pick(random, {1, 16, 64, 96, 120, 512, 1920});
  FixedParts& fixed = c.question.fixed;
  if (random() % 4 == 0) fixed.tp = pick(random, {1, 2, 4, 8});
  if (random() % 4 == 0) fixed.pp = pick(random, {1, 2, 3, 4, 8});
  if (random() % 2 == 0) fixed.cp = 1;
  if (random() % 4 == 0) fixed.micro_batch = pick(random, {1, 2, 4});
  if (random() % 6 == 0) fixed.interleave = pick(random, {1, 2});
  if (random() % 4 == 0) fixed.recompute = static_cast<Recompute>(random() % 3);
  if (random() % 6 == 0) fixed.sequence_parallel = random() % 2 == 0;
  if (random() % 6 == 0) fixed.distributed_optimizer = random() % 2 == 0;
  fixed.sharded_weights = random() % 8 == 0;
  return c;
}

}  // namespace

TEST_CASE("planner: bounding and exhaustion have the same optimum in 1,000 random cases") {
  std::mt19937 random(5);
  int with_layout = 0;
  for (int i = 0; i < 1000; ++i) {
    const Case c = draw(random);
    const Evaluator evaluator(*c.model, c.system, *c.stack);
    const Found bounded = search(evaluator, c.question, Method::bounding);
    const Found all = search(evaluator, c.question, Method::exhaustive);
    INFO(c.model->name, " on ", c.question.gpus, " of ", c.system.name, " with ", c.stack->name, ", case ", i);
    REQUIRE(bounded.any == all.any);
    REQUIRE(bounded.any_smallest == all.any_smallest);
    CHECK(bounded.layouts <= all.layouts);
    if (!all.any) continue;
    ++with_layout;
    CHECK(bounded.seconds == all.seconds);
    CHECK(bounded.layout == all.layout);
    CHECK(all.layout.gpus() == c.question.gpus);
    CHECK(divides(all.layout, *c.model, c.system));
    const Prediction p = evaluator.predict(all.layout);
    CHECK(p.fits);
    CHECK(p.seconds == doctest::Approx(all.seconds));
  }
  CHECK(with_layout > 300);
}

TEST_CASE("planner: no layout of the same work and GPUs beats its bound") {
  std::mt19937 random(6);
  for (int i = 0; i < 300; ++i) {
    const Case c = draw(random);
    const Evaluator evaluator(*c.model, c.system, *c.stack);
    const Found best = search(evaluator, c.question);
    if (!best.any) continue;
    CHECK(evaluator.seconds_at_least(best.layout) <= best.seconds);
  }
}

TEST_CASE("planner: more bandwidth or memory never makes the best layout slower") {
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    const Case c = draw(random);
    const Found before = search(Evaluator(*c.model, c.system, *c.stack), c.question);
    if (!before.any) continue;
    INFO(c.model->name, " on ", c.question.gpus, " of ", c.system.name, " with ", c.stack->name, ", case ", i);
    Gpu gpu = *c.system.gpu;
    gpu.hbm_bytes *= 1.1;
    System system = c.system;
    system.gpu = &gpu;
    const Found roomier = search(Evaluator(*c.model, system, *c.stack), c.question);
    CHECK(roomier.seconds <= before.seconds);
    CHECK(roomier.fitting >= 1);
    gpu.hbm_bytes_s *= 1.1;
    const Found faster = search(Evaluator(*c.model, system, *c.stack), c.question);
    CHECK(faster.seconds <= before.seconds * 1.000001);
    system.nic_bytes_s *= 1.1;
    const Found networked = search(Evaluator(*c.model, system, *c.stack), c.question);
    CHECK(networked.seconds <= before.seconds * 1.000001);
  }
}

TEST_CASE("planner: MT-NLG 530B on 2,240 A100, free and as it was trained") {
  const Evaluator evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"),
                            *find_stack("megatron-2022"));
  const Found best = search(evaluator, {.gpus = 2240, .global_batch = 1920});
  REQUIRE(best.any);
  CHECK(best.layout.tp == 8);
  const Found fixed =
      search(evaluator, {.gpus = 2240, .global_batch = 1920, .fixed = {.tp = 8, .pp = 35, .micro_batch = 1}});
  REQUIRE(fixed.any);
  CHECK(fixed.layout.dp == 8);
  CHECK(fixed.seconds >= best.seconds);
}

TEST_CASE("planner: layers that Megatron can deal to stages") {
  CHECK(launchable(105, 35, 1));
  CHECK(launchable(105, 35, 3));
  CHECK_FALSE(launchable(105, 35, 2));
  CHECK(launchable(126, 16, 8));  // with embedding and output as a layer each
  CHECK(launchable(61, 16, 1));   // 15 stages of 4, the last of 1
  CHECK_FALSE(launchable(61, 24, 1));
  CHECK_FALSE(launchable(61, 16, 2));
  CHECK_FALSE(launchable(8, 1, 2));
  CHECK_FALSE(launchable(4, 8, 1));
}

TEST_CASE("planner: only what Megatron runs is searched") {
  const Transformer& llama = *find_model("llama-3-70b");  // 8 key and value heads
  CHECK(splits_heads(llama, 8));
  CHECK_FALSE(splits_heads(llama, 16));
  CHECK(splits_heads(*find_model("deepseek-v3"), 16));
  const Evaluator rack(llama, *find_system("gb200-nvl72"), k_stacks.back());
  for (const std::uint32_t gpus : {64U, 128U, 576U}) {
    const Found found = search(rack, {.gpus = gpus, .global_batch = 1152});
    REQUIRE(found.any);
    CHECK(found.layout.tp <= 8);
  }
  const Evaluator experts(*find_model("mixtral-8x7b"), *find_system("Standard_ND96isr_H100_v5"), k_stacks.back());
  const Found half = search(experts, {.gpus = 128, .global_batch = 512, .fixed = {.precision = Precision::fp16}});
  REQUIRE(half.any_smallest);
  CHECK(half.smallest.ep == 1);
}

TEST_CASE("planner: where nothing can be, it says what is nearest") {
  const Evaluator evaluator(*find_model("llama-2-70b"), *find_system("Standard_ND96isr_H100_v5"), k_stacks.back());
  const Found none = search(evaluator, {.gpus = 8, .global_batch = 64, .fixed = {.recompute = Recompute::none}});
  CHECK_FALSE(none.any);
  REQUIRE(none.any_smallest);
  CHECK(none.smallest_bytes > evaluator.machine().gpu->hbm_bytes);
  CHECK(usable_gpus(evaluator, {.gpus = 104, .global_batch = 1024}) == 96);
  CHECK_FALSE(search(evaluator, {.gpus = 8, .global_batch = 64, .fixed = {.tp = 3}}).any_smallest);
}

}  // namespace virga::twin
