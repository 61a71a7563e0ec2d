/* Every order of steps of the map's world within a budget: depth first, each state once.
 *
 * The network only grows: whatever was sent can arrive at any later step, any number of times, or
 * never. That is loss, duplication and reordering at once, of any length. Only a request for a
 * session costs when it comes again: each one makes a new snapshot.
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
	struct map_budget budget;
};

struct map_explored {
	uint64_t states, steps;
	uint64_t healed;   /* states from which faults ended: each set of replicas once */
	uint64_t followed; /* states reached again whose next steps were compared */
	uint32_t deepest;
	uint32_t packets; /* different ones */
	bool whole;       /* all states were seen: the limit was not reached */
	const char *broken;
	char trace[16384];
};

enum { MAP_SCOPES = 9 };

extern const struct map_scope map_scopes[MAP_SCOPES];

/* At most states_max of them; stops at the first thing that is broken. 0 or -ENOMEM. */
int map_explore(const struct map_scope *scope, uint64_t states_max, struct map_explored *out);
