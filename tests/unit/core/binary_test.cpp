// The canonical bytes: exact where they are written down, unchanged after a round trip, and safe whatever they are.
#include "core/binary.hpp"

#include <doctest/doctest.h>

#include <random>

#include "base/digest.hpp"
#include "core/event.hpp"
#include "core/job.hpp"
#include "core/vm.hpp"
#include "unit/core/filler.hpp"

namespace virga {

using test::filled;
using test::one_of_each;

namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

struct Sample {
  std::uint16_t number = 0x0102;
  std::int32_t negative = -2;
  bool flag = true;
  JobState state = JobState::running;
  std::string text = "hi";
  std::vector<JobId> ids = {{7}, {8}};
  std::map<std::string, Money> prices = {{"a", Money{1}}};
  Time time{3};
  std::variant<Resources, ExitStatus> either = ExitStatus{1, 9};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("number", s.number);
    v("negative", s.negative);
    v("flag", s.flag);
    v("state", s.state);
    v("text", s.text);
    v("ids", s.ids);
    v("prices", s.prices);
    v("time", s.time);
    v("either", s.either);
  }
};

template <class T>
void check_round_trip(const T& value) {
  const std::string bytes = encode(value);
  Result<T> back = decode<T>(bytes);
  REQUIRE(back.has_value());
  CHECK(encode(*back) == bytes);
}

/// Whatever the bytes, decoding ends, and what it accepts is exactly what encoding writes.
template <class T>
void check_any(std::string_view bytes) {
  Result<T> value = decode<T>(bytes);
  if (value) {
    CHECK(encode(*value) == bytes);
  } else {
    CHECK(value.error().code == Code::corrupt);
  }
}

template <class T>
void check_damage(const T& value, unsigned seed) {
  const std::string bytes = encode(value);
  for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(decode<T>(bytes.substr(0, size)).has_value());
  CHECK_FALSE(decode<T>(bytes + '\0').has_value());
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string hurt = bytes;
    for (unsigned n = 0; n <= random() % 3; ++n) {
      const std::size_t at = random() % hurt.size();
      switch (random() % 4) {
        case 0:
          hurt[at] = static_cast<char>(random());
          break;
        case 1:
          hurt[at] = '\xff';  // lengths and counts in the billions
          break;
        case 2:
          hurt.erase(at, 1 + random() % 8);
          break;
        default:
          hurt.insert(at, 1 + random() % 8, static_cast<char>(random()));
      }
      if (hurt.empty()) hurt = bytes;
    }
    check_any<T>(hurt);
  }
}

}  // namespace

TEST_CASE("binary: the layout, byte by byte") {
  CHECK(hex(encode(Sample{})) ==
        "0201"                      // number
        "feffffff"                  // negative
        "01"                        // flag
        "02"                        // state
        "020000006869"              // text
        "020000000700000008000000"  // ids
        "010000000100000061"        // prices: one, its key …
        "0100000000000000"          // … and its value
        "0300000000000000"          // time
        "01000100000009000000");    // either: alternative 1, code, signal
  CHECK(hex(encode(Event{Time{0x0102030405060708}, VmReady{VmId{0x1122}}})) == "08070605040302010b002211000000000000");
  CHECK(hex(encode(Event{Time::from_seconds(1), TimerFired{}})) == "00ca9a3b000000001100");
}

TEST_CASE("binary: every type comes back as it was") {
  check_round_trip(Sample{});
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    for (const EventBody& body : one_of_each(EventBody{}, seed)) check_round_trip(Event{Time{-5}, body});
    check_round_trip(filled<Job>(seed));
    check_round_trip(filled<LaunchPayload>(seed));
    check_round_trip(filled<Vm>(seed));
    check_round_trip(filled<VmRecord>(seed));
    check_round_trip(filled<Config>(seed));
  }
}

TEST_CASE("binary: equal values have equal bytes, and different ones different") {
  CHECK(encode(filled<Job>(1)) == encode(filled<Job>(1)));
  CHECK(encode(filled<Job>(1)) != encode(filled<Job>(2)));
}

