// A document that was written as JSON, as Slurm's --yaml writes it: every node with its tag.
//
//   slurm_yaml("{\"a\":[1,null]}")    // %YAML 1.1 / --- !!map / !!str a: !!seq / - !!int 1 / - !!null null
#pragma once

#include <string>
#include <string_view>

namespace virga {

/// `json` is well-formed: it comes from our own writers. With `empty_is_null` empty texts are null, as they are in
/// Slurm's documents of jobs and nodes (in those of accounts they are not).
std::string slurm_yaml(std::string_view json, bool empty_is_null = false);

}  // namespace virga
