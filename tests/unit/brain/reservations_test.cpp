// Reservations: what a job may use at the worst moment of its time, against a count second by second.
#include "brain/policy/reservations.hpp"

#include <doctest/doctest.h>

#include <random>

namespace virga {
namespace {

Time at(std::int64_t s) { return Time::from_seconds(1'000'000 + s); }

}  // namespace

TEST_CASE("reservations: others keep off while one is under way, and end before one that comes") {
  const std::vector<ReservedSlice> slices{{"course", at(100), at(200), 6}};
  ReservationQuery query{.total = 10, .from = at(0), .until = at(100)};
  CHECK(usable_nodes(slices, query) == 10);
  query.until = at(101);
  CHECK(usable_nodes(slices, query) == 4);
  query.until = Time::never();
  CHECK(usable_nodes(slices, query) == 4);
  query.from = at(200);
  CHECK(usable_nodes(slices, query) == 10);
  query.used_by_others = 3;
  CHECK(usable_nodes(slices, query) == 7);
  query.from = at(150);
  CHECK(usable_nodes(slices, query) == 1);
  query.used_by_others = 9;
  CHECK(usable_nodes(slices, query) == 0);
}

TEST_CASE("reservations: their own jobs run inside of them only") {
  std::vector<ReservedSlice> slices{{"course", at(100), at(200), 6}};
  ReservationQuery query{.total = 10, .from = at(100), .until = at(200), .reservation = "course"};
  CHECK(usable_nodes(slices, query) == 6);
  slices[0].in_use = 4;
  CHECK(usable_nodes(slices, query) == 2);
  query.until = at(201);
  CHECK(usable_nodes(slices, query) == 0);
  query.until = at(150);
  query.from = at(99);
  CHECK(usable_nodes(slices, query) == 0);
  query.reservation = "other";
  CHECK(usable_nodes(slices, query) == 0);
}

TEST_CASE("reservations: one that ends when another begins is not counted with it") {
  const std::vector<ReservedSlice> slices{{"a", at(0), at(100), 6}, {"b", at(100), at(200), 6}};
  CHECK(usable_nodes(slices, {.total = 10, .from = at(0), .until = at(200)}) == 4);
}

TEST_CASE("reservations: equal to a count at each second, and the earliest start is the earliest") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<ReservedSlice> slices;
    for (unsigned n = random() % 6; n > 0; --n) {
      const auto start = static_cast<std::int64_t>(random() % 40);
      slices.push_back({"r" + std::to_string(n), at(start), at(start + 1 + static_cast<std::int64_t>(random() % 20)),
                        static_cast<std::uint32_t>(random() % 6)});
    }
    const auto right = [&](std::int64_t from, std::int64_t until) {
      std::uint32_t worst = 0;
      for (std::int64_t s = from; s < until; ++s) {
        std::uint32_t sum = 0;
        for (const ReservedSlice& slice : slices) sum += slice.start <= at(s) && at(s) < slice.end ? slice.nodes : 0;
        worst = std::max(worst, sum);
      }
      return worst < 10 ? 10 - worst : 0;
    };
    const auto from = static_cast<std::int64_t>(random() % 50);
    const auto length = static_cast<std::int64_t>(1 + random() % 20);
    const ReservationQuery query{.total = 10, .from = at(from), .until = at(from + length)};
    CHECK(usable_nodes(slices, query) == right(from, from + length));
    const auto nodes = static_cast<std::uint32_t>(1 + random() % 10);
    std::int64_t earliest = from;
    while (right(earliest, earliest + length) < nodes) ++earliest;
    CHECK(earliest_start(slices, query, nodes) == at(earliest));
  }
  CHECK(earliest_start({}, {.total = 10, .from = at(0), .until = at(1)}, 11).is_never());
}

TEST_CASE("reservations: who may use one, and what for") {
  Config config;
  config.reservations.push_back({.name = "course",
                                 .start = at(0),
                                 .end = at(3'600),
                                 .nodes = 4,
                                 .partition = "main",
                                 .users = {"ada"},
                                 .tenants = {"science"}});
  JobSpec spec;
  spec.partition = "main";
  spec.nodes = 4;
  spec.time_limit = Duration::minutes(60);
  const Actor ada{1, 1, "ada", false};
  const Actor eve{2, 2, "eve", false};
  CHECK_FALSE(reservation_refusal(config, spec, eve));
  spec.reservation = "cours";
  CHECK(reservation_refusal(config, spec, ada)->message.find("there is no reservation cours") != std::string::npos);
  spec.reservation = "course";
  CHECK_FALSE(reservation_refusal(config, spec, ada));
  CHECK(reservation_refusal(config, spec, eve)->code == Code::denied);
  CHECK_FALSE(reservation_refusal(config, spec, Actor{0, 0, "root", true}));
  spec.account = "science";
  CHECK_FALSE(reservation_refusal(config, spec, eve));
  spec.nodes = 5;
  CHECK(reservation_refusal(config, spec, ada)->code == Code::refused);
  spec.nodes = 1;
  spec.time_limit = Duration::infinite();
  CHECK(reservation_refusal(config, spec, ada)->message.find("lasts 60 minutes") != std::string::npos);
  spec.time_limit = Duration::minutes(1);
  spec.partition = "debug";
  CHECK(reservation_refusal(config, spec, ada)->message.find("is in partition main, the job in debug") !=
        std::string::npos);
  CHECK(slices_of(config, "main").size() == 1);
  CHECK(slices_of(config, "debug").empty());
}

}  // namespace virga
