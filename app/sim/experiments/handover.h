/* How long an origin goes unchecked when its owner crashes, drains, pauses or is cut off, and how
 * many servers check it at once: whole servers in virtual time, with the ownership table, the
 * eligibility and the duties of the appliance (rendezvous/eligible.h, rendezvous/duty.h),
 * and its schedule of checks (health/schedule.h).
 *
 * An agent on each server checks the origins that are its duty, and writes into the replicated map
 * what the appliance writes: its first finding, and its claims. Every origin can be reached from
 * everywhere, answers at once and is well. Agents look once a step: no figure is finer than that.
 */
#pragma once

#include <stdbool.h>

#include "samples.h"
#include "swim/swim.h"

enum handover_scene {
	HANDOVER_CRASH, /* an owner crashes, and comes back later */
	HANDOVER_DRAIN, /* an owner drains, and stops draining later */
	HANDOVER_PAUSE, /* an owner stops for half the suspicion: refuted, or dead for a moment */
	HANDOVER_PARTITION, /* half of them against the other half, and healed later */
	HANDOVER_SCENES,
};

struct handover_plan {
	const struct swim_profile *profile;
	uint32_t servers; /* 2 … SW_MEMBERS_MAX */
	uint32_t origins;
	uint32_t events; /* of each scene */
	uint64_t interval_ns, stable_ns, link_ns;
	uint64_t step_ns; /* 0: 1 ms */
	uint64_t seed;
	bool no_stand_in; /* to compare: a suspect is waited for until it is dead */
};

struct handover_result {
	struct samples gap_ms[HANDOVER_SCENES]; /* of each event, the longest of any origin */
	uint32_t at_once_max[HANDOVER_SCENES];  /* servers that had one origin to check */
	uint64_t checks[HANDOVER_SCENES], beside[HANDOVER_SCENES]; /* of which not by the owner */
	uint64_t late[HANDOVER_SCENES];  /* checks begun more than a tenth of the interval late */
	double busiest[HANDOVER_SCENES]; /* checks/s of the server with the most, over the scene */
	double bound_ms;                 /* interval + longest suspicion + 100 ms */
	bool failed;                     /* the servers did not find each other */
};

extern const struct handover_plan handover_plan_64;
extern const struct handover_plan handover_plan_50k; /* 50,000 origins every 10 s */
void handover_run(const struct handover_plan *plan, struct handover_result *result,
	void (*progress)(void *context), void *context);
void handover_print(const struct handover_plan *plan, struct handover_result *result);
const char *handover_scene_name(enum handover_scene scene);
void handover_free(struct handover_result *result);
