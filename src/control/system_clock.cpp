#include "control/system_clock.hpp"

#include <time.h>

#include <algorithm>

namespace virga {

namespace {

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

class SystemClock : public Clock {
 public:
  explicit SystemClock(Time not_before)
      : start_(std::max(not_before, Time{read_clock(CLOCK_REALTIME)})), boot_start_(read_clock(CLOCK_BOOTTIME)) {}

  Time now() override { return start_ + Duration{read_clock(CLOCK_BOOTTIME) - boot_start_}; }

 private:
  Time start_;
  std::int64_t boot_start_;
};

}  // namespace

std::unique_ptr<Clock> make_system_clock(Time not_before) { return std::make_unique<SystemClock>(not_before); }

}  // namespace virga