TEST_CASE("binary: what no writer makes is refused") {
  CHECK(decode<bool>(std::string("\x02", 1)).error().code == Code::corrupt);
  CHECK(decode<JobState>(std::string("\x0a", 1)).value() == JobState::deadline);
  CHECK(decode<JobState>(std::string("\x0b", 1)).error().code == Code::corrupt);
  using Map = std::map<std::uint8_t, std::uint8_t>;
  CHECK(decode<Map>(std::string("\2\0\0\0\1\1\2\2", 8)).value() == Map{{1, 1}, {2, 2}});
  CHECK_FALSE(decode<Map>(std::string("\2\0\0\0\2\2\1\1", 8)).has_value());  // out of order
  CHECK_FALSE(decode<Map>(std::string("\2\0\0\0\1\1\1\1", 8)).has_value());  // the same key twice
  using Either = std::variant<std::uint8_t, bool>;
  CHECK(decode<Either>(std::string("\1\0\1", 3)).has_value());
  CHECK_FALSE(decode<Either>(std::string("\2\0\1", 3)).has_value());
  CHECK_FALSE(decode<std::string>(std::string("\xff\xff\xff\xffhi", 6)).has_value());
  CHECK_FALSE(decode<std::vector<std::string>>(std::string("\xff\xff\xff\x7f", 4)).has_value());
}

TEST_CASE("binary: cut and changed bytes are refused or mean what they say, and never crash") {
  for (const EventBody& body : one_of_each(EventBody{}, 3)) check_damage(Event{Time{1}, body}, 17);
  check_damage(filled<Job>(4), 18);
  check_damage(filled<LaunchPayload>(5), 19);
  check_damage(filled<Config>(6), 20);
  std::mt19937 random(21);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 64, '\0');
    for (char& c : noise) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 19);
    check_any<Event>(noise);
  }
}

// Journals written by an earlier build must stay readable. Where a line below changes, a stored layout has changed:
// raise k_schema_version and teach the journal to read the old one, then write the new value here. A new event type
// is a new line at the end.
TEST_CASE("binary: the stored layouts of schema version 9") {
  std::string layouts = "\n";
  auto add = [&](std::string_view name, const std::string& bytes) {
    std::uint64_t digest = digest_of(bytes);
    char raw[8];
    for (int i = 0; i < 8; ++i) raw[i] = static_cast<char>(digest >> (56 - 8 * i));
    layouts += std::string(name) + " " + std::to_string(bytes.size()) + " " + hex({raw, 8}) + "\n";
  };
  for (const EventBody& body : one_of_each(EventBody{}, 1)) add(name_of(body), encode(Event{Time{1}, body}));
  add("payload", encode(filled<LaunchPayload>(1)));
  add("job", encode(filled<Job>(1)));
  add("vm_record", encode(filled<VmRecord>(1)));
  REQUIRE(k_schema_version == 9);
  CHECK(layouts == R"(
config_changed 1279 792998e8cb67cb34
job_submitted 424 b333c9770822875d
job_acted 45 711db275a09aead1
node_updated 41 ad5e69126dafa316
step_started 45 03366610c93117a4
step_ended 66 603b844aa146f798
checkpoint_done 46 92810b58e904f249
shutdown_requested 27 5a5fe1a1a41853d7
controller_started 10 514916c89dbde68c
gang_granted 56 6dc785b685745d7f
gang_refused 34 b2e0a629ba9c5c32
vm_ready 18 22cc4711cccbe2fe
vm_failed 25 2d8b5f1392b1f6e8
vm_released 18 4ae3374841ffe1cc
job_started 18 556ed2b4e494c419
job_launch_failed 26 fddfcbeef095db34
job_ended 57 b7752e908d7e55ce
timer_fired 10 5167acc89dd7e2fd
vm_evicting 26 052789a4948f2c47
vm_unhealthy 36 427d30b9d0e7d4c8
job_accounted 183 3f027d99f7b28777
job_changed 425 b5cae7b8f62bb14c
partition_updated 51 06b6d2800022d75f
payload 47 3bdc9714919957d6
job 915 04eeb57ced927817
vm_record 77 bb14fdf0800645c5
)");
}

}  // namespace virga
