/* What the control cores of all servers do about origins, in virtual time: the ownership table, the
 * eligibility and the duties of the appliance (rendezvous/eligible.h, rendezvous/duty.h) and its
 * schedule of checks (health/schedule.h), over whole servers of the simulator.
 *
 * An agent on each server checks the origins that are its duty, and writes into the replicated map
 * what the appliance writes: its first finding, and its claims. Every origin can be reached from
 * everywhere, answers at once and is well. agents_look() is one look of each; no figure is finer
 * than the time between two. What a look costs is what there is to do, not what there are of
 * origins. One owner.
 *
 * A *side* is who can hear of one another: all are one, but while the caller has cut them in two. A
 * check counts for its own side: an origin is unchecked on a side since the last check by one of
 * it, or by anybody before the cut. So the sides of a cut are measured each for itself.
 */
#pragma once

#include <stdbool.h>

#include "sim.h"

enum { AGENT_SIDES = 2 };

struct agents_config {
	uint32_t origins;
	uint64_t interval_ns; /* between checks of an origin */
	uint64_t stable_ns;   /* ownership.stable_ms */
	uint64_t seed;
	bool no_stand_in; /* to compare: a suspect is waited for until it is dead */
};

/* Since agents_begin(). */
struct agents_counts {
	uint64_t checks;
	uint64_t beside;        /* not by the owner: standing in or handing over */
	uint64_t late;          /* begun more than a tenth of the interval after their time */
	uint64_t gap_ns;        /* the longest time that an origin was unchecked, on any side */
	uint64_t first_wait_ns; /* the longest from a duty to its first check: the caps' part */
	uint64_t busiest;       /* checks of the server with the most */
	uint32_t at_once_max;   /* servers that had one origin to check */
	uint32_t by_one,
		by_none; /* origins of which one server carried out all checks, or nobody */
};

struct agents;

/* `sim` must have maps for the origins' verdicts; all its servers are one group. NULL: no memory.
 */
struct agents *agents_create(struct sim *sim, const struct agents_config *config);
void agents_destroy(struct agents *agents);

/* What there is to do at this moment of virtual time, on every server that runs. */
void agents_look(struct agents *agents);
/* Servers of `side` (bit i: server i) hear no others from now on; NULL: all hear all. */
void agents_split(struct agents *agents, const uint64_t side[SIM_GROUP_MAX / 64]);

/* Counts from nothing. Time unchecked that began before counts whole. */
void agents_begin(struct agents *agents);
void agents_counts(const struct agents *agents, struct agents_counts *counts);
