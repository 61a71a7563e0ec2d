/* From a crash to the moment when the last server knows of it, with everything that swimlane has.
 *
 * One server after another crashes at a random moment, and is started again when all know. A server
 * that is declared dead while it runs is a false positive. Membership alone: the map has no say in
 * this.
 */
#pragma once

#include <stdbool.h>

#include "samples.h"
#include "swim/swim.h"

enum { CRASH_CASES = 9 };

struct crash_case {
	const char *name;
	const char *profile_name;
	const struct swim_profile *profile;
	uint32_t servers;
	uint64_t link_ns;
};
extern const struct crash_case crash_cases[CRASH_CASES];
enum { CRASH_METAL_64 = 1 };

struct crash_result {
	struct samples all_ms;
	uint32_t unknown; /* crashes that somebody did not know of in time */
	uint32_t false_positives;
	bool failed; /* the servers did not find each other */
};

void crash_run(const struct crash_case *which, uint32_t crashes, uint64_t seed,
	struct crash_result *result, void (*progress)(void *context), void *context);
void crash_print(const struct crash_case *which, struct crash_result *result, bool first);
void crash_free(struct crash_result *result);

/* Virtual seconds for each second of this process's CPU time: 64 complete servers (map too), metal,
 * quiet. */
double crash_sim_speed(double virtual_s, uint64_t seed);
