// See the header. One pass; every name becomes a number when it is first seen.
#include "wire/fabric_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

namespace virga {
namespace {

constexpr std::size_t k_most_mistakes = 20;
constexpr std::size_t k_longest_name = 80;

enum Column : std::size_t { host, leaf, spine, pod, nvlink, scale_set, k_columns };
struct ColumnName {
  std::string_view name;
  Column column;
};
constexpr ColumnName k_column_names[] = {{"host", host},     {"node", host},          {"asw", leaf}, {"leaf", leaf},
                                         {"psw", spine},     {"spine", spine},        {"dsw", pod},  {"pod", pod},
                                         {"nvlink", nvlink}, {"scale_set", scale_set}};
constexpr std::string_view k_word[k_columns] = {"host", "leaf", "spine", "pod", "nvlink", "scale_set"};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0;;) {
    const auto end = std::min(line.find(',', begin), line.size());
    fields.push_back(trimmed(line.substr(begin, end - begin)));
    if (end == line.size()) return fields;
    begin = end + 1;
  }
}

bool is_printable(std::string_view text) {
  return text.size() <= k_longest_name && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
         });
}

/// Numbers for names below a parent, in the order in which they are first seen.
class Names {
 public:
  /// The name's number, and the line where it was first seen.
  std::pair<std::uint32_t, std::uint32_t> number(std::uint32_t parent, std::string_view name, std::uint32_t line) {
    const auto next = static_cast<std::uint32_t>(seen_.size());
    return seen_.try_emplace(std::pair(parent, std::string(name)), next, line).first->second;
  }
  std::uint32_t count() const { return static_cast<std::uint32_t>(seen_.size()); }

 private:
  std::map<std::pair<std::uint32_t, std::string>, std::pair<std::uint32_t, std::uint32_t>> seen_;
};

class Parser {
 public:
  Parser(const std::string& file_name, std::uint32_t rails, const Taper& taper) : file_name_(file_name) {
    ids_.rails = rails;
    ids_.taper = taper;
  }

  Result<FabricText> parse(std::string_view text) {
    for (line_ = 1; !text.empty() && mistakes_.size() < k_most_mistakes; ++line_) {
      const auto size = std::min(text.find('\n'), text.size());
      const auto line = trimmed(text.substr(0, size));
      text.remove_prefix(std::min(size + 1, text.size()));
      if (line.empty() || line.front() == '#') continue;
      if (!header_.empty()) {
        row(fields_of(line));
      } else if (!header(fields_of(line))) {
        break;
      }
    }
    if (hosts_.empty() && mistakes_.empty()) wrong("no host; write a header such as host,pod,spine,leaf and the hosts");
    if (!mistakes_.empty()) return fail(Code::invalid, fmt::format("{}", fmt::join(mistakes_, "\n")));
    return finish();
  }

 private:
  using Row = std::array<std::string_view, k_columns>;

  void wrong(std::string_view message) { mistakes_.push_back(fmt::format("{}:{}: {}", file_name_, line_, message)); }

  bool has(Column column) const { return std::find(header_.begin(), header_.end(), column) != header_.end(); }

  bool header(const std::vector<std::string_view>& names) {
    for (const auto name : names) {
      const auto known = std::find_if(std::begin(k_column_names), std::end(k_column_names),
                                      [&](const ColumnName& c) { return c.name == name; });
      if (known == std::end(k_column_names)) {
        wrong(
            fmt::format("unknown column \"{}\"; known are host, leaf (asw), spine (psw), pod (dsw), nvlink, scale_set",
                        is_printable(name) ? name : "?"));
      } else if (has(known->column)) {
        wrong(fmt::format("column \"{}\" says the same as one before it; keep one", name));
      } else {
        header_.push_back(known->column);
      }
    }
    if (!mistakes_.empty()) return false;
    for (const Column needed : {host, leaf}) {
      if (!has(needed)) wrong(fmt::format("no column \"{}\"; the first line names the columns", k_word[needed]));
    }
    if (has(pod) && !has(spine)) wrong("a column \"pod\" without \"spine\"; leaves hang on spines, and these on pods");
    return mistakes_.empty();
  }

