#include "brain/training/training_note.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "brain/place/collective_time.hpp"
#include "twin/constants.hpp"

namespace virga {

namespace {

constexpr std::string_view k_between = " \t\n\r,;";
constexpr std::size_t k_shown_max = 40;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return out;
}

std::string_view shortened(std::string_view text) { return text.substr(0, k_shown_max); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Tenfold, `power` times; the largest number where that is too much.
std::uint64_t scaled(std::uint64_t value, std::uint32_t power) {
  constexpr std::uint64_t k_max = std::numeric_limits<std::uint64_t>::max();
  for (; power > 0; --power) {
    if (value > k_max / 10) return k_max;
    value *= 10;
  }
  return value;
}

/// "300B", "1.4t", "3e11", "65536"; nothing for what is none of these or no whole number. Integers only, so that it is
/// the same everywhere.
std::optional<std::uint64_t> amount_of(std::string_view text) {
  constexpr std::size_t k_digits_max = 18;
  std::uint64_t digits = 0;
  std::size_t count = 0;
  std::uint32_t fraction = 0;
  bool after_point = false;
  std::size_t i = 0;
  for (; i < text.size() && (is_digit(text[i]) || (text[i] == '.' && !after_point)); ++i) {
    if (text[i] == '.') {
      after_point = true;
      continue;
    }
    if (++count > k_digits_max) return std::nullopt;
    digits = digits * 10 + static_cast<std::uint64_t>(text[i] - '0');
    fraction += after_point ? 1 : 0;
  }
  if (count == 0) return std::nullopt;
  std::uint32_t power = 0;
  const std::string_view rest = text.substr(i);
  if (rest.size() == 1 && std::string_view("kmbt").find(rest[0]) != std::string_view::npos) {
    power = 3 * (static_cast<std::uint32_t>(std::string_view("kmbt").find(rest[0])) + 1);
  } else if ((rest.size() == 2 || rest.size() == 3) && rest[0] == 'e' && is_digit(rest[1]) && is_digit(rest.back())) {
    for (const char c : rest.substr(1)) power = power * 10 + static_cast<std::uint32_t>(c - '0');
  } else if (!rest.empty()) {
    return std::nullopt;
  }
  for (; fraction > power && digits % 10 == 0; --fraction) digits /= 10;
  if (fraction > power) return std::nullopt;
  return scaled(digits, power - fraction);
}

class Reader {
 public:
  explicit Reader(TrainingNote& note) : note_(note) {}

  void read(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return;
    const std::string key = lower(word.substr(0, equals));
    const std::string value = lower(word.substr(equals + 1));
    if (key == "model") {
      note_.model = word.substr(equals + 1);
    } else if (!read_number(key, value) && !read_word(key, value)) {
      note_.unknown.emplace_back(shortened(key));
    }
  }

 private:
  void wrong(std::string_view key, std::string_view value, std::string_view right) {
    if (note_.mistake.empty())
      note_.mistake = fmt::format("{}={} is not right; write {}", key, shortened(value), right);
  }

  bool read_number(std::string_view key, std::string_view value) {
    struct Number {
      std::string_view key;
      std::uint32_t twin::FitWish::*to;
      std::uint32_t most;
    };
    // What the twin's tables of layouts have room for, and batches that nobody exceeds.
    static constexpr Number k_numbers[] = {
        {"tp", &twin::FitWish::tp, 4096},
        {"pp", &twin::FitWish::pp, 4096},
        {"cp", &twin::FitWish::cp, 4096},
        {"ep", &twin::FitWish::ep, 4096},
        {"interleave", &twin::FitWish::interleave, 1024},
        {"micro-batch", &twin::FitWish::micro_batch, 4096},
        {"mbs", &twin::FitWish::micro_batch, 4096},
        {"global-batch", &twin::FitWish::global_batch, 100'000'000},
        {"gbs", &twin::FitWish::global_batch, 100'000'000},
    };
    const std::optional<std::uint64_t> amount = amount_of(value);
    if (key == "tokens") {
      if (!amount || *amount == 0) {
        wrong(key, value, "a number of tokens, such as 300B, 1.4T or 3e11");
      } else {
        note_.tokens = *amount;
      }
      return true;
    }
    const auto set = [&](std::uint32_t& to, std::uint32_t most) {
      if (!amount || *amount < 1 || *amount > most) {
        wrong(key, value, fmt::format("a whole number from 1 to {}", most));
      } else {
        to = static_cast<std::uint32_t>(*amount);
      }
      return true;
    };
    for (const Number& number : k_numbers) {
      if (key == number.key) return set(note_.wish.*number.to, number.most);
    }
    return key == "seq" && set(note_.seq, 16'777'216);
  }

  template <class E>
  void read_enum(std::string_view key, std::string_view value, std::optional<E>& to) {
    to = enum_from_name<E>(value);
    if (to) return;
    std::string all;
    for (const std::string_view name : EnumNames<E>::names) all.append(all.empty() ? "" : ", ").append(name);
    wrong(key, value, "one of " + all);
  }

  void read_choice(std::string_view key, std::string_view value, std::string_view yes, std::string_view no,
                   std::optional<bool>& to) {
    if (value == yes || value == no) {
      to = value == yes;
    } else {
      wrong(key, value, fmt::format("{} or {}", yes, no));
    }
  }

  bool read_word(std::string_view key, std::string_view value) {
    if (key == "recompute") {
      read_enum(key, value, note_.wish.recompute);
    } else if (key == "precision") {
      read_enum(key, value, note_.wish.precision);
    } else if (key == "optimizer") {
      read_choice(key, value, "distributed", "replicated", note_.wish.distributed_optimizer);
    } else if (key == "sharding") {
      read_choice(key, value, "full", "none", note_.wish.sharded_weights);
    } else if (key == "software") {
      note_.wish.stack = twin::find_stack(value);
      if (note_.wish.stack != nullptr) return true;
      std::string all;
      for (const twin::Stack& stack : twin::k_stacks) all.append(all.empty() ? "" : ", ").append(stack.name);
      wrong(key, value, "one of " + all);
    } else {
      return false;
    }
    return true;
  }

  TrainingNote& note_;
};

}  // namespace

bool may_name_model(std::string_view comment) {
  constexpr std::string_view k_key = "model";
  for (std::size_t at = comment.find('='); at != std::string_view::npos; at = comment.find('=', at + 1)) {
    if (at >= k_key.size() && lower(comment.substr(at - k_key.size(), k_key.size())) == k_key) return true;
  }
  return false;
}

std::optional<TrainingNote> training_note(std::string_view comment) {
  if (!may_name_model(comment)) return std::nullopt;
  TrainingNote note;
  Reader reader(note);
  for (std::size_t at = comment.find_first_not_of(k_between); at != std::string_view::npos;) {
    const std::size_t end = std::min(comment.find_first_of(k_between, at), comment.size());
    reader.read(comment.substr(at, end - at));
    at = comment.find_first_not_of(k_between, end);
  }
  if (note.model.empty()) return std::nullopt;
  return note;
}

std::uint64_t reference_bytes(const JobSpec& spec) {
  const std::optional<TrainingNote> note = training_note(spec.comment);
  const twin::Transformer* model = note ? twin::find_model(note->model) : nullptr;
  if (model == nullptr) return k_reference_bytes;
  const std::uint64_t parts = std::uint64_t{std::max(note->wish.tp, 1U)} * std::max(note->wish.pp, 1U);
  return std::max<std::uint64_t>(2 * twin::parameters(*model).total / parts, 1);
}

}  // namespace virga
