// Reading; see the header. Two passes: the records with their ports as they stand there, then the graph, when all names
// are known.
#include "wire/fabric_ibnetdiscover.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>
#include <tuple>

#include "wire/text_lines.hpp"

namespace virga {
namespace {

struct PortLine {
  std::uint32_t line = 0;
  std::uint32_t port = 0;
  std::string_view peer = {};  ///< id
  std::uint32_t peer_port = 0;
  std::uint32_t lid = 0;  ///< of this end, on the line of an HCA
  std::optional<Link> link = {};
};

struct Record {
  enum class Kind : std::uint8_t { hca, fabric_switch, left_out };
  Kind kind = Kind::left_out;
  std::uint32_t line = 0;
  std::string_view id = {};
  std::string_view description = {};
  std::uint64_t guid = 0;
  std::uint32_t ports = 0;
  std::uint32_t lid = 0;
  std::vector<PortLine> cabled = {};
};

/// Takes texts apart from the left.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool skip(std::string_view word) {
    blanks();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  template <class T>
  bool number(T& value, int base = 10) {
    blanks();
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value, base);
    if (error != std::errc{}) return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }
  bool quoted(std::string_view& value) {
    if (!skip("\"")) return false;
    const auto end = text_.find('"');
    if (end == std::string_view::npos) return false;
    value = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return true;
  }
  std::string_view rest() const { return text_; }

 private:
  void blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size())); }
  std::string_view text_;
};

/// "lid 7" anywhere in what follows the names.
std::uint32_t lid_in(std::string_view text) {
  std::uint32_t lid = 0;
  if (const auto at = text.find("lid "); at != std::string_view::npos) Cursor(text.substr(at + 4)).number(lid);
  return lid;
}

std::string_view last_word(std::string_view line) {
  line = trimmed_blanks(line);
  return line.substr(line.find_last_of(" \t") + 1);
}

/// Whether the last word of a line is meant to be such as "4xNDR".
bool names_link(std::string_view line) {
  const std::string_view word = last_word(line);
  const auto digits = word.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && word[digits] == 'x';
}

