// The time of an iteration: terms that add up, and answers that move the right way.
#include "twin/iteration.hpp"

#include <doctest/doctest.h>

#include <random>

namespace virga::twin {
namespace {

struct Case {
  const Transformer* model;
  System system;
  const Stack* stack;
  Layout layout;
};

std::uint32_t pick(std::mt19937& random, std::initializer_list<std::uint32_t> of) {
  return *(of.begin() + random() % of.size());
}

Case draw(std::mt19937& random) {
  for (;;) {
    const auto& models = known_models();
    const auto& systems = known_systems();
    Case c{&models[random() % models.size()],
           systems[random() % systems.size()],
           &k_stacks[random() % k_stacks.size()],
           {}};
    Layout& l = c.layout;
    l.tp = pick(random, {1, 2, 4, 8});
    l.pp = pick(random, {1, 2, 4, 6, 8});
    l.dp = pick(random, {1, 2, 3, 8, 64});
    l.cp = pick(random, {1, 1, 2});
    l.ep = pick(random, {1, 1, 2, 8});
    l.interleave = pick(random, {1, 1, 2});
    l.micro_batch = pick(random, {1, 2, 4, 7});
    l.global_batch = l.dp * l.micro_batch * pick(random, {1, 4, 32, 100});
    l.sequence_parallel = random() % 2 == 0;
    l.recompute = static_cast<Recompute>(random() % 3);
    l.precision = static_cast<Precision>(random() % 5);
    l.distributed_optimizer = random() % 2 == 0;
    if (divides(l, *c.model, c.system)) return c;
  }
}

}  // namespace

TEST_CASE("iteration: MT-NLG 530B on 2,240 A100 takes about a minute for 1,920 sequences") {
  const Evaluator evaluator(*find_model("mt-nlg-530b"), *find_system("Standard_ND96amsr_A100_v4"),
                            *find_stack("megatron-2021"));
  const Layout layout{
      .tp = 8, .pp = 35, .dp = 8, .global_batch = 1920, .recompute = Recompute::full, .precision = Precision::bf16};
  REQUIRE(divides(layout, evaluator.model(), evaluator.machine()));
  const Prediction p = evaluator.predict(layout);
  CHECK(p.seconds > 40);
  CHECK(p.seconds < 75);
  CHECK(p.fits);
  CHECK(p.binding == Term::bubble);
  CHECK(p.terms.bubble / p.seconds == doctest::Approx(34.0 / (240 + 34)).epsilon(0.2));
}

TEST_CASE("iteration: terms are times, and add up; memory and slow ranks move them the right way") {
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    const Case c = draw(random);
    CAPTURE(i);
    CAPTURE(c.model->name);
    const Evaluator evaluator(*c.model, c.system, *c.stack);
    const Prediction p = evaluator.predict(c.layout);
    const Terms& t = p.terms;
    for (const double term : {t.compute, t.host, t.tensor, t.expert, t.pipeline, t.data, t.optimizer, t.step}) {
      REQUIRE(term >= 0);
    }
    REQUIRE(t.bubble >= -1e-9 * p.seconds);
    REQUIRE(p.seconds > 0);
    REQUIRE(p.seconds == doctest::Approx(t.total()));
    REQUIRE(evaluator.seconds(c.layout) == p.seconds);
    REQUIRE(evaluator.predict(c.layout, 1.5).seconds >= p.seconds);
  }
}

