/* Where the roles run: lcore numbers and CPUs. Lcore 0 is control, 1 the keeper, 2 … the lanes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum { LCORE_CONTROL = 0, LCORE_KEEPER = 1, LCORE_LANE = 2 };

struct place {
	char lcores[8192]; /* for EAL's --lcores */
	char cpus[256]; /* for people: where roles float, or empty if each has a CPU of its own */
	unsigned cpu_count; /* CPUs that this process may use */
	bool shared;        /* some roles share a CPU */
};

/* The CPU of an lcore, where CPUs are given. (rte_lcore_to_cpu_id() does not know --lcores.) */
unsigned place_cpu(const struct config *config, unsigned lcore);

/* Where CPUs are given: says which roles lie on another NUMA node than the port, and which CPUs
 * would do; false: none. `node_of` tells a CPU's node, -1 if it has none. */
bool place_is_far(const struct config *config, int port_node, int (*node_of)(unsigned cpu),
	char *text, size_t text_len);

/* Where they are not: keeps this process to the node's CPUs, as far as it may use any of them.
 * False: nothing has changed. */
bool place_stay_near(int port_node, int (*node_of)(unsigned cpu));

/* Chooses, and pins the calling thread so that threads that EAL starts stay off packet CPUs. 0, or
 * -errno with a message. */
int place_roles(const struct config *config, struct place *place, char *error, size_t error_len);
