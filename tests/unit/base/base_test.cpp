// Ids, time, money, digest, results: the smallest words.
#include <doctest/doctest.h>

#include <map>
#include <type_traits>

#include "base/digest.hpp"
#include "base/enum_names.hpp"
#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

static_assert(!std::is_convertible_v<JobId, VmId> && !std::is_convertible_v<int, JobId> &&
                  !std::is_convertible_v<JobId, int>,
              "an id is never passed for another one, or for a number");

TEST_CASE("id: ordered, and zero means none") {
  CHECK_FALSE(JobId{});
  CHECK(JobId{1});
  CHECK(JobId{1} < JobId{2});
  CHECK(JobId{2} == JobId{2});
  std::map<JobId, int> map{{JobId{10}, 1}, {JobId{9}, 2}};
  CHECK(map.begin()->first == JobId{9});
}

TEST_CASE("duration: units, and infinite") {
  CHECK(Duration::seconds(90) == Duration::minutes(1) + Duration::milliseconds(30'000));
  CHECK((Duration::seconds(5) - Duration::seconds(7)).ns == -2'000'000'000);
  CHECK((Duration::seconds(2) * 3).whole_seconds() == 6);
  CHECK(Duration::nanoseconds(1'999'999'999).whole_seconds() == 1);
  CHECK(Duration::infinite().is_infinite());
  CHECK_FALSE(Duration::minutes(60 * 24 * 365 * 100).is_infinite());
  CHECK(Duration::minutes(60 * 24 * 365 * 100) < Duration::infinite());
}

TEST_CASE("time: sums keep never, and infinite durations lead to it") {
  const Time noon = Time::from_seconds(1'700'000'000);
  CHECK(noon + Duration::seconds(5) - noon == Duration::seconds(5));
  CHECK(noon - Duration::seconds(1) < noon);
  CHECK((noon + Duration::infinite()).is_never());
  CHECK((Time::never() + Duration::seconds(5)).is_never());
  CHECK((Time::never() + Duration::seconds(-5)).is_never());
  CHECK(noon < Time::never());
  CHECK_FALSE(Time{}.is_set());
  CHECK(noon.is_set());
  CHECK(noon.whole_seconds() == 1'700'000'000);
}

TEST_CASE("money: a price over a time, rounded down, beyond 64 bits inside") {
  const Money hour = Money::usd(98, 320'000);
  CHECK(hour.micro_usd == 98'320'000);
  CHECK(price_for(hour, Duration::minutes(60)) == hour);
  CHECK(price_for(hour, Duration::minutes(2)).micro_usd == 3'277'333);
  CHECK(price_for(hour, Duration{}).micro_usd == 0);
  CHECK(price_for(Money{1}, Duration::minutes(59)).micro_usd == 0);
  // 1,000 nodes for a year: the product has 75 bits.
  CHECK(price_for(Money::usd(98'320), Duration::minutes(60LL * 24 * 365)).micro_usd == 98'320LL * 1'000'000 * 8'760);
  Money sum = Money::usd(1);
  sum += Money{5};
  CHECK(sum + Money{1} == Money{1'000'006});
}

TEST_CASE("digest: FNV-1a's published values, and any cut gives the same") {
  CHECK(digest_of("") == 0xcbf29ce484222325ULL);
  CHECK(digest_of("a") == 0xaf63dc4c8601ec8cULL);
  CHECK(digest_of("foobar") == 0x85944171f73967e8ULL);
  Digest d;
  d.add("foo");
  d.add("");
  d.add("bar");
  CHECK(d.value() == digest_of("foobar"));
  CHECK(digest_of(std::string_view("\0", 1)) != digest_of(""));
}

enum class Colour { red, green };
template <>
struct EnumNames<Colour> {
  static constexpr std::string_view names[] = {"red", "green"};
};

TEST_CASE("enum names: both ways") {
  CHECK(name_of(Colour::green) == "green");
  CHECK(enum_from_name<Colour>("red") == Colour::red);
  CHECK_FALSE(enum_from_name<Colour>("Red").has_value());
  CHECK_FALSE(enum_from_name<Colour>("").has_value());
}

TEST_CASE("result: a value or an error, never both") {
  Result<int> good = 5;
  CHECK(good.value() == 5);
  Result<int> bad = fail(Code::exhausted, "full", true);
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().code == Code::exhausted);
  CHECK(bad.error().message == "full");
  CHECK(bad.error().retryable);
  Status status = unexpected(bad.error());
  CHECK(status.error().message == "full");
  CHECK(Status{}.has_value());
}

}  // namespace virga