TEST_CASE("iteration: more bandwidth is never slower, more memory never unfits") {
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    const Case c = draw(random);
    CAPTURE(i);
    CAPTURE(c.model->name);
    const Prediction before = Evaluator(*c.model, c.system, *c.stack).predict(c.layout);
    const auto changed = [&](auto change) {
      Gpu gpu = *c.system.gpu;
      System system = c.system;
      change(gpu, system);
      system.gpu = &gpu;
      return Evaluator(*c.model, system, *c.stack).predict(c.layout);
    };
    const double slack = before.seconds * (1 + 1e-9);
    REQUIRE(changed([](Gpu&, System& s) { s.nic_bytes_s *= 2; }).seconds <= slack);
    // A fifth more: twice the rate would be another generation of NVLink, whose hops take longer.
    REQUIRE(changed([](Gpu& g, System&) { g.nvlink_bytes_s *= 1.2; }).seconds <= slack);
    REQUIRE(changed([](Gpu& g, System&) { g.hbm_bytes_s *= 2; }).seconds <= slack);
    const bool fits_in_more = changed([](Gpu& g, System&) { g.hbm_bytes *= 2; }).fits;
    REQUIRE((!before.fits || fits_in_more));
  }
}

TEST_CASE("iteration: more samples take longer, and a longer pipeline has more bubble") {
  const Evaluator evaluator(*find_model("llama-3-70b"), *find_system("dgx-h100"), *find_stack("nemo-2024"));
  Layout layout{.tp = 4, .pp = 4, .dp = 4, .global_batch = 128, .sequence_parallel = true};
  const double before = evaluator.seconds(layout);
  layout.global_batch = 256;
  CHECK(evaluator.seconds(layout) > before);
  layout.global_batch = 128;
  layout.pp = 8;
  layout.dp = 2;
  const double bubble = evaluator.predict(layout).terms.bubble;
  layout.interleave = 5;
  CHECK(evaluator.predict(layout).terms.bubble < bubble);
}

TEST_CASE("iteration: the slowest rank sets the pace") {
  CHECK(slowest({}) == 1);
  CHECK(slowest({1.0, 1.3, 1.1}) == 1.3);
}

TEST_CASE("iteration: NVLink SHARP helps all-reduces of tensor ranks, not the gathers of sequence parallelism") {
  const Stack& stack = *find_stack("megatron-2024");
  const Transformer& model = *find_model("llama-3-70b");
  const auto more = [&](const char* system) {
    const Evaluator evaluator(model, *find_system(system), stack);
    Layout layout{.tp = 8, .pp = 4, .global_batch = 64, .distributed_optimizer = true};
    const double reduced = evaluator.predict(layout).terms.tensor;
    layout.sequence_parallel = true;
    return evaluator.predict(layout).terms.tensor / reduced;
  };
  CHECK(more("dgx-h100") > 1.1);
  CHECK(more("dgx-a100") < 1.1);  // no SHARP: both are rings, with as much traffic
}

TEST_CASE("iteration: gradients of experts travel between the GPUs that hold the same experts") {
  // Eight nodes, each with all experts: a GPU's experts are reduced with seven others through its own NIC. With experts
  // over all 64 GPUs of an NVLink domain, nobody else has them.
  const Stack& stack = *find_stack("megatron-bridge-2026.2");
  const Transformer& model = *find_model("gpt-oss-120b");
  Layout layout{.dp = 64, .ep = 8, .micro_batch = 4, .global_batch = 1280, .distributed_optimizer = true};
  const double nodes = Evaluator(model, *find_system("dgx-b200"), stack).predict(layout).terms.data;
  layout.ep = 64;
  const double rack = Evaluator(model, *find_system("gb200-nvl72"), stack).predict(layout).terms.data;
  CHECK(nodes > 0.3);
  CHECK(rack < nodes / 5);
}

TEST_CASE("iteration: graphs of whole iterations leave the host nothing to do") {
  const Transformer& model = *find_model("qwen3-30b-a3b");
  const System& system = *find_system("gb200-nvl72");
  Layout layout{.dp = 8, .ep = 8, .micro_batch = 1, .global_batch = 512, .precision = Precision::mxfp8};
  CHECK(Evaluator(model, system, *find_stack("megatron-bridge-2026.4")).predict(layout).terms.host > 0);
  CHECK(Evaluator(model, system, *find_stack("megatron-bridge-2026.5")).predict(layout).terms.host == 0);
}

}  // namespace virga::twin
