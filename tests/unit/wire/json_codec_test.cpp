// JSON round trips, exactness, and what bad documents are told.
#include "wire/json_codec.hpp"

#include <doctest/doctest.h>

#include "brain/state.hpp"
#include "core/binary.hpp"
#include "core/event.hpp"

using virga::Duration;
using virga::from_json_text;
using virga::Time;
using virga::to_json_text;

namespace {

std::string error_of(const auto& result) { return result ? "no error" : result.error().message; }

virga::State full_state() {
  virga::State s;
  s.config.pools.emplace_back().name = "nd";
  s.config.pools[0].sku.price_per_hour = virga::Money::usd(98, 320'000);
  s.config.partitions.push_back({"gpu", {"nd"}, Duration::infinite(), Duration::seconds(60), true, true});
  s.now = Time{1'700'000'000'123'456'789};
  s.seq = {77};
  virga::Job job;
  job.id = {1};
  job.spec.edit().name = "a \"quoted\"\n\\name\x01";
  job.owner = {1000, 100, "ann", false};
  job.nodes.edit().push_back({{5}, "n1", {0, 7}});
  job.steps.emplace_back().usage.user_cpu = Duration{1'500'000'001};
  job.exit = {2, 9};
  s.jobs[job.id] = job;
  s.vms[{5}].jobs = {{1}};
  s.backoffs["nd"] = {Time::never(), virga::Refusal::quota, "no", 3};
  s.idempotency["1000/k"] = {1};
  s.jobs_archived = 0xFFFF'FFFF'FFFF'FFFFULL;
  return s;
}

}  // namespace

TEST_CASE("a whole state survives JSON bit for bit") {
  virga::State state = full_state();
  std::string text = to_json_text(state);
  auto back = from_json_text<virga::State>(text);
  REQUIRE_MESSAGE(back, error_of(back));
  CHECK(virga::encode(*back) == virga::encode(state));
  CHECK(to_json_text(*back) == text);
}

TEST_CASE("the shapes of single values") {
  CHECK(to_json_text(Time{}) == "\"\"");
  CHECK(to_json_text(Time::never()) == "\"never\"");
  CHECK(to_json_text(Time::from_seconds(951'782'400)) == "\"2000-02-29T00:00:00Z\"");
  CHECK(to_json_text(Time{951'782'400'000'000'001}) == "\"2000-02-29T00:00:00.000000001Z\"");
  CHECK(to_json_text(Duration::infinite()) == "\"infinite\"");
  CHECK(to_json_text(Duration::seconds(90)) == "90");
  CHECK(to_json_text(Duration::milliseconds(-1500)) == "-1.5");
  CHECK(to_json_text(Duration{1}) == "0.000000001");
  CHECK(to_json_text(0.1) == "0.1");
  CHECK(to_json_text(-1.5e300) == "-1.5e+300");
  CHECK(to_json_text(1.0 / 0.0) == "null");
  CHECK(to_json_text(virga::Money::usd(98, 320'000)) == "98.32");
  CHECK(to_json_text(virga::JobState::node_fail) == "\"NODE_FAIL\"");
  CHECK(to_json_text(std::optional<int>()) == "null");
  CHECK(to_json_text(std::vector<std::string>{"a", "b"}) == R"(["a","b"])");
  CHECK(to_json_text(std::map<virga::JobId, int>{{{4}, -1}, {{5}, 2}}) == R"({"4":-1,"5":2})");
  CHECK(to_json_text(virga::EventBody(virga::VmReady{{9}})) == R"({"type":"vm_ready","body":{"vm":9}})");
  CHECK(to_json_text(virga::EventBody(virga::TimerFired{})) == R"({"type":"timer_fired","body":{}})");
}

TEST_CASE("times and durations read back exactly") {
  for (std::int64_t ns : {1LL, 1'000'000'000LL, 1'795'000'000'999'999'999LL, 951'782'400'120'000'000LL}) {
    CHECK(from_json_text<Time>(to_json_text(Time{ns})).value().ns == ns);
  }
  for (std::int64_t ns : {0LL, 1LL, -1LL, 100'000'001LL, 86'400'123'456'789LL, 9'000'000'000'000'000'000LL}) {
    CHECK(from_json_text<Duration>(to_json_text(Duration{ns})).value().ns == ns);
  }
  CHECK(from_json_text<Duration>("0.1").value() == Duration::milliseconds(100));
  CHECK(from_json_text<Time>("\"2026-01-31T12:00:00.5Z\"").value().ns % 1'000'000'000 == 500'000'000);
  for (const char* bad : {"\"2026-02-30T00:00:00Z\"", "\"2026-01-01T24:00:00Z\"", "\"2026-01-01T00:00:00\"",
                          "\"yesterday\"", "\"2026-01-01T00:00:00.Z\"", "\"9999-01-01T00:00:00Z\""}) {
    CHECK_FALSE(from_json_text<Time>(bad));
  }
  CHECK_FALSE(from_json_text<Duration>("1e300"));
  CHECK_FALSE(from_json_text<Duration>("\"1h\""));
}

TEST_CASE("strings are bytes: what is no UTF-8 travels as lone surrogates") {
  std::string bytes = "caf\xe9 \xc3\xa9 \xff\x00 \xed\xa0\x80 \xf0\x9f\x98\x80";
  bytes[7] = '\xfe';
  std::string text = to_json_text(bytes);
  CHECK(text.find("\\udce9") != text.npos);
  CHECK(text.find("\xc3\xa9") != text.npos);
  CHECK(from_json_text<std::string>(text).value() == bytes);
  CHECK(from_json_text<std::string>("\"\xe9\"").value() == "\xe9");
  // A pair is a character, and an escaped backslash is none of ours.
  CHECK(from_json_text<std::string>(R"("\ud83d\udc80")").value() == "\xf0\x9f\x92\x80");
  CHECK(from_json_text<std::string>(R"("\\udc80")").value() == "\\udc80");
  CHECK_FALSE(from_json_text<std::string>(R"("\ud83d")"));
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(from_json_text<std::string>(to_json_text(all)).value() == all);
}

TEST_CASE("missing keys keep their defaults") {
  auto spec = from_json_text<virga::JobSpec>(R"({"nodes":4,"per_node":{"gpus":8},"time_limit":"infinite"})");
  REQUIRE(spec);
  CHECK(spec->nodes == 4);
  CHECK(spec->per_node.gpus == 8);
  CHECK(spec->requeue);
}

TEST_CASE("what is wrong is named with its path") {
  using virga::JobSpec;
  CHECK(error_of(from_json_text<JobSpec>(R"({"nodse":4})"))
            .starts_with("the document has the unknown key 'nodse'; it may have: kind, name,"));
  CHECK(error_of(from_json_text<JobSpec>(R"({"nodes":"4"})")) == "'nodes' must be a whole number from 0 to 4294967295");
  CHECK(error_of(from_json_text<JobSpec>(R"({"nodes":-1})")) == "'nodes' must be a whole number from 0 to 4294967295");
  CHECK(error_of(from_json_text<JobSpec>(R"({"nodes":4294967296})")).starts_with("'nodes' must be"));
  CHECK(error_of(from_json_text<JobSpec>(R"({"nodes":1.5})")).starts_with("'nodes' must be"));
  CHECK(error_of(from_json_text<JobSpec>(R"({"per_node":{"cpus":true}})")).starts_with("'per_node.cpus' must be"));
  CHECK(error_of(from_json_text<JobSpec>(R"({"kind":"bach"})")) ==
        "'kind' is 'bach', which must be one of: batch, allocation");
  CHECK(error_of(from_json_text<virga::Job>(R"({"nodes":[{"vm":1},{"gpus":[0,"x"]}]})"))
            .starts_with("'nodes[1].gpus[1]' must be a whole number"));
  CHECK(error_of(from_json_text<JobSpec>("[]")) == "the document must be an object, not an array");
  CHECK(error_of(from_json_text<virga::EventBody>(R"({"type":"vm_red","body":{}})")) ==
        "the document has the unknown type 'vm_red'");
  CHECK(error_of(from_json_text<std::map<virga::JobId, int>>(R"({"x":1})")) == "'x' has a key that is no number");
}

TEST_CASE("text that is not JSON is told with its position") {
  CHECK(error_of(from_json_text<virga::JobSpec>("{\n \"nodes\": 4,,}")).find("at line 2, column 13") !=
        std::string::npos);
  CHECK(error_of(from_json_text<virga::JobSpec>("")).starts_with("not JSON: incomplete JSON at line 1, column 1"));
  CHECK_FALSE(from_json_text<virga::JobSpec>("{} x"));
  CHECK_FALSE(from_json_text<virga::JobSpec>(std::string(100'000, '[')));
}

TEST_CASE("a large script and many variables survive") {
  virga::LaunchPayload payload;
  payload.script = "#!/bin/sh\n" + std::string(10'000'000, '\n');
  for (int i = 0; i < 20'000; ++i) payload.environment.push_back("V" + std::to_string(i) + "=x\xffy");
  auto back = from_json_text<virga::LaunchPayload>(to_json_text(payload));
  REQUIRE(back);
  CHECK(back->script == payload.script);
  CHECK(back->environment == payload.environment);
}

TEST_CASE("a writer without a struct") {
  virga::JsonWriter w;
  w.begin_object();
  w("a", 1);
  w("b", "x");
  w.key("c");
  w.begin_array();
  w.put(true);
  w.put_null();
  w.begin_object();
  w.end_object();
  w.end_array();
  w.key("d");
  w.put_json("{\"e\":2}");
  w.end_object();
  CHECK(w.take() == R"({"a":1,"b":"x","c":[true,null,{}],"d":{"e":2}})");
}
