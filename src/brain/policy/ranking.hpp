// Who comes first: the priorities of jobs from the state, and the event at which fair shares are computed anew.
//
//   Place place = place_in_queue(state, job);           // index_job() asks when a job comes to the queue
//   if (next_ranking(state) <= state.now) rank_all(fx.state);
//
// With `policy = "fifo"` job ids decide, after whether the job's QOS may preempt others: those who may end jobs that
// run go before those who wait. "due" is the same with due times (sched/due_order.hpp) for ids. With "multifactor" the
// fair-share factors follow from the use of nodes so far (fair_tree.hpp): they stand still between two rankings, five
// minutes apart, so the order of a long queue changes by an event of its own and not while the others wait for an
// answer.
// Use is counted in node-milliseconds: a job that takes half of a node's CPUs or GPUs is charged half of it.
//
// place_in_queue(): O(log n). rank_all(): O(n log n) for n waiting jobs, users and tenants.
#pragma once

#include "brain/policy/priority.hpp"
#include "brain/state.hpp"

namespace virga {

/// What the job's priority is made of; its fair share is that of the last ranking.
PriorityFactors priority_factors(const State& state, const Job& job);
Place place_in_queue(const State& state, const Job& job);
/// rank_shift() of now; zero with fifo.
std::int64_t rank_shift_now(const State& state);
/// Writes the priority that users see.
void note_priority(const State& state, Job& job);

/// A job that holds nodes, or did until now: what it used since the last time goes to the ledger.
void charge_usage(State& state, Job& job);
/// Time::never() where nobody waits, or nothing depends on it.
Time next_ranking(const State& state);
void rank_all(State& state);

}  // namespace virga