  /// What is wrong with the values of one line by themselves.
  bool row_is_good(const std::vector<std::string_view>& fields, Row& row) {
    if (fields.size() != header_.size()) {
      wrong(fmt::format("{} fields; the first line names {} columns", fields.size(), header_.size()));
      return false;
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      row[header_[i]] = fields[i];
      if (is_printable(fields[i])) continue;
      wrong(fmt::format("the {}'s name is too long, or holds control characters; write at most {} printable ones",
                        k_word[header_[i]], k_longest_name));
      return false;
    }
    if (row[host].empty()) {
      wrong("the host has no name; write one");
      return false;
    }
    for (const auto& [below, above] : {std::pair(host, leaf), std::pair(leaf, spine), std::pair(spine, pod)}) {
      if (!has(above) || !row[above].empty()) continue;
      wrong(fmt::format("{} \"{}\" hangs on no {}, so there is no way from it to the others; name its {}",
                        k_word[below], row[below], k_word[above], k_word[above]));
      return false;
    }
    return true;
  }

  void row(const std::vector<std::string_view>& fields) {
    Row names;
    if (!row_is_good(fields, names)) return;
    if (hosts_.size() == k_fabric_slots_max) return wrong(fmt::format("more than {} hosts", k_fabric_slots_max));
    const auto slot = static_cast<std::uint32_t>(hosts_.size());
    const auto [first, first_line] = host_names_.number(0, names[host], line_);
    if (first != slot) {
      return wrong(fmt::format("host \"{}\" is there twice, first in line {}; keep one", names[host], first_line));
    }
    const std::uint32_t pod_number = pods_.number(0, names[pod], line_).first;
    const std::uint32_t spine_number = spines_.number(pod_number, names[spine], line_).first;
    const std::uint32_t leaf_number = leaves_.number(spine_number, names[leaf], line_).first;
    if (ids_.pod_of_spine.size() < spines_.count()) ids_.pod_of_spine.push_back(pod_number);
    if (ids_.spine_of_leaf.size() < leaves_.count()) {
      ids_.spine_of_leaf.push_back(spine_number);
      leaf_paths_.push_back(path(names));
    }
    hosts_.emplace_back(names[host]);
    ids_.leaf_of_slot.push_back(leaf_number);
    if (has(nvlink)) nvlink_row(slot, leaf_number, names[nvlink]);
    if (has(scale_set)) scale_set_row(names[scale_set]);
  }

  std::string path(const Row& names) const {
    std::string path;
    for (const Column column : {pod, spine, leaf}) {
      if (!has(column)) continue;
      if (!path.empty()) path += '/';
      path += names[column];
    }
    return path;
  }

  void nvlink_row(std::uint32_t slot, std::uint32_t leaf_number, std::string_view name) {
    // A host without a domain gets one of its own, under a name that no other can have.
    const auto [domain, first_line] =
        name.empty() ? domains_.number(slot + 1, "", line_) : domains_.number(0, name, line_);
    ids_.nvlink_of_slot.push_back(domain);
    const auto [at, is_new] = leaf_of_domain_.try_emplace(domain, leaf_number);
    if (is_new || at->second == leaf_number) return;
    wrong(fmt::format("NVLink domain \"{}\" has hosts below leaf \"{}\" (line {}) and \"{}\"; it lies below one leaf",
                      name, leaf_paths_[at->second], first_line, leaf_paths_[leaf_number]));
  }

  void scale_set_row(std::string_view name) {
    const auto [set, first_line] = scale_sets_.number(0, name, line_);
    if (set + 1 > ids_.scale_set_sizes.size()) {
      ids_.scale_set_sizes.push_back(1);
    } else if (set + 1 == ids_.scale_set_sizes.size()) {
      ++ids_.scale_set_sizes.back();
    } else {
      wrong(fmt::format("scale set \"{}\", which starts in line {}, ended before this line; put its hosts together",
                        name, first_line));
    }
  }

  Result<FabricText> finish() {
    auto fabric = Fabric::build(ids_);
    if (!fabric) return fail(fabric.error().code, fmt::format("{}: {}", file_name_, fabric.error().message));
    std::vector<std::string> leaf_names;
    for (std::uint32_t i = 0; i < fabric->leaves(); ++i) leaf_names.push_back(leaf_paths_[fabric->leaf_id(i)]);
    return FabricText{std::move(*fabric), std::move(hosts_), std::move(leaf_names)};
  }

  const std::string& file_name_;
  std::vector<std::string> mistakes_;
  std::uint32_t line_ = 1;
  std::vector<Column> header_;
  Names host_names_;
  Names pods_;
  Names spines_;
  Names leaves_;
  Names domains_;
  Names scale_sets_;
  std::map<std::uint32_t, std::uint32_t> leaf_of_domain_;
  std::vector<std::string> hosts_;
  std::vector<std::string> leaf_paths_;
  FabricIds ids_;
};

}  // namespace

Result<FabricText> parse_fabric_text(std::string_view text, const std::string& file_name, std::uint32_t rails,
                                     const Taper& taper) {
  return Parser(file_name, rails, taper).parse(text);
}

}  // namespace virga
