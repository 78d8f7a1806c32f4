// Slurm's --constraint: features that nodes must have, as an expression.
//
//   feature_mistake("a&(b|c)", {"a", "b", "c"})          // nothing: it can be read, and all of its names are known
//   features_hold("[h100|h200]*4&ib", pool.features, 8)   // whether nodes of this pool will do
//
// "&" (or ",") and "|" are taken from left to right, as Slurm takes them; (…) and […] group. name*N asks for that many
// nodes with the feature. All nodes of a pool have the same features, and a job's nodes are of one pool: so what
// brackets say beyond grouping (that all nodes have the same one of the alternatives) is true of every job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace virga {

/// What is wrong with the expression: it cannot be read, or names a feature that is not `known`.
std::optional<std::string> feature_mistake(std::string_view text, const std::vector<std::string>& known);
/// Whether a job of `nodes` nodes that have `features` gets what it asks for; an empty expression asks for nothing.
bool features_hold(std::string_view text, const std::vector<std::string>& features, std::uint32_t nodes);

}  // namespace virga
