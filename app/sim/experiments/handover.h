/* How long an origin goes unchecked when its owner crashes, drains, pauses or is cut off, and how
 * many servers check it at once: whole servers in virtual time with what their control cores do
 * about origins (agents.h, which says what is as in the appliance and what is not).
 *
 * In a partition each side is measured for itself: what the other side checks does not count.
 */
#pragma once

#include <stdbool.h>

#include "samples.h"
#include "swim/swim.h"

enum handover_scene {
	HANDOVER_STEADY, /* nothing happens, for three intervals */
	HANDOVER_CRASH,  /* an owner crashes, and comes back later */
	HANDOVER_DRAIN,  /* an owner drains, and stops draining later */
	HANDOVER_PAUSE,  /* an owner stops for half the suspicion: refuted, or dead for a moment */
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

struct handover_scene_result {
	struct samples gap_ms;   /* of each event, the longest of any origin */
	uint32_t at_once_max;    /* servers that had one origin to check */
	uint64_t checks, beside; /* of which not by the owner */
	uint64_t late;           /* checks begun more than a tenth of the interval late */
	double first_wait_ms; /* the longest from taking an origin to its first check, for the caps
			       */
	double busiest;       /* checks/s of the server with the most in an event */
	uint32_t not_by_one_max; /* origins that nobody or several servers checked in an event */
};

struct handover_result {
	struct handover_scene_result scenes[HANDOVER_SCENES];
	double bound_ms; /* interval + longest suspicion + 100 ms */
	bool failed;     /* the servers did not find each other, or no memory */
};

extern const struct handover_plan handover_plan_64;
extern const struct handover_plan handover_plan_50k; /* 50,000 origins every 10 s */
/* `progress`, if any, is called for every second of virtual time, of which there will be about
 * handover_virtual_s(). */
void handover_run(const struct handover_plan *plan, struct handover_result *result,
	void (*progress)(void *context), void *context);
uint32_t handover_virtual_s(const struct handover_plan *plan);
void handover_print(const struct handover_plan *plan, struct handover_result *result);
const char *handover_scene_name(enum handover_scene scene);
double handover_late_pct(const struct handover_scene_result *result);
void handover_free(struct handover_result *result);
