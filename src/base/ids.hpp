// Strong identifiers: a JobId can never be passed where a VmId is meant.
//
//   JobId job{42};
//   IdMap<JobId, Job> jobs;             // ordered, so iteration is deterministic
//
// An id is an integer that is never reused inside one journal. Zero means "none".
#pragma once

#include <compare>
#include <cstdint>

namespace virga {

template <class Tag, class Rep>
struct Id {
  Rep value = 0;

  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using JobId = Id<struct JobTag, std::uint32_t>;
using VmId = Id<struct VmTag, std::uint64_t>;
using GangId = Id<struct GangTag, std::uint64_t>;

/// Position of an event in the journal; the first event has 1.
using Seq = Id<struct SeqTag, std::uint64_t>;

}  // namespace virga
