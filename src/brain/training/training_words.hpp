// What explain and the warnings say of predictions, in words.
//
//   span_text(Duration::minutes(1500));      // "1 d 1 h"
//   span_text(Duration::milliseconds(12));   // "12.0 ms"
//   bytes_text(1ULL << 30);                  // "1.0 GiB"
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "brain/training/training_check.hpp"

namespace virga {

/// The two largest units; below a minute one, with a decimal.
std::string span_text(Duration span);
std::string bytes_text(std::uint64_t bytes);

/// "a step of llama-3-70b is predicted to take 12.3 s (tp=8 pp=4 dp=2, …): 681574 tokens/s, 61.0 of 79.1 GiB of each …"
std::string words_of(const TrainingPlan& plan);
/// "chosen before pool b, where the all-reduce of 1.0 GiB is predicted to take 9.8 ms instead of 5.2 ms"
std::string words_of(const PassedOver& passed_over);

}  // namespace virga
