// Which of several controllers of one home leads, as whoever acts on its machine knows it: the highest term lies in a
// file there, so that an old leader's late wish, such as to boot a node or to let a job of Slurm begin, has no effect
// (ports/leadership.hpp).
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "wire/home.hpp"

namespace virga {

/// Keeps the term if it is the highest so far.
void note_term(const Home& home, std::uint64_t term);

/// Whether another controller has begun a later term. Never for 0: there is one controller only.
bool has_later_term(const Home& home, std::uint64_t term);

/// Who leads for sure, and yet under an earlier term than nodes of this home have heard of, has another journal than
/// they.
Status check_term(const Home& home, std::uint64_t term);

/// Terms are those of one journal: once nothing is left that a late wish could meet, the next journal may begin with 1.
void forget_terms(const Home& home);

}  // namespace virga
