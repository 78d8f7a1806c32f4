#include "arm/target.hpp"

#include <algorithm>
#include <array>

#include "arm/text.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

constexpr std::array k_words = {"Microsoft.Compute",
                                "Microsoft.Network",
                                "Microsoft.Resources",
                                "Microsoft.ManagedIdentity",
                                "Microsoft.Storage",
                                "Microsoft.Insights",
                                "Microsoft.Authorization",
                                "availabilitySets",
                                "capacityReservationGroups",
                                "capacityReservations",
                                "deployments",
                                "disks",
                                "extensions",
                                "galleries",
                                "images",
                                "instanceView",
                                "interconnectBlocks",
                                "interconnectGroups",
                                "loadBalancers",
                                "locations",
                                "networkInterfaces",
                                "networkSecurityGroups",
                                "operations",
                                "permissions",
                                "proximityPlacementGroups",
                                "publicIPAddresses",
                                "publishers",
                                "resourceGroups",
                                "resources",
                                "skus",
                                "subnets",
                                "subscriptions",
                                "usages",
                                "userAssignedIdentities",
                                "virtualMachineScaleSets",
                                "virtualMachines",
                                "virtualNetworks",
                                "vmSizes"};

/// The words of calls that are no types: actions, views, catalogues, and the ends of paths outside of /subscriptions.
constexpr std::array k_more_words = {
    "artifacttypes",    "deallocate", "delete",    "endpoints",          "keys",
    "manualupgrade",    "offers",     "providers", "performMaintenance", "poweroff",
    "redeploy",         "register",   "reimage",   "reimageall",         "restart",
    "simulateEviction", "start",      "token",     "validate",           "openid-configuration",
    "versions"};
constexpr std::array k_methods = {"GET", "LIST", "HEAD", "PUT", "PATCH", "POST", "DELETE"};

template <std::size_t N>
bool is_one_of(const std::array<const char*, N>& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(), [&](const char* w) { return same_word(w, word); });
}

bool is_plain(std::string_view text) {
  const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
  return !controls && is_utf8(text);
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::size_t size = std::min(path.find('/'), path.size());
    if (size > 0) segments.push_back(decoded(path.substr(0, size), false));
    path.remove_prefix(std::min(size + 1, path.size()));
  }
  return segments;
}

std::map<std::string, std::string> split_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, size);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    query[lower_case(decoded(pair.substr(0, equals), true))] = decoded(value, true);
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return query;
}

void join(std::string& text, std::string_view word) {
  if (!text.empty()) text += '/';
  text += word;
}

/// …/providers/NAMESPACE/type/name/type/name[/tail] from the segment after "providers".
void read_provider(Target& target, std::size_t at) {
  const auto& segments = target.segments;
  if (at >= segments.size()) {
    target.tail = "providers";
    return;
  }
  target.provider = canonical_type(segments[at++]);
  for (; at + 1 < segments.size(); at += 2) {
    target.types.push_back(canonical_type(segments[at]));
    target.names.push_back(segments[at + 1]);
  }
  if (at < segments.size()) target.tail = segments[at];
}

void read_resource(Target& target) {
  const auto& segments = target.segments;
  target.is_resource = true;
  std::size_t at = 1;
  if (at < segments.size()) target.subscription = segments[at++];
  if (at < segments.size() && same_word(segments[at], "resourceGroups")) {
    if (at + 1 == segments.size()) {
      target.tail = "resourceGroups";
      return;
    }
    target.group = segments[at + 1];
    at += 2;
  }
  if (at >= segments.size()) return;
  if (same_word(segments[at], "providers")) return read_provider(target, at + 1);
  if (at + 1 == segments.size()) {
    target.tail = segments[at];
  } else {
    target.types.push_back(canonical_type(segments[at]));
    target.names.push_back(segments[at + 1]);
  }
}

}  // namespace

std::string canonical_type(std::string_view word) {
  const auto found = std::find_if(k_words.begin(), k_words.end(), [&](const char* w) { return same_word(w, word); });
  return std::string(found == k_words.end() ? word : std::string_view(*found));
}

std::string_view Target::query_value(std::string_view name) const {
  const auto found = query.find(std::string(name));
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

std::string Target::id() const {
  std::string id = "/subscriptions/" + subscription;
  if (!group.empty()) id += "/resourceGroups/" + group;
  if (!provider.empty()) id += "/providers/" + provider;
  for (std::size_t i = 0; i < names.size(); ++i) id += "/" + types[i] + "/" + names[i];
  return id;
}

std::string Target::id_of_parent() const {
  const std::string whole = id();
  return whole.substr(0, whole.size() - types.back().size() - names.back().size() - 2);
}

std::string Target::type_path() const {
  std::string path;
  for (const std::string& type : types) {
    if (type != "locations") join(path, type);
  }
  if (!tail.empty()) join(path, canonical_type(tail));
  if (path.empty()) path = group.empty() ? "subscriptions" : "resourceGroups";
  return path;
}

std::string Target::full_type() const {
  std::string type = provider;
  for (const std::string& t : types) join(type, t);
  return type;
}

Target parse_target(std::string_view text) {
  Target target;
  const std::size_t mark = std::min(text.find('?'), text.size());
  target.query = split_query(text.substr(std::min(mark + 1, text.size())));
  target.segments = split_path(text.substr(0, mark));
  for (const std::string& segment : target.segments) target.path += "/" + segment;
  if (!target.segments.empty() && same_word(target.segments[0], "subscriptions")) read_resource(target);
  for (const std::string& type : target.types) join(target.key, lower_case(type));
  target.tail_key = lower_case(target.tail);
  target.is_sound =
      std::all_of(target.segments.begin(), target.segments.end(), [](const std::string& s) { return is_segment(s); }) &&
      std::all_of(target.query.begin(), target.query.end(),
                  [](const auto& pair) { return is_plain(pair.first) && is_plain(pair.second); });
  return target;
}

Target resource_target(std::string subscription, std::string group, std::string_view provider,
                       const std::vector<std::string>& types, std::vector<std::string> names) {
  Target target;
  target.is_resource = true;
  target.subscription = std::move(subscription);
  target.group = std::move(group);
  target.provider = canonical_type(provider);
  for (const std::string& type : types) target.types.push_back(canonical_type(type));
  target.names = std::move(names);
  for (const std::string& type : target.types) join(target.key, lower_case(type));
  target.path = target.id();
  return target;
}

bool is_segment(std::string_view text) {
  return !text.empty() && is_plain(text) && text.find_first_of("/?#%\\") == std::string_view::npos;
}

bool is_resource_name(std::string_view name) {
  constexpr std::string_view k_allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= 80 && name.find_first_not_of(k_allowed) == std::string_view::npos;
}

bool is_api_version(std::string_view text) {
  constexpr std::string_view k_allowed = "0123456789-abcdefghijklmnopqrstuvwxyz";
  return text.size() >= 10 && text.size() <= 30 && text.find_first_not_of(k_allowed) == std::string_view::npos;
}

bool is_operation_name(std::string_view name) {
  const std::size_t blank = name.find(' ');
  if (blank == std::string_view::npos || !is_one_of(k_methods, name.substr(0, blank))) return false;
  for (name.remove_prefix(blank + 1);;) {
    const std::size_t slash = name.find('/');
    const std::string_view word = name.substr(0, slash);
    if (!is_one_of(k_words, word) && !is_one_of(k_more_words, word)) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace virga::arm
