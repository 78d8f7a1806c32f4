// Slurm's text forms; the expected texts are what Slurm 22.05.8 prints.
#include "wire/slurm_text.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "wire/slurm_reasons.hpp"

using namespace std::string_literals;
using virga::Duration;
using virga::Time;

namespace {

std::int64_t limit_seconds(std::string_view text) {
  virga::Result<Duration> d = virga::parse_time_limit(text);
  return !d ? -1 : d->is_infinite() ? -2 : d->whole_seconds();
}

/// Times of day are the machine's; the tests need one that they know.
struct FixedZone {
  FixedZone() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

}  // namespace

TEST_CASE("time limits in all of Slurm's forms") {
  CHECK(limit_seconds("30") == 1800);
  CHECK(limit_seconds("30:15") == 1815);
  CHECK(limit_seconds("1:30:15") == 5415);
  CHECK(limit_seconds("2-4") == 2 * 86400 + 4 * 3600);
  CHECK(limit_seconds("2-4:30") == 2 * 86400 + 4 * 3600 + 1800);
  CHECK(limit_seconds("2-4:30:15") == 2 * 86400 + 4 * 3600 + 1815);
  CHECK(limit_seconds("0:03") == 3);
  CHECK(limit_seconds("0") == -2);
  CHECK(limit_seconds("UNLIMITED") == -2);
  CHECK(limit_seconds("infinite") == -2);
  for (const char* bad : {"", "x", "1:", ":1", "1:2:3:4", "1-2:3:4:5", "-5", "1.5", "9999999999999", "1 "}) {
    CAPTURE(bad);
    CHECK(limit_seconds(bad) == -1);
  }
}

TEST_CASE("durations as squeue, sacct and scontrol print them") {
  CHECK(virga::short_duration_text(Duration::seconds(0)) == "0:00");
  CHECK(virga::short_duration_text(Duration::seconds(87)) == "1:27");
  CHECK(virga::short_duration_text(Duration::seconds(3725)) == "1:02:05");
  CHECK(virga::short_duration_text(Duration::seconds(86400 + 3725)) == "1-01:02:05");
  CHECK(virga::long_duration_text(Duration::seconds(25)) == "00:00:25");
  CHECK(virga::long_duration_text(Duration::seconds(86400)) == "1-00:00:00");
  CHECK(virga::cpu_time_text(Duration::milliseconds(36)) == "00:00.036");
  CHECK(virga::cpu_time_text({}) == "00:00:00");
  CHECK(virga::time_limit_text(Duration::infinite(), "infinite") == "infinite");
  CHECK(virga::time_limit_text(Duration::minutes(5), "UNLIMITED") == "5:00");
  CHECK(virga::time_limit_text(Duration::minutes(5), "UNLIMITED", true) == "00:05:00");
}

TEST_CASE("memory sizes") {
  CHECK(*virga::parse_memory("2000") == 2000ULL << 20);
  CHECK(*virga::parse_memory("4G") == 4ULL << 30);
  CHECK(*virga::parse_memory("4GB") == 4ULL << 30);
  CHECK(*virga::parse_memory("512k") == 512ULL << 10);
  CHECK(*virga::parse_memory("0") == 0);
  for (const char* bad : {"", "x", "G", "4X", "-1", "1.5G", "99999999999T"}) {
    CAPTURE(bad);
    CHECK_FALSE(virga::parse_memory(bad));
  }
  CHECK(virga::memory_text(2000ULL << 20) == "2000M");
  CHECK(virga::memory_text(4096ULL << 20) == "4G");
  CHECK(virga::memory_text(2560ULL << 20) == "2.50G");
  CHECK(virga::memory_text(1234ULL << 10, 'K') == "1234K");
  CHECK(virga::memory_text(0) == "0");
}

TEST_CASE("signals by name and number") {
  CHECK(*virga::parse_signal("USR1") == SIGUSR1);
  CHECK(*virga::parse_signal("sigterm") == SIGTERM);
  CHECK(*virga::parse_signal("9") == 9);
  CHECK_FALSE(virga::parse_signal("FOO"));
  CHECK_FALSE(virga::parse_signal("0"));
  CHECK(virga::signal_name(SIGUSR2) == "USR2");
}

TEST_CASE("local times") {
  FixedZone zone;
  const Time noon = Time::from_seconds(1795435200);  // 2026-11-23T12:00:00Z
  CHECK(virga::local_time_text(noon) == "2026-11-23T12:00:00");
  CHECK(virga::local_time_text({}, "N/A") == "N/A");
  CHECK(virga::local_time_text(Time::never(), "NONE") == "NONE");
  CHECK(*virga::parse_local_time("now", noon) == noon);
  CHECK(*virga::parse_local_time("now-1hour", noon) == noon - Duration::seconds(3600));
  CHECK(*virga::parse_local_time("now+2days", noon) == noon + Duration::seconds(2 * 86400));
  for (const char* far : {"2426-01-31T12:00", "0000-01-31", "9999-12-31"})
    CHECK_FALSE(virga::parse_local_time(far, noon));
  CHECK(virga::local_time_text(*virga::parse_local_time("midnight", noon)) == "2026-11-23T00:00:00");
  CHECK(virga::local_time_text(*virga::parse_local_time("2025-01-31", noon)) == "2025-01-31T00:00:00");
  CHECK(virga::local_time_text(*virga::parse_local_time("2025-01-31T13:14:15", noon)) == "2025-01-31T13:14:15");
  CHECK(virga::local_time_text(*virga::parse_local_time("13:30", noon)) == "2026-11-23T13:30:00");
  CHECK(virga::parse_local_time("foo", noon).error().message == "Invalid time specification (pos=0): foo");
  CHECK_FALSE(virga::parse_local_time("now-1moon", noon));
}

TEST_CASE("lists") {
  CHECK(virga::split_list("a,b,,c") == std::vector{"a"s, "b"s, "c"s});
  CHECK(virga::split_list("").empty());
  CHECK(virga::split_list(",").empty());
}

TEST_CASE("reasons and states in Slurm's words") {
  bool elsewhere = false;
  CHECK(virga::slurm_reason(virga::Reason::held_user) == "JobHeldUser");
  CHECK(virga::slurm_reason(virga::Reason::config_refuses) == "BadConstraints");
  CHECK(virga::slurm_state_code(virga::JobState::node_fail) == "NF");
  CHECK(virga::job_state_from_slurm("pd", elsewhere) == virga::JobState::pending);
  CHECK(virga::job_state_from_slurm("Running", elsewhere) == virga::JobState::running);
  CHECK_FALSE(virga::job_state_from_slurm("SUSPENDED", elsewhere));
  CHECK(elsewhere);
  CHECK_FALSE(virga::job_state_from_slurm("FOO", elsewhere));
  CHECK_FALSE(elsewhere);
  CHECK(virga::wait_status({3, 0}) == 3 << 8);
  CHECK(virga::wait_status({0, 9}) == 9);
  virga::Job running;
  running.state = virga::JobState::running;
  running.reason = virga::Reason::booting;
  CHECK(virga::slurm_reason(running) == "None");
}
