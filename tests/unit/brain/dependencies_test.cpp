// Dependencies: Slurm's words one by one, arrays, cycles, and what is remembered of jobs that are gone.
#include "brain/policy/dependencies.hpp"

#include <doctest/doctest.h>

#include "core/binary.hpp"

namespace virga {
namespace {

using Kind = DependencyAnswer::Kind;
const Time k_now = Time::from_seconds(1'000'000);

Job job(std::uint32_t id, std::vector<Dependency> dependencies = {}, std::string name = "job", std::uint32_t uid = 1) {
  Job j;
  j.id = {id};
  j.owner.uid = uid;
  j.spec.edit().name = std::move(name);
  j.spec.edit().dependencies = std::move(dependencies);
  return j;
}

Job task(std::uint32_t id, std::uint32_t array, std::uint32_t index) {
  Job j = job(id);
  j.array_job = {array};
  j.array_task = index;
  return j;
}

Dependency on(DependencyKind kind, std::uint32_t id) { return {.kind = kind, .job = {id}}; }

std::vector<JobId> ids(std::initializer_list<std::uint32_t> values) {
  std::vector<JobId> result;
  for (std::uint32_t v : values) result.push_back({v});
  return result;
}

}  // namespace

TEST_CASE("dependencies: each kind against each way to end") {
  for (const bool ok : {true, false}) {
    CAPTURE(ok);
    Dependencies graph;
    graph.submitted(job(1));
    graph.submitted(job(2, {on(DependencyKind::afterany, 1)}));
    graph.submitted(job(3, {on(DependencyKind::afterok, 1)}));
    graph.submitted(job(4, {on(DependencyKind::afternotok, 1)}));
    graph.submitted(job(5, {{.kind = DependencyKind::after, .job = {1}, .delay = Duration::minutes(5)}}));
    CHECK(graph.take_changed() == ids({2, 3, 4, 5}));
    for (std::uint32_t id : {2U, 3U, 4U, 5U}) CHECK(graph.answer_of({id}).kind == Kind::waiting);
    CHECK(graph.answer_of({3}).detail == "afterok:1");
    CHECK(graph.answer_of({5}).detail == "after:1+5");
    graph.began({1}, k_now);
    CHECK(graph.answer_of({5}).kind == Kind::satisfied);
    CHECK(graph.answer_of({5}).from == k_now + Duration::minutes(5));
    CHECK(graph.answer_of({2}).kind == Kind::waiting);
    (void)graph.take_changed();
    graph.ended({1}, ok);
    CHECK(graph.take_changed() == ids({2, 3, 4, 5}));
    CHECK(graph.answer_of({2}).kind == Kind::satisfied);
    CHECK(graph.answer_of({3}).kind == (ok ? Kind::satisfied : Kind::never));
    CHECK(graph.answer_of({4}).kind == (ok ? Kind::never : Kind::satisfied));
    CHECK(graph.take_changed().empty());
  }
}

TEST_CASE("dependencies: after is satisfied by a job that was cancelled before it began") {
  Dependencies graph;
  graph.submitted(job(1));
  graph.submitted(job(2, {{.kind = DependencyKind::after, .job = {1}, .delay = Duration::minutes(5)}}));
  graph.ended({1}, false);
  CHECK(graph.answer_of({2}).kind == Kind::satisfied);
  CHECK_FALSE(graph.answer_of({2}).from.is_set());
}

TEST_CASE("dependencies: all of them, or with `?` one of them") {
  for (const bool any : {false, true}) {
    CAPTURE(any);
    Dependencies graph;
    graph.submitted(job(1));
    graph.submitted(job(2));
    Job third = job(3, {on(DependencyKind::afterok, 1), on(DependencyKind::afterok, 2)});
    third.spec.edit().any_dependency = any;
    graph.submitted(third);
    graph.ended({1}, true);
    CHECK(graph.answer_of({3}).kind == (any ? Kind::satisfied : Kind::waiting));
    if (!any) CHECK(graph.answer_of({3}).detail == "afterok:2");
    graph.ended({2}, false);
    CHECK(graph.answer_of({3}).kind == (any ? Kind::satisfied : Kind::never));
  }
  Dependencies graph;
  graph.submitted(job(1));
  graph.submitted(job(2));
  Job third = job(3, {on(DependencyKind::afterok, 1), on(DependencyKind::afterok, 2)});
  third.spec.edit().any_dependency = true;
  graph.submitted(third);
  graph.ended({1}, false);
  CHECK(graph.answer_of({3}).kind == Kind::waiting);
  CHECK(graph.answer_of({3}).detail == "afterok:2");
  graph.ended({2}, false);
  CHECK(graph.answer_of({3}).kind == Kind::never);
}

TEST_CASE("dependencies: task by task") {
  Dependencies graph;
  for (std::uint32_t i = 0; i < 2; ++i) graph.submitted(task(10 + i, 10, i));
  for (std::uint32_t i = 0; i < 3; ++i) {
    Job waits = task(20 + i, 20, i);
    waits.spec.edit().dependencies = {on(DependencyKind::aftercorr, 10)};
    graph.submitted(waits);
  }
  graph.ended({10}, true);
  CHECK(graph.answer_of({20}).kind == Kind::satisfied);
  CHECK(graph.answer_of({21}).kind == Kind::waiting);
  CHECK(graph.answer_of({22}).kind == Kind::waiting);  // no such task: it waits for all of them
  graph.ended({11}, false);
  CHECK(graph.answer_of({21}).kind == Kind::never);
  CHECK(graph.answer_of({22}).kind == Kind::never);
}

TEST_CASE("dependencies: on an array as a whole, and on one of its tasks") {
  Dependencies graph;
  for (std::uint32_t i = 0; i < 3; ++i) graph.submitted(task(10 + i, 10, i * 2));
  graph.submitted(job(20, {on(DependencyKind::afterok, 10)}));
  graph.submitted(job(21, {{.kind = DependencyKind::afterok, .job = {10}, .task = 0}}));
  graph.submitted(job(22, {on(DependencyKind::afternotok, 10)}));
  graph.submitted(job(23, {{.kind = DependencyKind::after, .job = {10}}}));
  graph.submitted(job(24, {{.kind = DependencyKind::afterany, .job = {12}}}));  // a task by its own id
  graph.ended({10}, true);
  CHECK(graph.answer_of({20}).kind == Kind::waiting);
  CHECK(graph.answer_of({21}).kind == Kind::satisfied);
  graph.began({11}, k_now);
  CHECK(graph.answer_of({23}).kind == Kind::waiting);
  graph.began({12}, k_now + Duration::seconds(1));
  CHECK(graph.answer_of({23}).kind == Kind::satisfied);
  CHECK(graph.answer_of({23}).from == k_now + Duration::seconds(1));
  graph.ended({11}, false);
  CHECK(graph.answer_of({20}).kind == Kind::never);
  CHECK(graph.answer_of({22}).kind == Kind::waiting);
  graph.ended({12}, true);
  CHECK(graph.answer_of({22}).kind == Kind::satisfied);
  CHECK(graph.answer_of({24}).kind == Kind::satisfied);
  JobSpec spec;
  spec.dependencies = {{.kind = DependencyKind::afterok, .job = {10}, .task = 1}};
  CHECK(graph.refusal_of(spec)->message == "Job dependency problem: afterok:10_1: array 10 has no task 1");
}

TEST_CASE("dependencies: singleton goes by user and name, in the order of ids") {
  Dependencies graph;
  const std::vector<Dependency> alone{{.kind = DependencyKind::singleton}};
  graph.submitted(job(1, {}, "train"));
  graph.submitted(job(2, alone, "train"));
  graph.submitted(job(3, alone, "train"));
  graph.submitted(job(4, alone, "train", 2));
  graph.submitted(job(5, alone, "other"));
  CHECK(graph.answer_of({2}).kind == Kind::waiting);
  CHECK(graph.answer_of({4}).kind == Kind::satisfied);
  CHECK(graph.answer_of({5}).kind == Kind::satisfied);
  (void)graph.take_changed();
  graph.ended({1}, false);
  CHECK(graph.take_changed() == ids({2}));
  CHECK(graph.answer_of({2}).kind == Kind::satisfied);
  CHECK(graph.answer_of({3}).detail == "singleton");
}

TEST_CASE("dependencies: unknown jobs and cycles are refused") {
  Dependencies graph;
  graph.submitted(job(1));
  graph.submitted(job(2, {on(DependencyKind::afterok, 1)}));
  graph.submitted(job(3, {on(DependencyKind::afterok, 2)}));
  JobSpec spec;
  spec.dependencies = {on(DependencyKind::afterok, 99)};
  CHECK(graph.refusal_of(spec)->message ==
        "Job dependency problem: afterok:99: there is no such job; give the id that sbatch printed");
  spec.dependencies = {on(DependencyKind::afterok, 3)};
  CHECK_FALSE(graph.refusal_of(spec));
  CHECK(graph.refusal_of_change({1}, spec)->message == "Job dependency problem: job 1 would wait for itself");
  CHECK(graph.refusal_of_change({3}, spec).has_value());
  spec.dependencies = {on(DependencyKind::afterok, 1)};
  CHECK_FALSE(graph.refusal_of_change({3}, spec));
  Job third = job(3, spec.dependencies);
  graph.changed(third);
  (void)graph.take_changed();
  graph.ended({2}, true);
  CHECK(graph.take_changed().empty());  // nobody waits for it any more
  spec.dependencies.assign(Dependencies::k_dependencies_max + 1, on(DependencyKind::afterok, 1));
  CHECK(graph.refusal_of(spec)->message.find("a job has at most 1000") != std::string::npos);
}

TEST_CASE("dependencies: a cycle through a singleton is found") {
  Dependencies graph;
  graph.submitted(job(1, {}, "train"));
  graph.submitted(job(2, {{.kind = DependencyKind::singleton}}, "train"));
  JobSpec spec;
  spec.dependencies = {on(DependencyKind::afterany, 2)};
  CHECK(graph.refusal_of_change({1}, spec).has_value());
}

TEST_CASE("dependencies: a long chain is searched without running out of stack") {
  Dependencies graph;
  graph.submitted(job(1));
  for (std::uint32_t id = 2; id <= 100'000; ++id) graph.submitted(job(id, {on(DependencyKind::afterok, id - 1)}, ""));
  JobSpec spec;
  spec.dependencies = {on(DependencyKind::afterok, 100'000)};
  CHECK(graph.refusal_of_change({1}, spec).has_value());
}

TEST_CASE("dependencies: what is remembered survives a restart and gives the same answers") {
  Dependencies graph;
  const Job fourth = job(4, {{.kind = DependencyKind::after, .job = {3}, .delay = Duration::minutes(1)}});
  const Job fifth = job(5, {on(DependencyKind::afterok, 10)});
  graph.submitted(job(1));
  graph.submitted(job(3));
  for (std::uint32_t i = 0; i < 2; ++i) graph.submitted(task(10 + i, 10, i));
  graph.submitted(fourth);
  graph.submitted(fifth);
  graph.ended({1}, false);
  graph.began({3}, k_now);
  graph.ended({10}, true);
  Dependencies loaded = decode<Dependencies>(encode(graph)).value();
  loaded.rebuild();
  loaded.submitted(job(3));
  loaded.submitted(fourth);
  loaded.submitted(fifth);
  loaded.submitted(task(11, 10, 1));
  for (Dependencies* g : {&graph, &loaded}) {
    CHECK(g->answer_of({4}).kind == Kind::satisfied);
    CHECK(g->answer_of({4}).from == k_now + Duration::minutes(1));
    CHECK(g->answer_of({5}).kind == Kind::waiting);
    g->submitted(job(6, {on(DependencyKind::afterok, 1)}));
    CHECK(g->answer_of({6}).kind == Kind::never);
    g->ended({11}, true);
    CHECK(g->answer_of({5}).kind == Kind::satisfied);
  }
  CHECK(encode(graph) == encode(loaded));
}

TEST_CASE("dependencies: the oldest outcomes are forgotten, but not those that somebody waits for") {
  Dependencies graph;
  const auto last = static_cast<std::uint32_t>(Dependencies::k_outcomes_kept + Dependencies::k_outcomes_kept / 4 + 10);
  for (std::uint32_t i = 0; i < 3; ++i) graph.submitted(task(1 + i, 1, i));
  graph.submitted(job(4));
  graph.submitted(job(5));
  graph.submitted(job(last + 1, {on(DependencyKind::afterok, 4), on(DependencyKind::afterok, last)}, "waits"));
  for (std::uint32_t id = 6; id <= last; ++id) graph.submitted(job(id));
  for (std::uint32_t id = 1; id < last; ++id) graph.ended({id}, true);
  graph.ended({last}, true);
  CHECK(graph.answer_of({last + 1}).kind == Kind::satisfied);
  JobSpec spec;
  spec.dependencies = {on(DependencyKind::afterok, 5)};
  CHECK(graph.refusal_of(spec)->message.find("ended too long ago to be remembered") != std::string::npos);
  spec.dependencies = {on(DependencyKind::afterok, 1)};  // the array went as a whole
  CHECK(graph.refusal_of(spec).has_value());
  spec.dependencies = {on(DependencyKind::afterok, last)};
  CHECK_FALSE(graph.refusal_of(spec));
}

}  // namespace virga
