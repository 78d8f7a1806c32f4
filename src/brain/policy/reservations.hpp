// Advance reservations: how many nodes a job may use during all the time that it may run.
//
//   std::vector<ReservedSlice> slices = slices_of(config, "main");
//   ReservationQuery query{.total = 100, .from = now, .until = now + limit + kill_wait};
//   std::uint32_t usable = usable_nodes(slices, query);       // of a job that names no reservation
//   query.reservation = "course"; usable = usable_nodes(slices, query);
//
// Capacity is reserved, not nodes: at each moment the reservations under way keep their nodes free of other jobs. A job
// without a reservation may use what is left at the worst moment of its time, less what jobs without a reservation hold
// now; so it never has to make room. A job that names a reservation may use that one's nodes as far as its own jobs
// leave them, and must end before it does. Nodes of a reservation that has not begun may be in use: only by jobs that
// end before. O(r log r) for r reservations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

struct ReservedSlice {
  std::string name;
  Time start;
  Time end;
  std::uint32_t nodes = 0;
  std::uint32_t in_use = 0;  ///< by running jobs that name this reservation
};
/// The reservations of a partition, in the order of the configuration; in_use is the caller's to fill.
std::vector<ReservedSlice> slices_of(const Config& config, const std::string& partition);

/// When its VMs are asked for, in the first pool of its partition: the pool's boot_time before it begins.
Time boots_from(const Config& config, const Reservation& reservation);

struct ReservationQuery {
  std::uint32_t total = 0;           ///< nodes of the partition's pools that are up
  std::uint32_t used_by_others = 0;  ///< nodes that running jobs hold which name no reservation
  Time from;
  Time until;                    ///< may be Time::never(): a job without a time limit
  std::string reservation = {};  ///< that the job names; empty: none
};
/// How many nodes a job may start on at `from`, if nothing else is started: 0 where its reservation is not there, has
/// not begun or ends too early.
std::uint32_t usable_nodes(const std::vector<ReservedSlice>& slices, const ReservationQuery& query);
/// The first moment at or after `from` when a job of this length finds at least `nodes`; Time::never() if there is
/// none.
Time earliest_start(const std::vector<ReservedSlice>& slices, ReservationQuery query, std::uint32_t nodes);

/// Why the actor may not use the reservation that the job names.
std::optional<Error> reservation_refusal(const Config& config, const JobSpec& spec, const Actor& actor);

}  // namespace virga
