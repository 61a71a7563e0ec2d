/* What a run measured. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { METER_WINDOWS_MAX = 1 << 16, METER_SAMPLES_MAX = 1 << 20, METER_LANES_MAX = 16 };

struct meter {
	uint64_t sent, answered, lost;
	uint64_t opened, bad, other; /* opened; not authentic; authentic, and no ACK */
	uint64_t cycles;             /* of the whole run */
	uint64_t deltas;             /* records in what was sent */
	/* Timed probes. */
	uint64_t probes, acks, late; /* sent; answered; of these, after the timeout */
	/* Flows, each a peer's. */
	uint64_t reordered; /* answers to an earlier probe than the one before */
	uint64_t moved;     /* answers from another lane than the one before */
	uint64_t by_lane[METER_LANES_MAX];
	uint32_t windows_seen;
	uint32_t window_count; /* of those without a pause */
	uint32_t sample_count;
	uint32_t windows[METER_WINDOWS_MAX]; /* answers in each, scaled to its nominal length */
	uint32_t samples[METER_SAMPLES_MAX]; /* round trips, ns */
};

void meter_clear(struct meter *meter);
static inline void meter_sample(struct meter *meter, uint64_t ns)
{
	if (meter->sample_count < METER_SAMPLES_MAX)
		meter->samples[meter->sample_count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}
/* One line of JSON on standard output. Sorts what it holds. */
void meter_print(struct meter *meter, uint64_t hz, uint32_t window_us);
