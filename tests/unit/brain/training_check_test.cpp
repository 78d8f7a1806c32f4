// A job that names its model: what its comment says, whether it fits, and what its owner is told.
#include "brain/training/training_check.hpp"

#include <doctest/doctest.h>

#include "brain/training/training_note.hpp"
#include "brain/training/training_words.hpp"
#include "world.hpp"

namespace virga {
namespace {

using test::World;

Pool nd(const char* sku = "Standard_ND96isr_H100_v5") {
  Pool pool = test::small_config().pools.front();
  pool.sku.name = sku;
  pool.sku.gpu_model = "";
  pool.max_nodes = 128;
  return pool;
}

JobSpec training(std::uint32_t nodes, const std::string& comment) {
  JobSpec spec = World::spec(nodes, 1);
  spec.exclusive = true;
  spec.comment = comment;
  return spec;
}

std::string misfit(std::uint32_t nodes, const std::string& comment, const Pool& pool = nd()) {
  return check_training(training(nodes, comment), pool).misfit.value_or("");
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("training note: words of the comment") {
  const auto note = training_note("run 7, Model=llama-3-70b TP=8;pp=4 global_batch=1024 tokens=1.4T seq=4096 x=1");
  REQUIRE(note);
  CHECK(note->model == "llama-3-70b");
  CHECK(note->wish.tp == 8);
  CHECK(note->wish.pp == 4);
  CHECK(note->wish.cp == 0);
  CHECK(note->wish.global_batch == 1'024);
  CHECK(note->seq == 4'096);
  CHECK(note->tokens == 1'400'000'000'000ULL);
  CHECK(note->unknown == std::vector<std::string>{"x"});
  CHECK(note->mistake.empty());
  CHECK(training_note("model=a tokens=3e11")->tokens == 300'000'000'000ULL);
  CHECK(training_note("model=a tokens=300B")->tokens == 300'000'000'000ULL);
  CHECK(training_note("model=a tokens=2.50k")->tokens == 2'500);
  CHECK(training_note("model=a recompute=full precision=fp8 optimizer=replicated sharding=full")->mistake.empty());
  CHECK_FALSE(training_note(""));
  CHECK_FALSE(training_note("a remodelling of mine"));
  CHECK_FALSE(training_note("model = llama"));
  CHECK_FALSE(training_note("model="));
}

TEST_CASE("training note: a value that is none is one clear line") {
  CHECK(training_note("model=a tp=x")->mistake == "tp=x is not right; write a whole number from 1 to 4096");
  CHECK(training_note("model=a tp=0")->mistake == "tp=0 is not right; write a whole number from 1 to 4096");
  CHECK(training_note("model=a tp=99999999999999999999")->mistake.starts_with("tp=9999"));
  CHECK(training_note("model=a tokens=1.5")->mistake.starts_with("tokens=1.5 is not right; write a number of tokens"));
  CHECK(training_note("model=a tokens=lots")->mistake.starts_with("tokens=lots"));
  CHECK(training_note("model=a recompute=half")->mistake ==
        "recompute=half is not right; write one of none, selective, full");
  CHECK(
      training_note("model=a software=mine")->mistake.starts_with("software=mine is not right; write one of megatron"));
}

TEST_CASE("training check: what does not fit, by how much, and what would") {
  const std::string one = misfit(1, "model=llama-3.1-405b");
  CAPTURE(one);
  CHECK(one.starts_with("llama-3.1-405b does not fit 8 GPUs (H100-SXM-80GB): "));
  CHECK(contains(one, " GiB each with "));
  CHECK(contains(one, "GPUs would do ("));
  const std::string pinned = misfit(4, "model=llama-3-70b tp=1 pp=1 optimizer=replicated sharding=none");
  CAPTURE(pinned);
  CHECK(contains(pinned, "tp=1 pp=1"));
  CHECK(contains(pinned, "would fit"));
  CHECK(contains(misfit(1, "model=llama-3-70b tp=8 pp=4"), "tp x pp x cp = 32 does not divide the 8 GPUs"));
  CHECK(contains(misfit(6, "model=llama-3-70b tp=3"), "tensor parallel 3 does not divide the 64 heads of llama-3-70b"));
  CHECK(contains(misfit(1, "model=llama-3-8b tp=two"), "comment: tp=two is not right"));
  CHECK(misfit(1, "model=llama-3-8b").empty());
  CHECK(misfit(16, "model=llama-3-70b tp=8 pp=4").empty());
  CHECK(misfit(1, "no model=here").empty());  // a model that nobody knows is the user's own word
  CHECK(misfit(1, "model=llama-3-8b", nd("Test_ND")).empty());
  JobSpec without = World::spec(1);
  without.comment = "model=llama-3-8b";
  CHECK(contains(check_training(without, nd()).misfit.value_or(""), "asks for no GPU"));
}

TEST_CASE("training check: what would do, does") {
  for (const std::string model : {"llama-3-70b", "llama-3.1-405b", "mt-nlg-530b", "deepseek-v3", "mixtral-8x22b"}) {
    CAPTURE(model);
    const std::string why = misfit(1, "model=" + model);
    CAPTURE(why);
    const std::size_t at = why.find(" GPUs would do (");
    REQUIRE(at != std::string::npos);
    std::uint32_t nodes = 0;
    for (std::size_t i = at + 16; why[i] != ' '; ++i) nodes = nodes * 10 + static_cast<std::uint32_t>(why[i] - '0');
    CHECK(nodes > 1);
    CHECK(misfit(nodes, "model=" + model).empty());
  }
}

TEST_CASE("training check: the plan of a job that fits") {
  const TrainingCheck check =
      check_training(training(16, "model=llama-3-70b tp=8 pp=4 micro-batch=1 global-batch=512 tokens=1B"), nd());
  REQUIRE(check.plan);
  const TrainingPlan& plan = *check.plan;
  CHECK(plan.layout.tp == 8);
  CHECK(plan.layout.pp == 4);
  CHECK(plan.layout.dp == 4);
  CHECK(plan.tokens_per_step == 512ULL * 8192);
  CHECK(plan.memory_bytes < plan.gpu_bytes);
  // 128 H100 at 300 to 700 TFLOP/s each and 6 x 70.6e9 FLOPs a token: 10 to 24 s a step.
  CHECK(plan.step > Duration::seconds(10));
  CHECK(plan.step < Duration::seconds(50));
  CHECK(plan.run.ns == doctest::Approx(239.0 * static_cast<double>(plan.step.ns)).epsilon(1e-9));
  CHECK(words_of(plan).starts_with("a step of llama-3-70b is predicted to take "));
  // What is left open is chosen so that it is no slower.
  const TrainingCheck open = check_training(training(16, "model=llama-3-70b global-batch=512"), nd());
  REQUIRE(open.plan);
  CHECK(open.plan->tokens_per_second >= plan.tokens_per_second);
}

TEST_CASE("training check: equal questions have one answer") {
  const TrainingChecks checks;
  const JobSpec spec = training(2, "model=llama-3-8b");
  const TrainingCheck& first = checks.of(spec, nd());
  CHECK(&checks.of(spec, nd()) == &first);
  CHECK(&checks.of(training(3, "model=llama-3-8b"), nd()) != &first);
  CHECK_FALSE(checks.of(training(2, "of another kind"), nd()).plan);
}

TEST_CASE("a job whose model does not fit is refused before any VM is asked for") {
  Config config = test::small_config();
  config.pools.front() = nd();
  World world(config);
  const Result<std::uint64_t> refused =
      world.ask(JobSubmitted{{1000, 1000, "ada", false}, training(1, "model=llama-3.1-405b"), ""});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::refused);
  CHECK(refused.error().message.starts_with(
      "Requested node configuration is not available: llama-3.1-405b does not fit 8 GPUs (H100-SXM-80GB): "));
  world.drained();
}

TEST_CASE("of a partition's pools only those are bought in which the model fits, whatever they cost") {
  Config config = test::small_config();
  Pool small = nd("Standard_ND96asr_v4");
  small.name = "small";
  small.node_prefix = "small-";
  small.price_per_hour = Money::usd(1);
  Pool large = nd("Standard_ND96isr_H200_v5");
  config.pools = {small, large};
  config.partitions.front().pools = {"small", "nd"};
  World world(config);
  const JobId id = world.submit(training(1, "model=megatron-39.1b"));
  CHECK(world.take<ReserveGang>().pool.name == "nd");
  const std::vector<ExplainedTraining> training_of = world.brain.explain(id).training;
  REQUIRE(training_of.size() == 2);
  CHECK(contains(training_of[0].text, "does not fit"));
  CHECK(training_of[1].step > Duration{});
}

TEST_CASE("warnings: a time limit that is too short for the tokens, unknown models and keys") {
  Config config = test::small_config();
  config.pools.front() = nd();
  World world(config);
  const auto warnings = [&](const std::string& comment) {
    JobSpec spec = training(2, comment);
    spec.time_limit = Duration::minutes(60);
    const JobId id = world.submit(spec);
    world.commands.clear();
    return world.brain.explain(id).warnings;
  };
  CHECK(warnings("model=llama-3-8b tokens=10M").empty());
  const auto late = warnings("model=llama-3-8b tokens=1T");
  REQUIRE(late.size() == 1);
  CHECK(late.front().starts_with("llama-3-8b is predicted to take "));
  CHECK(contains(late.front(), "its time limit is 1 h"));
  const auto unknown = warnings("model=mine");
  REQUIRE(unknown.size() == 1);
  CHECK(unknown.front().starts_with("comment: model=mine is none that the twin knows"));
  const auto key = warnings("model=llama-3-8b tensor=8");
  REQUIRE(key.size() == 1);
  CHECK(key.front() == "comment: tensor= is no key of a training, and has no effect");
  CHECK(warnings("just words").empty());
}

TEST_CASE("training words: spans and sizes") {
  CHECK(span_text(Duration{12'340}) == "12.3 us");
  CHECK(span_text(Duration::milliseconds(12)) == "12.0 ms");
  CHECK(span_text(Duration{1'950'000'000}) == "2.0 s");
  CHECK(span_text(Duration::seconds(90)) == "1 min 30 s");
  CHECK(span_text(Duration::minutes(120)) == "2 h");
  CHECK(span_text(Duration::minutes(1'500)) == "1 d 1 h");
  CHECK(span_text(Duration::infinite()) == "for ever");
  CHECK(bytes_text(1ULL << 30) == "1.0 GiB");
  CHECK(bytes_text(3ULL << 19) == "1.5 MiB");
}

}  // namespace virga
