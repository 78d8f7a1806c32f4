// A document that was written as JSON, as Slurm's --yaml writes it: every node with its tag.
//
//   slurm_yaml("{\"a\":[1,null]}")    // %YAML 1.1 / --- !!map / !!str a: !!seq / - !!int 1 / - !!null null
#pragma once

#include <string>
#include <string_view>

namespace virga {

/// `json` is well-formed: it comes from our own writers.
std::string slurm_yaml(std::string_view json);

}  // namespace virga
