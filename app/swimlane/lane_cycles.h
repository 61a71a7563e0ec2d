/* Where a lane's cycles go, stage by stage: read off the time stamp counter once a stage and burst,
 * in turns that received frames. A turn that took longer than any burst can was interrupted by
 * the kernel: it is left out, and counted. The lane alone writes, anyone reads single words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

enum lane_stage {
	STAGE_RX,     /* the driver's receive call */
	STAGE_CHECK,  /* Ethernet, IP and UDP headers, checksums */
	STAGE_OPEN,   /* header, key, window, tag; in the clear: header and checksum */
	STAGE_DECODE, /* sender, prelude and messages */
	STAGE_ANSWER, /* what they say: membership, rings, the body of an ACK */
	STAGE_OTHER,  /* membership's timers, what other cores sent */
	STAGE_SEAL,   /* header and tag of what is sent; in the clear: header and checksum */
	STAGE_TX,     /* frame headers, checksums, the driver's send call */
	STAGE_COUNT,
};

static inline const char *lane_stage_name(unsigned stage)
{
	static const char *const names[STAGE_COUNT] = {
		"rx", "check", "open", "decode", "answer", "other", "seal", "tx"};
	return names[stage];
}

/* Counted; the sums are of turns that were not interrupted. */
struct lane_cycles {
	uint64_t turns;
	uint64_t interrupted; /* turns left out */
	uint64_t frames;      /* received in the turns that count */
	uint64_t answers;     /* PINGs answered in them */
	uint64_t stages[STAGE_COUNT];
} __attribute__((aligned(64)));

/* The turn under way. */
struct lane_clock {
	bool running;
	uint64_t begin, last;
	uint64_t frames, answered; /* the lane's counters at its begin */
	uint64_t limit;            /* cycles of the longest turn that counts */
	uint64_t stages[STAGE_COUNT];
};

static inline void lane_clock_stage(struct lane_clock *clock, enum lane_stage stage)
{
	if (!clock->running)
		return;
	uint64_t now = rte_rdtsc();
	clock->stages[stage] += now - clock->last;
	clock->last = now;
}

/* Frames have come: the turn that began at `begin` counts; the driver gave them at `received`. */
static inline void lane_clock_start(struct lane_clock *clock, uint64_t begin, uint64_t received)
{
	*clock = (struct lane_clock){.running = true,
		.begin = begin,
		.last = received,
		.limit = clock->limit,
		.frames = clock->frames,
		.answered = clock->answered};
	clock->stages[STAGE_RX] = received - begin;
}

static inline void lane_clock_stop(
	struct lane_clock *clock, struct lane_cycles *cycles, uint64_t frames, uint64_t answered)
{
	if (clock->running && clock->last - clock->begin <= clock->limit) {
		cycles->turns++;
		cycles->frames += frames - clock->frames;
		cycles->answers += answered - clock->answered;
		for (unsigned s = 0; s < STAGE_COUNT; s++)
			cycles->stages[s] += clock->stages[s];
	} else if (clock->running) {
		cycles->interrupted++;
	}
	clock->running = false;
	clock->frames = frames;
	clock->answered = answered;
}
