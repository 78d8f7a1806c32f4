// Shared and SharedList: copies are the same until one is changed.
#include "base/shared.hpp"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

namespace virga {

TEST_CASE("shared: a change is seen by nobody else") {
  Shared<std::string> empty;
  CHECK(empty->empty());
  Shared<std::string> one = std::string("one");
  const Shared<std::string> copy = one;
  CHECK(&*copy == &*one);
  one.edit() += " more";
  CHECK(*one == "one more");
  CHECK(*copy == "one");
  CHECK(copy == Shared<std::string>(std::string("one")));
  CHECK(empty.copy(*copy) == "one");
  CHECK(empty == copy);
  CHECK(&*empty != &*copy);
}

TEST_CASE("shared list: reads as a vector, and a change is seen by nobody else") {
  SharedList<int> list = {1, 2, 3};
  const SharedList<int> copy = list;
  list.edit().push_back(4);
  CHECK((list.size() == 4 && copy.size() == 3));
  CHECK((list[3] == 4 && list.front() == 1 && *(copy.end() - 1) == 3));
  list.clear();
  CHECK((list.empty() && list.begin() == list.end()));
  CHECK(list == SharedList<int>{});
  CHECK(copy == SharedList<int>{1, 2, 3});
  static_assert(AnyShared<SharedList<int>> && AnyShared<Shared<int>> && !AnyShared<std::string>);
}

}  // namespace virga
