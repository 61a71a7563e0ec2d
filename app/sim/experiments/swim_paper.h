/* What SWIM promises: Das, Gupta, Motivala: SWIM, 2002.
 *
 * Plain SWIM (the table digest stays on: it brings servers together that were started at once, and
 * says nothing while tables agree), the lan profile, 50 us links. load: packets that a member sends
 * in a period (5, figure 2). Each one sent is one received. first detection: a crash is followed by
 * periods; counted is the first one in which somebody probes the crashed server in vain (3.1: e /
 * (e - 1) expected). The suspicion follows at the end of that probe. dissemination: periods until
 * the last member knows a change that travels on probes alone (4.1). round robin: the longest gap
 * between two probes of one target by one member (4.3: 2n - 1 periods).
 */
#pragma once

#include "samples.h"

enum { SWIM_PAPER_SIZES = 5 };

struct swim_paper_plan {
	uint64_t seed;
	uint32_t load_periods;
	uint32_t crashes, crash_servers;
	uint32_t changes; /* of each size */
};

struct swim_paper_result {
	uint32_t servers[SWIM_PAPER_SIZES];
	double load[SWIM_PAPER_SIZES];
	double spread_mean[SWIM_PAPER_SIZES], spread_max[SWIM_PAPER_SIZES];
	uint32_t gap_max[SWIM_PAPER_SIZES]; /* periods */
	uint32_t untold;                    /* changes that not all learnt */
	struct samples
		detection_periods; /* whole periods to the first probe in vain, its own included */
	struct samples suspicion_periods; /* to the first suspicion */
	uint32_t failed;                  /* experiments whose servers did not find each other */
};

void swim_paper_run(const struct swim_paper_plan *plan, struct swim_paper_result *result,
	void (*progress)(void *context), void *context);
void swim_paper_print(struct swim_paper_result *result);
void swim_paper_free(struct swim_paper_result *result);

/* One member alone with `servers - 1` others that answer at once: the longest gap, in periods,
 * between two of its probes of the same one, within `periods`. 0: it did not learn of all of them.
 */
uint32_t round_robin_gap(uint32_t servers, uint32_t periods, uint64_t seed);
