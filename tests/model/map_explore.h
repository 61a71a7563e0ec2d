/* Every order of steps of the map's world within a budget: depth first, each state once.
 *
 * The network only grows: whatever was sent can arrive at any later step, any number of times, or
 * never. That is loss, duplication and reordering at once, of any length. Only a request that comes
 * again costs: each one that asks for a session makes a new snapshot.
 *
 * A state of the world is the numbers of its replicas' states (map_local.h) and of its history
 * (map_ledger.h), what is under way, and what is left of the budget. What can make no difference
 * any more is left out, so that more states are one (is_dead() and is_done_at_once() say why).
 */
#pragma once

#include "map_world.h"

struct map_budget {
	uint8_t writes; /* puts and deletes together */
	uint8_t puts, deletes, pulls, resends, restarts, duplicates, reports, forgets, new_epochs;
};

struct map_scope {
	const char *name;
	uint8_t replicas, keys, late;
	bool long_values;
	bool piecewise; /* snapshots are taken record by record, with steps of others in between */
	bool small;     /* explored whole by the suite */
	struct map_budget budget;
};

struct map_explored {
	uint64_t states, steps;
	uint64_t healed; /* sets of replicas from which faults ended */
	uint64_t
		compared; /* states of a replica that were reached in two ways, and went on alike */
	uint32_t locals;  /* states of one replica */
	uint32_t ledgers; /* histories */
	uint64_t edges;   /* steps of one replica: as often the code ran */
	uint32_t deepest;
	uint32_t packets; /* different ones */
	bool whole;       /* all states were seen: the limit was not reached */
	const char *broken;
	char trace[16384];
};

enum { MAP_SCOPES = 17 };

extern const struct map_scope map_scopes[MAP_SCOPES];

/* At most states_max of them; stops at the first thing that is broken. 0 or -ENOMEM. */
int map_explore(const struct map_scope *scope, uint64_t states_max, struct map_explored *out);
