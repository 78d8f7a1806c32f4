// What the readers of switch trees share: names become numbers, and what does not fit together is told with its place.
//
//   SwitchTreeReader reader(mistakes);                        // mistakes: of the file that is read
//   reader.add_switch({.line = 3, .name = "s1", .children = "", .hosts = "n[1-4]"});      // hostlists, as Slurm has
//   them Result<FabricGraph> graph = reader.graph(rates);
//
// Mistakes: a switch or host that is there twice, a child that is no switch, a switch without children and hosts, a
// circle, a hostlist that cannot be read.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fabric/switch_tree.hpp"
#include "wire/text_lines.hpp"

namespace virga {

class SwitchTreeReader {
 public:
  explicit SwitchTreeReader(TextMistakes& mistakes) : mistakes_(mistakes) {}

  struct Line {
    std::uint32_t line = 0;
    std::string_view name = {};
    std::string_view children = {};
    std::string_view hosts = {};
  };
  void add_switch(const Line& line);
  bool empty() const { return tree_.switches.empty(); }
  Result<FabricGraph> graph(const TreeRates& rates);

 private:
  void join_children();

  TextMistakes& mistakes_;
  SwitchTree tree_;
  std::vector<std::uint32_t> lines_;                ///< by switch
  std::vector<std::vector<std::string>> children_;  ///< by switch: names
  std::map<std::string, std::uint32_t, std::less<>> switch_of_name_;
  std::map<std::string, std::uint32_t, std::less<>> line_of_host_;
};

}  // namespace virga
