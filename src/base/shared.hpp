// Values that are large, copied often and changed seldom: copies share one of them until somebody changes his own.
//
//   Shared<JobSpec> spec = read_spec();      // takes it over
//   Shared<JobSpec> copy = spec;             // a pointer, not the texts in it
//   copy->nodes;                             // reading
//   copy.edit().nodes = 4;                   // a copy of its own
//
//   SharedList<JobNode> nodes = std::move(vector);   // the same for a list: reads as a std::vector does
//
// They behave as the value would: equal where the values are, no identity, an empty one is T{}. Copies may be read and
// dropped by different threads.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace virga {

template <class T>
class Shared {
 public:
  using Held = T;

  Shared() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it is the value
  Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}

  const T& operator*() const { return value_ ? *value_ : k_empty; }
  const T* operator->() const { return &**this; }
  // NOLINTNEXTLINE(google-explicit-constructor): it is the value
  operator const T&() const { return **this; }

  /// A copy that nobody else has, each time: keep the reference for a row of changes.
  T& edit() { return copy(**this); }
  /// Becomes a copy of that, which may be changed.
  T& copy(const T& value) {
    value_ = std::make_shared<T>(value);
    return *value_;
  }

  friend bool operator==(const Shared& a, const Shared& b) { return a.value_ == b.value_ || *a == *b; }

 private:
  inline static const T k_empty{};
  std::shared_ptr<T> value_;  ///< empty: T{}
};

template <class T>
class SharedList {
 public:
  using value_type = T;
  using Values = std::vector<T>;
  using Held = Values;
  using const_iterator = typename Values::const_iterator;

  SharedList() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it is the list
  SharedList(Values values) : values_(std::move(values)) {}
  SharedList(std::initializer_list<T> values) : values_(Values(values)) {}

  const Values& operator*() const { return *values_; }
  const_iterator begin() const { return values_->begin(); }
  const_iterator end() const { return values_->end(); }
  std::size_t size() const { return values_->size(); }
  bool empty() const { return values_->empty(); }
  const T& front() const { return values_->front(); }
  const T& operator[](std::size_t i) const { return (*values_)[i]; }
  // NOLINTNEXTLINE(google-explicit-constructor): it is the list
  operator const Values&() const { return *values_; }

  void clear() { values_ = {}; }
  Values& edit() { return values_.edit(); }

  friend bool operator==(const SharedList& a, const SharedList& b) = default;

 private:
  Shared<Values> values_;
};

/// For codecs: what is written and read as the value itself.
template <class T>
concept AnyShared = requires(T& s) {
  typename T::Held;
  s.edit();
};

}  // namespace virga
