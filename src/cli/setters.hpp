// Functions for the `apply` column of option tables.
//
//   {{"name", 'n', Takes::value, Support::done, "list", "names to show"}, set_list<&SqueueOptions::names>},
#pragma once

#include "cli/options.hpp"
#include "wire/slurm_text.hpp"

namespace virga {

template <class>
struct MemberOf;
template <class Class, class Type>
struct MemberOf<Type Class::*> {
  using Target = Class;
};
template <auto Member>
using TargetOf = typename MemberOf<decltype(Member)>::Target;

template <auto Member>
Status set_flag(TargetOf<Member>& target, std::string_view, const OptionInfo&) {
  target.*Member = true;
  return {};
}

template <auto Member>
Status clear_flag(TargetOf<Member>& target, std::string_view, const OptionInfo&) {
  target.*Member = false;
  return {};
}

template <auto Member>
Status set_text(TargetOf<Member>& target, std::string_view value, const OptionInfo&) {
  target.*Member = std::string(value);
  return {};
}

template <auto Member>
Status set_list(TargetOf<Member>& target, std::string_view value, const OptionInfo&) {
  target.*Member = split_list(value);
  return {};
}

/// A number of at least one.
template <auto Member>
Status set_count(TargetOf<Member>& target, std::string_view value, const OptionInfo& row) {
  Result<std::uint32_t> count = parse_count(value);
  if (!count || *count == 0 || *count > 0x7FFFFFFF) {
    return fail(Code::invalid, "Invalid numeric value \"" + std::string(value) + "\" for --" + row.name + ".");
  }
  target.*Member = *count;
  return {};
}

}  // namespace virga
