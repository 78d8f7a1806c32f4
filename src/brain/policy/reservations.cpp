#include "brain/policy/reservations.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace virga {

namespace {

/// The largest sum of nodes of slices under way at one moment of [from, until).
std::uint64_t peak(const std::vector<ReservedSlice>& slices, Time from, Time until) {
  struct Change {
    Time at;
    bool begins = false;
    std::uint32_t nodes = 0;
  };
  std::vector<Change> changes;
  for (const ReservedSlice& slice : slices) {
    if (slice.end <= from || slice.start >= until) continue;
    changes.push_back({std::max(slice.start, from), true, slice.nodes});
    changes.push_back({slice.end, false, slice.nodes});
  }
  // One that ends when another begins makes room first.
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.at != b.at ? a.at < b.at : !a.begins && b.begins; });
  std::uint64_t now = 0;
  std::uint64_t highest = 0;
  for (const Change& change : changes) {
    now = change.begins ? now + change.nodes : now - change.nodes;
    highest = std::max(highest, now);
  }
  return highest;
}

}  // namespace

Time boots_from(const Config& config, const Reservation& reservation) {
  for (const Partition& partition : config.partitions) {
    if (partition.name != reservation.partition) continue;
    for (const Pool& pool : config.pools) {
      if (pool.name == partition.pools.front()) return reservation.start - pool.boot_time;
    }
  }
  return reservation.start;
}

std::vector<ReservedSlice> slices_of(const Config& config, const std::string& partition) {
  std::vector<ReservedSlice> slices;
  for (const Reservation& r : config.reservations) {
    if (r.partition == partition) slices.push_back({r.name, r.start, r.end, r.nodes});
  }
  return slices;
}

std::uint32_t usable_nodes(const std::vector<ReservedSlice>& slices, const ReservationQuery& query) {
  if (!query.reservation.empty()) {
    for (const ReservedSlice& slice : slices) {
      if (slice.name != query.reservation) continue;
      if (query.from < slice.start || query.until > slice.end) return 0;
      return std::min(slice.nodes, query.total) - std::min({slice.in_use, slice.nodes, query.total});
    }
    return 0;
  }
  const std::uint64_t kept = peak(slices, query.from, query.until) + query.used_by_others;
  return kept < query.total ? static_cast<std::uint32_t>(query.total - kept) : 0;
}

Time earliest_start(const std::vector<ReservedSlice>& slices, ReservationQuery query, std::uint32_t nodes) {
  const bool unlimited = query.until.is_never();
  const Duration length = query.until - query.from;
  // Room grows only where a reservation begins (for its own jobs) or ends (for the others).
  std::vector<Time> moments{query.from};
  for (const ReservedSlice& slice : slices) {
    for (Time t : {slice.start, slice.end}) {
      if (t > query.from) moments.push_back(t);
    }
  }
  std::sort(moments.begin(), moments.end());
  for (Time t : moments) {
    query.from = t;
    query.until = unlimited ? Time::never() : t + length;
    if (usable_nodes(slices, query) >= nodes) return t;
  }
  return Time::never();
}

std::optional<Error> reservation_refusal(const Config& config, const JobSpec& spec, const Actor& actor) {
  if (spec.reservation.empty()) return std::nullopt;
  const auto named = [&](const Reservation& r) { return r.name == spec.reservation; };
  const auto found = std::find_if(config.reservations.begin(), config.reservations.end(), named);
  if (found == config.reservations.end()) {
    return Error{Code::invalid, "Requested reservation is invalid: there is no reservation " + spec.reservation};
  }
  if (found->partition != spec.partition) {
    return Error{Code::invalid, fmt::format("Requested reservation is invalid: {} is in partition {}, the job in {}",
                                            found->name, found->partition, spec.partition)};
  }
  const auto has = [](const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (!actor.is_operator && !has(found->users, actor.user) && !has(found->tenants, spec.account)) {
    return Error{Code::denied, fmt::format("Access denied to requested reservation: {} is for others", found->name)};
  }
  if (spec.nodes > found->nodes) {
    return Error{Code::refused, fmt::format("Requested node configuration is not available: {} nodes asked for, "
                                            "reservation {} has {}",
                                            spec.nodes, found->name, found->nodes)};
  }
  if (spec.time_limit > found->end - found->start) {
    return Error{Code::refused,
                 fmt::format("Requested time limit is invalid (missing or exceeds some limit): reservation "
                             "{} lasts {} minutes",
                             found->name, (found->end - found->start).whole_seconds() / 60)};
  }
  return std::nullopt;
}

}  // namespace virga
