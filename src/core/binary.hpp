// Canonical bytes of the core types: what the journal stores, snapshots hold, and digests are taken of.
//
//   std::string bytes = encode(job);
//   Result<Job> back = decode<Job>(bytes);
//
// Layout: integers little-endian at their own width, bool and enum one byte, strings and vectors a u32 count and their
// elements, structs their visit() order, maps as vectors of pairs, a variant its index as u16 and the alternative.
// Nothing is skipped or optional, so equal values have equal bytes on every machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/enum_names.hpp"
#include "base/id_map.hpp"
#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "base/shared.hpp"
#include "base/time.hpp"

namespace virga {

class BinaryWriter {
 public:
  template <class T>
  void operator()(std::string_view, const T& value) {
    put(value);
  }

  std::string take() { return std::move(bytes_); }

  template <class T>
  requires std::is_integral_v<T>
  void put(T value) {
    using U = std::make_unsigned_t<std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>>;
    U u = static_cast<U>(value);
    char raw[sizeof(U)];
    for (std::size_t i = 0; i < sizeof(U); ++i) raw[i] = static_cast<char>(u >> (8 * i));
    bytes_.append(raw, sizeof(U));
  }
  template <class T>
  requires std::is_enum_v<T>
  void put(T value) { put(static_cast<std::uint8_t>(value)); }
  void put(const std::string& s) {
    put(static_cast<std::uint32_t>(s.size()));
    bytes_.append(s);
  }
  void put(Time t) { put(t.ns); }
  void put(Duration d) { put(d.ns); }
  void put(Money m) { put(m.micro_usd); }
  template <class Tag, class Rep>
  void put(Id<Tag, Rep> id) {
    put(id.value);
  }
  template <class T>
  void put(const std::vector<T>& v) {
    put(static_cast<std::uint32_t>(v.size()));
    for (const T& x : v) put(x);
  }
  template <AnyShared S>
  void put(const S& s) {
    put(*s);
  }
  template <AnyMap M>
  void put(const M& m) {
    put(static_cast<std::uint32_t>(m.size()));
    for (const auto& [k, x] : m) {
      put(k);
      put(x);
    }
  }
  template <class... T>
  void put(const std::variant<T...>& v) {
    put(static_cast<std::uint16_t>(v.index()));
    std::visit([this](const auto& x) { this->put(x); }, v);  // clang 14 misses a `this` that is not said
  }
  template <class T>
  requires std::is_class_v<T> && requires(const T& t, BinaryWriter& w) { T::visit(t, w); }
  void put(const T& value) { T::visit(value, *this); }

 private:
  std::string bytes_;
};

/// Reads what BinaryWriter wrote. After a short or senseless read ok() is false and all values are zero.
class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  void operator()(std::string_view, T& value) {
    get(value);
  }

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  template <class T>
  requires std::is_integral_v<T>
  void get(T& value) {
    using U = std::make_unsigned_t<std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>>;
    U u = 0;
    if (!need(sizeof(U))) {
      value = T{};
      return;
    }
    for (std::size_t i = 0; i < sizeof(U); ++i) {
      u = static_cast<U>(u | static_cast<U>(static_cast<U>(static_cast<unsigned char>(rest_[i])) << (8 * i)));
    }
    rest_.remove_prefix(sizeof(U));
    if constexpr (std::is_same_v<T, bool>) {
      if (u > 1) ok_ = false;  // equal values have equal bytes: there is one true
    }
    value = static_cast<T>(u);
  }
  template <class T>
  requires std::is_enum_v<T>
  void get(T& value) {
    std::uint8_t raw = 0;
    get(raw);
    if constexpr (NamedEnum<T>) {
      if (raw >= std::size(EnumNames<T>::names)) {  // name_of() would look beyond its table
        ok_ = false;
        raw = 0;
      }
    }
    value = static_cast<T>(raw);
  }
  void get(std::string& s) {
    std::uint32_t n = 0;
    get(n);
    s.clear();
    if (!need(n)) return;
    s.assign(rest_.substr(0, n));
    rest_.remove_prefix(n);
  }
  void get(Time& t) { get(t.ns); }
  void get(Duration& d) { get(d.ns); }
  void get(Money& m) { get(m.micro_usd); }
  template <class Tag, class Rep>
  void get(Id<Tag, Rep>& id) {
    get(id.value);
  }
  template <class T>
  void get(std::vector<T>& v) {
    std::uint32_t n = 0;
    get(n);
    v.clear();
    for (std::uint32_t i = 0; i < n && ok_; ++i) get(v.emplace_back());
  }
  template <AnyShared S>
  void get(S& s) {
    typename S::Held value{};
    get(value);
    s = std::move(value);
  }
  template <AnyMap M>
  void get(M& m) {
    std::uint32_t n = 0;
    get(n);
    m.clear();
    typename M::key_type last{};
    for (std::uint32_t i = 0; i < n && ok_; ++i) {
      typename M::key_type k{};
      get(k);
      if (i > 0 && !(last < k)) ok_ = false;  // written in order, each key once
      last = k;
      get(m[k]);
    }
  }
  template <class... T>
  void get(std::variant<T...>& v) {
    std::uint16_t index = 0;
    get(index);
    if (index >= sizeof...(T)) {
      ok_ = false;
      return;
    }
    get_alternative<0>(v, index);
  }
  template <class T>
  requires std::is_class_v<T> && requires(T& t, BinaryReader& r) { T::visit(t, r); }
  void get(T& value) { T::visit(value, *this); }

 private:
  bool need(std::size_t n) {
    if (ok_ && n > rest_.size()) ok_ = false;
    return ok_;
  }
  template <std::size_t I, class... T>
  void get_alternative(std::variant<T...>& v, std::size_t index) {
    if constexpr (I < sizeof...(T)) {
      if (index == I) {
        get(v.template emplace<I>());
      } else {
        get_alternative<I + 1>(v, index);
      }
    }
  }

  std::string_view rest_;
  bool ok_ = true;
};

template <class T>
std::string encode(const T& value) {
  BinaryWriter w;
  w.put(value);
  return w.take();
}

template <class T>
Result<T> decode(std::string_view bytes) {
  BinaryReader r(bytes);
  T value{};
  r.get(value);
  if (!r.ok()) return fail(Code::corrupt, "record does not follow its layout");
  if (!r.at_end()) return fail(Code::corrupt, "record is longer than its layout");
  return value;
}

}  // namespace virga
