/* Random scripts of the map's world, each with faults of its own kinds and frequencies: which are
 * on, and how often, is drawn anew for each (Groce et al., Swarm Testing, 2012). At the end faults
 * cease and all must agree (map_world.h). */
#pragma once

#include "map_world.h"

enum { SCRIPT_MAX = 1024 };

struct map_script {
	uint8_t replicas, late;
	bool long_values, forgotten_go_on;
	uint32_t count;
	struct step steps[SCRIPT_MAX]; /* DELIVER: what = from << 12 | number of the packet */
};

struct map_result {
	const char *broken; /* NULL: nothing */
	const char *corner; /* one of the known ones: docs/map-proof.md */
	uint32_t at;        /* the step after which it was; count: after the heal */
	struct map_counters counters;
};

/* Draws a script while playing it. */
void map_swarm_play(uint64_t seed, struct map_script *script, struct map_result *result);
/* Plays a script that was drawn, or a part of one: what is not possible is left out. */
void map_script_play(const struct map_script *script, struct map_result *result);
/* Leaves out what is not needed for the same to be broken. */
void map_script_shrink(struct map_script *script);
/* Plays it and prints each step. */
void map_script_print(const struct map_script *script);
/* Plays it and writes, for map_reference.py, each step that was made and the replica's state after
 * it. */
void map_script_write(const struct map_script *script);
