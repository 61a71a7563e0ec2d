/* For tests on the simulator: the membership events of a run, and what is said shortly of it. */
#pragma once

#include <assert.h>

#include "sim.h"

enum { SIM_EVENTS_MAX = 32768 };

struct sim_events {
	uint32_t count;
	struct {
		uint32_t server;
		struct swim_event event;
	} of[SIM_EVENTS_MAX];
};

static inline void sim_events_take(void *context, struct sim *sim, uint32_t server, const struct swim_event *event)
{
	struct sim_events *events = context;
	(void)sim;
	assert(events->count < SIM_EVENTS_MAX);
	events->of[events->count].server = server;
	events->of[events->count++].event = *event;
}

/* From now on, and none so far. */
static inline void sim_events_watch(struct sim *sim, struct sim_events *events)
{
	events->count = 0;
	sim_observe(sim, &(struct sim_observer){.context = events, .on_event = sim_events_take});
}

/* Of this kind, about this server's id; 0: about anyone. */
static inline uint32_t sim_events_count(const struct sim_events *events, enum swim_event_kind kind, uint64_t about)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < events->count; i++)
		found += events->of[i].event.kind == kind &&
			 (about == 0 || events->of[i].event.record.actor.id == about);
	return found;
}

/* Servers below `side` against the rest; of one group. */
static inline void sim_split_below(struct sim *sim, uint32_t side)
{
	uint64_t set[SIM_GROUP_MAX / 64] = {0};
	for (uint32_t i = 0; i < side; i++)
		set[i / 64] |= 1ULL << (i % 64);
	sim_split(sim, 0, set);
}
