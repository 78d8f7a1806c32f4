// The part of YAML that people write topologies in: mappings, sequences and plain or quoted words, by indentation.
//
//   Result<YamlNode> root = parse_yaml("- switch: s1\n  nodes: n[1-4]\n", "topology.yaml");
//   root->items[0].find("nodes")->text;                    // n[1-4], from line 2
//
// Also [a, b] with plain words in it, comments, --- at the beginning. Not: anchors, tags, {…}, | and > texts, several
// documents. A word is never turned into a number or a truth: it is its text.
//
// Errors (Code::invalid), with file and line: tabs or wrong indentation, a key that is there twice, what is not
// supported.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct YamlNode {
  enum class Kind : std::uint8_t { empty, word, mapping, sequence };
  Kind kind = Kind::empty;
  std::uint32_t line = 0;
  std::string text = {};                                       ///< of a word
  std::vector<std::pair<std::string, YamlNode>> members = {};  ///< of a mapping, as they stand there
  std::vector<YamlNode> items = {};                            ///< of a sequence

  /// nullptr if there is no such member.
  const YamlNode* find(std::string_view name) const;
};

Result<YamlNode> parse_yaml(std::string_view text, const std::string& file_name);

}  // namespace virga
