/* Every order of steps of a cluster within a budget of events: depth first, each state once. */
#pragma once

#include "cluster.h"

struct world {
	const char *name;
	bool joined; /* at the beginning */
	struct scope scope;
	struct budget budget;
};

struct explored {
	uint64_t states;
	uint64_t steps;
	uint64_t settled; /* states from which a calm time was tried: each set of tables once */
	uint64_t slowest_ns;
	uint32_t deepest;
	uint32_t messages; /* different ones */
	bool whole;        /* all states were seen: the limit was not reached */
	const char *broken;
	char trace[8192]; /* the steps that led there */
};

enum { WORLDS = 7 };

extern const struct world worlds[WORLDS];

/* At most states_max of them; stops at the first thing that is broken. 0 or -ENOMEM. */
int explore(const struct world *world, uint64_t states_max, struct explored *out);
