/* Swarms: runs whose faults, and how often each comes, are drawn anew from a seed.
 *
 * Uniform schedules miss what needs many of one fault and none of another (Groce, Zhang, Eide,
 * Chen, Regehr: Swarm Testing, 2012). A seed gives a plan, a plan a run, to the last event.
 */
#pragma once

#include "scene.h"

struct swarm_plan {
	uint64_t seed;
	struct sim_config config;
	struct script script;
	uint64_t for_ns;                      /* then the liveness phase */
	uint64_t part[SCRIPT_SET_MAX / 64];   /* that is made whole first */
	uint64_t revive[SCRIPT_SET_MAX / 64]; /* servers restarted at the end, if they do not run */
};

struct swarm_result {
	bool failed;
	uint64_t virtual_ns, events;
	uint64_t part_ns, members_ns, maps_ns;
	uint32_t unseen;
	struct marks marks;
	char text[VIOLATION_TEXT_MAX];
};

void swarm_draw(uint64_t seed, struct swarm_plan *plan);
void swarm_plan_fini(struct swarm_plan *plan);
/* Plays it. `trace`, if not NULL, gets every event; `tell`, the last ones if it fails. */
void swarm_play(
	const struct swarm_plan *plan, FILE *trace, FILE *tell, struct swarm_result *result);
/* The plan as a script file, with the options of `run` that go with it in comments. */
void swarm_print(const struct swarm_plan *plan, FILE *out);
