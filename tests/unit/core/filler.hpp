// Gives every field of a value something of its own, by visit(): what a round trip loses or swaps then shows.
//
//   Job job = filled<Job>(seed);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/enum_names.hpp"
#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

namespace virga::test {

class Filler {
 public:
  explicit Filler(std::uint64_t seed) : next_(seed) {}

  template <class T>
  void operator()(std::string_view, T& value) {
    fill(value);
  }

  void fill(bool& b) { b = ++next_ % 2 == 0; }
  void fill(std::string& s) { s = "s" + std::to_string(++next_) + std::string(1, '\0'); }
  void fill(Time& t) { fill(t.ns); }
  void fill(Duration& d) { fill(d.ns); }
  void fill(Money& m) { fill(m.micro_usd); }
  template <class T>
  requires std::is_integral_v<T>
  void fill(T& n) {
    // Odd multiples of a large number fill every byte of every width.
    n = static_cast<T>(++next_ * 0x9E3779B97F4A7C15ULL);
  }
  template <NamedEnum E>
  void fill(E& e) {
    e = static_cast<E>(++next_ % std::size(EnumNames<E>::names));
  }
  template <class Tag, class Rep>
  void fill(Id<Tag, Rep>& id) {
    fill(id.value);
  }
  template <class T>
  void fill(std::vector<T>& v) {
    v.resize(2);
    for (T& x : v) fill(x);
  }
  template <AnyShared S>
  void fill(S& s) {
    fill(s.edit());
  }
  template <class K, class T>
  void fill(std::map<K, T>& m) {
    for (int i = 0; i < 2; ++i) {
      K k{};
      fill(k);
      fill(m[k]);
    }
  }
  template <class... T>
  void fill(std::variant<T...>& v) {
    std::visit([this](auto& x) { fill(x); }, v);
  }
  template <class T>
  requires std::is_class_v<T> && requires(T& t, Filler& f) { T::visit(t, f); }
  void fill(T& value) { T::visit(value, *this); }

 private:
  std::uint64_t next_;
};

template <class T>
T filled(std::uint64_t seed) {
  T value{};
  Filler(seed).fill(value);
  return value;
}

/// One of each alternative, in their order.
template <class... T>
std::vector<std::variant<T...>> one_of_each(const std::variant<T...>&, std::uint64_t seed) {
  return {std::variant<T...>(filled<T>(seed))...};
}

}  // namespace virga::test
