// Reading JSON (the second half of json_codec.hpp). The only unit that includes Boost.JSON.
#include "wire/json_codec.hpp"

#include <algorithm>
#include <boost/json/src.hpp>
#include <charconv>
#include <cmath>

namespace virga {
namespace {

namespace json = boost::json;

const json::value& value_of(const void* value) { return *static_cast<const json::value*>(value); }

std::optional<unsigned> hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  unsigned code = 0;
  auto end = text.data() + at + 4;
  if (std::from_chars(text.data() + at, end, code, 16).ptr != end) return std::nullopt;
  return code;
}

std::optional<unsigned> escape_at(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  return hex4(text, at + 2);
}

/// The parser takes no lone surrogate; ours stand for bytes that are no UTF-8, so they become those bytes.
std::string restore_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    std::optional<unsigned> code = escape_at(text, i);
    std::size_t length = 2;
    if (code && *code >= 0xD800 && *code <= 0xDBFF && escape_at(text, i + 6)) length = 12;
    if (code && *code >= 0xDC80 && *code <= 0xDCFF) {
      out += static_cast<char>(*code - 0xDC00);
      i += 6;
      continue;
    }
    length = std::min(length, text.size() - i);
    out.append(text, i, length);
    i += length;
  }
  return out;
}

std::string position_text(std::string_view text, std::size_t at) {
  at = std::min(at, text.size());
  std::string_view before = text.substr(0, at);
  auto line = std::count(before.begin(), before.end(), '\n') + 1;
  std::size_t line_start = before.rfind('\n');
  std::size_t column = line_start == std::string_view::npos ? at + 1 : at - line_start;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

struct JsonDocument::Inside {
  json::monotonic_resource memory;
  json::value root;
};

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  std::string restored;
  if (text.find("\\udc") != text.npos || text.find("\\uDC") != text.npos || text.find("\\udC") != text.npos ||
      text.find("\\uDc") != text.npos) {
    restored = restore_bytes(text);
    text = restored;
  }
  auto inside = std::make_shared<Inside>();
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // paths and environments are bytes
  unsigned char scratch[4096];
  json::parser parser(json::storage_ptr(), options, scratch, sizeof scratch);
  parser.reset(&inside->memory);
  json::error_code error;
  std::size_t at = parser.write(text.data(), text.size(), error);
  if (error) return fail(Code::invalid, "not JSON: " + error.message() + " at " + position_text(text, at));
  // Constructed in place: assignment between different memory resources would copy.
  JsonDocument document;
  json::value root = parser.release();
  inside->root.~value();
  ::new (&inside->root) json::value(std::move(root));
  document.inside_ = std::move(inside);
  return document;
}

JsonNode JsonDocument::root() const { return JsonNode(&inside_->root); }

JsonNode::Kind JsonNode::kind() const {
  switch (value_of(value_).kind()) {
    case json::kind::null:
      return Kind::null;
    case json::kind::bool_:
      return Kind::boolean;
    case json::kind::int64:
    case json::kind::uint64:
      return Kind::integer;
    case json::kind::double_:
      return Kind::number;
    case json::kind::string:
      return Kind::string;
    case json::kind::array:
      return Kind::array;
    case json::kind::object:
      return Kind::object;
  }
  return Kind::null;
}

std::string_view JsonNode::kind_name() const {
  static constexpr std::string_view k_names[] = {"null",     "true or false", "a whole number", "a fractional number",
                                                 "a string", "an array",      "an object"};
  return k_names[static_cast<std::size_t>(kind())];
}

bool JsonNode::boolean() const { return value_of(value_).get_bool(); }

std::string_view JsonNode::string() const {
  const json::string& s = value_of(value_).get_string();
  return {s.data(), s.size()};
}

double JsonNode::number() const {
  const json::value& v = value_of(value_);
  if (const double* d = v.if_double()) return *d;
  if (const std::int64_t* i = v.if_int64()) return static_cast<double>(*i);
  return static_cast<double>(v.get_uint64());
}

std::optional<std::uint64_t> JsonNode::unsigned_integer() const {
  const json::value& v = value_of(value_);
  if (const std::uint64_t* u = v.if_uint64()) return *u;
  if (const std::int64_t* i = v.if_int64(); i != nullptr && *i >= 0) return static_cast<std::uint64_t>(*i);
  return std::nullopt;
}

std::optional<std::int64_t> JsonNode::signed_integer() const {
  if (const std::int64_t* i = value_of(value_).if_int64()) return *i;
  return std::nullopt;
}

std::size_t JsonNode::size() const {
  const json::value& v = value_of(value_);
  if (const json::array* a = v.if_array()) return a->size();
  if (const json::object* o = v.if_object()) return o->size();
  return 0;
}

JsonNode JsonNode::element(std::size_t i) const { return JsonNode(&value_of(value_).get_array()[i]); }

std::string_view JsonNode::name(std::size_t i) const {
  auto key = (value_of(value_).get_object().begin() + static_cast<std::ptrdiff_t>(i))->key();
  return {key.data(), key.size()};
}