/// "4xNDR", the last word of a line.
std::optional<Link> link_at_end(std::string_view line) {
  Cursor word(last_word(line));
  Link link;
  if (!word.number(link.lanes) || link.lanes == 0 || link.lanes > 1'000'000 || !word.skip("x")) return std::nullopt;
  const auto speed = enum_from_name<LinkSpeed>(word.rest());
  if (!speed) return std::nullopt;
  link.speed = *speed;
  return link;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file_name) : text_(text), mistakes_(file_name) {}

  Result<FabricGraph> read() {
    for (TextLines lines(text_); lines.next() && !mistakes_.full();) line(lines.number(), lines.line());
    if (records_.empty() && !mistakes_.any()) {
      mistakes_.add(0, "no switch and no HCA in it; the output of ibnetdiscover would be right");
    }
    if (mistakes_.any()) return mistakes_.error();
    sort_records();
    add_switches();
    add_hcas();
    add_cables();
    if (mistakes_.any()) return mistakes_.error();
    auto graph = builder_.build();
    if (!graph) mistakes_.add(0, graph.error().message);
    if (mistakes_.any()) return mistakes_.error();
    return graph;
  }

 private:
  void line(std::uint32_t number, std::string_view line) {
    if (line.empty() || line.front() == '#') return;
    Cursor cursor(line);
    if (line.front() == '[') return port_line(number, line);
    for (const std::string_view key : {"switchguid=0x", "caguid=0x", "rtguid=0x"}) {
      if (!cursor.skip(key)) continue;
      if (!cursor.number(guid_, 16)) mistakes_.add(number, "the GUID is no hexadecimal number");
      return;
    }
    using Kind = Record::Kind;
    if (cursor.skip("Switch")) {
      record(number, Kind::fabric_switch, cursor);
    } else if (cursor.skip("Ca") || cursor.skip("Hca")) {
      record(number, Kind::hca, cursor);
    } else if (cursor.skip("Rt")) {
      record(number, Kind::left_out, cursor);
    } else if (line.find('=') == std::string_view::npos) {
      mistakes_.add(number, fmt::format("\"{}\" cannot be read; a record starts with Switch, Ca or Rt, a port with [",
                                        as_shown(line)));
    }
  }

  void record(std::uint32_t number, Record::Kind kind, Cursor& cursor) {
    Record record{.kind = kind, .line = number, .guid = guid_};
    guid_ = 0;
    in_record_ = false;
    if (!cursor.number(record.ports) || !cursor.quoted(record.id) || record.id.empty()) {
      mistakes_.add(number, "a record is written as: Switch 64 \"S-0002c90200000001\" # \"name\"");
      return;
    }
    if (record.ports == 0) {
      mistakes_.add(number,
                    fmt::format("\"{}\" has no ports; write how many it has, 64 for example", as_shown(record.id)));
      return;
    }
    if (cursor.skip("#") && !cursor.quoted(record.description)) record.description = {};
    record.lid = lid_in(cursor.rest());
    const auto [known, is_new] = record_of_id_.try_emplace(record.id, records_.size());
    if (!is_new) {
      mistakes_.add(number, fmt::format("\"{}\" is there twice, first in line {}; keep one", as_shown(record.id),
                                        records_[known->second].line));
      return;
    }
    if (record.guid == 0 && record.id.size() > 2) {
      const auto* begin = record.id.data() + 2;
      std::from_chars(begin, record.id.data() + record.id.size(), record.guid, 16);
    }
    if (record.description.find("Aggregation Node") != std::string_view::npos) record.kind = Record::Kind::left_out;
    records_.push_back(std::move(record));
    in_record_ = true;
  }

  void port_line(std::uint32_t number, std::string_view line) {
    if (!in_record_) {
      if (!mistakes_.any()) mistakes_.add(number, "a port before the first switch or HCA; write their record first");
      return;
    }
    Record& of = records_.back();
    PortLine port{.line = number};
    Cursor cursor(line);
    cursor.skip("[");
    std::uint64_t guid = 0;
    bool good = cursor.number(port.port) && cursor.skip("]");
    if (good && cursor.skip("(")) good = cursor.number(guid, 16) && cursor.skip(")");
    good = good && cursor.quoted(port.peer) && cursor.skip("[") && cursor.number(port.peer_port) && cursor.skip("]");
    if (!good) {
      return mistakes_.add(number,
                           fmt::format("\"{}\" cannot be read; a port is written as: [1] \"S-…\"[33] # \"name\" "
                                       "lid 2 4xNDR",
                                       as_shown(line)));
    }
    if (port.port == 0 || port.port > of.ports) {
      return mistakes_.add(number,
                           fmt::format("\"{}\" has no port {}; it has 1 to {}", as_shown(of.id), port.port, of.ports));
    }
    if (of.kind == Record::Kind::hca) port.lid = lid_in(cursor.rest());
    port.link = link_at_end(cursor.rest());
    if (!port.link && names_link(cursor.rest())) {
      return mistakes_.add(number,
                           fmt::format("\"{}\" is no width and speed of a cable that is known; write one such as "
                                       "4xNDR",
                                       as_shown(last_word(cursor.rest()))));
    }
    of.cabled.push_back(port);
  }

  void sort_records() {
    for (std::size_t i = 0; i < records_.size(); ++i) order_.push_back(i);
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const Record& x = records_[a];
      const Record& y = records_[b];
      if (x.description != y.description) return natural_less(x.description, y.description);
      return x.id < y.id;
    });
  }

  void add_switches() {
    std::map<std::string_view, std::uint32_t> named;
    for (const Record& r : records_) {
      if (r.kind == Record::Kind::fabric_switch) ++named[r.description];
    }
    for (const std::size_t i : order_) {
      const Record& r = records_[i];
      if (r.kind != Record::Kind::fabric_switch) continue;
      if (r.cabled.empty()) {
        mistakes_.add(r.line, fmt::format("switch \"{}\" has no cabled port; cable it or leave it out",
                                          as_shown(r.description.empty() ? r.id : r.description)));
        continue;
      }
      std::string name(r.description.empty() ? r.id : r.description);
      if (!r.description.empty() && named[r.description] > 1) name += " " + std::string(r.id);
      const auto added = builder_.add_switch({name, r.guid, r.ports, r.lid, 0});
      if (added) {
        switch_of_record_[i] = *added;
      } else {
        mistakes_.add(r.line, added.error().message);
      }
    }
  }

  const PortLine* line_of(const Record& record, std::uint32_t port) const {
    const auto found = std::find_if(record.cabled.begin(), record.cabled.end(),
                                    [&](const PortLine& line) { return line.port == port; });
    return found == record.cabled.end() ? nullptr : &*found;
  }

  /// The record at the other end, if both ends agree about the cable.
  std::optional<std::size_t> other_end(const Record& record, const PortLine& port) {
    const auto found = record_of_id_.find(port.peer);
    if (found == record_of_id_.end()) {
      mistakes_.add(port.line, fmt::format("a cable to nowhere: port {} of \"{}\" leads to \"{}\", which is not in the "
                                           "file; add its record or leave the line out",
                                           port.port, as_shown(record.id), as_shown(port.peer)));
      return std::nullopt;
    }
    const Record& other = records_[found->second];
    if (port.peer_port == 0 || port.peer_port > other.ports) {
      mistakes_.add(port.line, fmt::format("a cable to nowhere: \"{}\" has no port {}; it has 1 to {}",
                                           as_shown(other.id), port.peer_port, other.ports));
      return std::nullopt;
    }
    const PortLine* back = line_of(other, port.peer_port);
    if (back != nullptr && back->peer == record.id && back->peer_port == port.port) return found->second;
    const std::string there =
        back == nullptr ? "nowhere" : fmt::format("to \"{}\"[{}], line {}", back->peer, back->peer_port, back->line);
    mistakes_.add(port.line, fmt::format("port {} of \"{}\" leads to \"{}\"[{}], but that leads {}; the two ends of a "
                                         "cable must name each other",
                                         port.port, as_shown(record.id), as_shown(other.id), port.peer_port, there));
    return std::nullopt;
  }

  void add_hcas() {
    for (const std::size_t i : order_) {
      const Record& r = records_[i];
      if (r.kind != Record::Kind::hca) continue;
      const bool is_named = !r.description.empty() && !r.description.starts_with("MT");
      const std::string_view words = is_named ? trimmed_blanks(r.description) : r.id;
      const auto blank = std::min(words.find(' '), words.size());
      const std::string host(words.substr(0, blank));
      for (const PortLine& port : r.cabled) {
        if (mistakes_.full()) return;
        const auto other = other_end(r, port);
        if (!other) continue;
        const auto on_switch = switch_of_record_.find(*other);
        if (on_switch == switch_of_record_.end()) {
          mistakes_.add(port.line, fmt::format("HCA \"{}\" is cabled to \"{}\", which is no switch", as_shown(words),
                                               as_shown(port.peer)));
          continue;
        }
        std::string name(trimmed_blanks(words.substr(blank)));
        if (r.cabled.size() > 1) name += fmt::format("{}port {}", name.empty() ? "" : " ", port.port);
        const FabricHca hca{.name = std::move(name),
                            .guid = r.guid,
                            .port = port.port,
                            .lid = port.lid,
                            .on_switch = on_switch->second,
                            .switch_port = port.peer_port,
                            .link = port.link.value_or(Link{})};
        if (const auto added = builder_.add_hca(hca, host); !added) mistakes_.add(r.line, added.error().message);
      }
    }
  }

  void add_cables() {
    for (const std::size_t i : order_) {
      const Record& r = records_[i];
      if (!switch_of_record_.contains(i)) continue;
      for (const PortLine& port : r.cabled) {
        if (mistakes_.full()) return;
        const auto other = other_end(r, port);
        if (!other) continue;
        const auto peer = switch_of_record_.find(*other);
        if (peer == switch_of_record_.end()) continue;  // an HCA, which has told of it
        const std::uint32_t self = switch_of_record_[i];
        if (std::tuple(self, port.port) > std::tuple(peer->second, port.peer_port)) continue;  // told by the other end
        const FabricCable cable{self, port.port, peer->second, port.peer_port, port.link.value_or(Link{})};
        if (const Status joined = builder_.connect(cable); !joined) mistakes_.add(port.line, joined.error().message);
      }
    }
  }

  std::string_view text_;
  TextMistakes mistakes_;
  std::uint64_t guid_ = 0;  ///< of the line before a record
  bool in_record_ = false;
  std::vector<Record> records_;
  std::vector<std::size_t> order_;
  std::map<std::string_view, std::size_t> record_of_id_;
  std::map<std::size_t, std::uint32_t> switch_of_record_;
  FabricGraphBuilder builder_;
};

}  // namespace

Result<FabricGraph> read_ibnetdiscover(std::string_view text, const std::string& file_name) {
  return Reader(text, file_name).read();
}

}  // namespace virga