JsonNode JsonNode::member(std::size_t i) const {
  return JsonNode(&(value_of(value_).get_object().begin() + static_cast<std::ptrdiff_t>(i))->value());
}

JsonNode JsonNode::find(std::string_view name) const {
  const json::object* object = value_of(value_).if_object();
  return JsonNode(object == nullptr ? nullptr : object->if_contains({name.data(), name.size()}));
}

bool JsonReader::expect(JsonNode node, JsonNode::Kind kind, std::string_view what) {
  if (error_) return false;
  if (node.kind() == kind) return true;
  fail_here("must be " + std::string(what) + ", not " + std::string(node.kind_name()));
  return false;
}

void JsonReader::get(JsonNode node, bool& value) {
  if (expect(node, JsonNode::Kind::boolean, "true or false")) value = node.boolean();
}

void JsonReader::get(JsonNode node, std::string& value) {
  if (expect(node, JsonNode::Kind::string, "a string")) value = node.string();
}

void JsonReader::get(JsonNode node, Time& value) {
  if (!expect(node, JsonNode::Kind::string, "a time as a string such as \"2026-01-31T12:00:00Z\"")) return;
  Result<Time> time = time_from_iso8601(node.string());
  if (!time) return fail_here(": " + time.error().message);
  value = *time;
}

namespace {

/// A decimal number times `scale` as an integer, exact where a double can be; nothing if it does not fit.
std::optional<std::int64_t> scaled(JsonNode node, std::int64_t scale) {
  if (std::optional<std::int64_t> whole = node.signed_integer()) {
    std::int64_t product = 0;
    if (__builtin_mul_overflow(*whole, scale, &product)) return std::nullopt;
    return product;
  }
  double number = node.number();
  double whole = std::trunc(number);
  if (!(std::abs(whole) < 9e18 / static_cast<double>(scale))) return std::nullopt;
  // Apart, so that the fraction keeps all the bits that it has.
  double fraction = std::round((number - whole) * static_cast<double>(scale));
  return static_cast<std::int64_t>(whole) * scale + static_cast<std::int64_t>(fraction);
}

bool is_number(JsonNode node) {
  return node.kind() == JsonNode::Kind::integer || node.kind() == JsonNode::Kind::number;
}

}  // namespace

void JsonReader::get(JsonNode node, Duration& value) {
  if (error_) return;
  if (node.kind() == JsonNode::Kind::string && node.string() == "infinite") {
    value = Duration::infinite();
    return;
  }
  std::optional<std::int64_t> ns = is_number(node) ? scaled(node, 1'000'000'000) : std::nullopt;
  if (!ns) return fail_here("must be a number of seconds below 292 years, or \"infinite\"");
  value = Duration{*ns};
}

void JsonReader::get(JsonNode node, Money& value) {
  if (error_) return;
  std::optional<std::int64_t> micro = is_number(node) ? scaled(node, 1'000'000) : std::nullopt;
  if (!micro) return fail_here("must be a number of US dollars");
  value = Money{*micro};
}

void JsonReader::get_signed(JsonNode node, std::int64_t min, std::int64_t max, std::int64_t& value) {
  if (error_) return;
  std::optional<std::int64_t> found = node.signed_integer();
  if (!found || *found < min || *found > max) {
    return fail_here("must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  value = *found;
}

void JsonReader::get_unsigned(JsonNode node, std::uint64_t max, std::uint64_t& value) {
  if (error_) return;
  std::optional<std::uint64_t> found = node.unsigned_integer();
  if (!found || *found > max) return fail_here("must be a whole number from 0 to " + std::to_string(max));
  value = *found;
}

void JsonReader::get_key_number(std::string_view text, std::uint64_t max, std::uint64_t& key) {
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, key);
  if (text.empty() || stop != end || error != std::errc() || key > max) {
    fail_here("has a key that is no number");
  }
}

std::string JsonReader::path() const {
  std::string out;
  for (const Step* step = path_; step != nullptr; step = step->outer) {
    std::string part = step->index ? "[" + std::to_string(*step->index) + "]" : std::string(step->name);
    if (!out.empty() && out.front() != '[') part += '.';
    out = part + out;
  }
  return out;
}

void JsonReader::fail_here(const std::string& what) {
  if (error_) return;
  std::string where = path();
  std::string subject = where.empty() ? "the document" : "'" + where + "'";
  error_ = Error{Code::invalid, subject + (what.starts_with(':') ? "" : " ") + what};
}

void JsonReader::fail_unknown(JsonNode object, const std::vector<std::string_view>& known) {
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (std::find(known.begin(), known.end(), object.name(i)) != known.end()) continue;
    std::string names;
    for (std::string_view n : known) names.append(names.empty() ? "" : ", ").append(n);
    return fail_here("has the unknown key '" + std::string(object.name(i)) + "'; " +
                     (known.empty() ? "it takes none" : "it may have: " + names));
  }
}

}  // namespace virga
