/* When which origin is checked: due times with jitter, under a rate and a concurrency cap.
 *
 * Pure: time and the seed are arguments, what a check is and how it ends is the caller's. The
 * checker of the control core drives it with libcurl, the simulator with checks of its own. One
 * owner. The caller keeps an entry for each origin, at a constant address while it is put.
 *
 * The first check comes at once, the second at a random point of the interval, so that origins that
 * were put together are not checked together ever after; the later ones an interval apart, less up
 * to the jitter: never more, whoever reckons with the interval can rely on it.
 */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "base/random.h"
#include "health/due.h"

struct schedule_entry {
	struct due due;
	uint64_t started_ns;
	uint32_t interval_ms; /* set by the caller, before it is put and at any time after */
	uint32_t jitter_pct;  /* 0 … 50: of the interval, early; likewise */
	bool running;
	bool spread; /* its place in the interval is drawn */
};

struct schedule_counters {
	uint64_t late;     /* started more than 10 % of the interval after their time */
	uint64_t deferred; /* held back by the rate or the concurrency cap */
};

struct schedule {
	struct due_heap heap; /* of those that are not running */
	struct sw_random random;
	uint32_t concurrent_max;
	uint32_t in_flight;
	uint32_t entries;
	uint64_t rate_ns;       /* between two starts, at the cap */
	uint64_t next_start_ns; /* at an even pace: may lie behind now by the slack */
	uint64_t held_until_ns; /* what is due by then was held back by a cap */
	struct schedule_counters counters;
};

/* schedule_limits() must follow. */
void schedule_init(struct schedule *schedule, uint64_t seed);
/* Both above 0; at any time. */
void schedule_limits(struct schedule *schedule, uint32_t checks_per_s_max, uint32_t concurrent_max);
void schedule_fini(struct schedule *schedule);

/* A new entry, zeroed but for interval and jitter: due now. 0 or -ENOMEM. */
int schedule_put(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns);
/* Due now again, its place in the interval drawn anew; if it is running, that check has ended. */
void schedule_again(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns);
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns);

/* When the next may start: SW_NEVER_NS if none is put, or that waits for a check to end. */
uint64_t schedule_next_ns(const struct schedule *schedule);
/* The next that is due and that the caps allow: running from now on. NULL: none. */
struct schedule_entry *schedule_start(struct schedule *schedule, uint64_t now_ns);
/* It ended: the next is due an interval after the start of this one. */
void schedule_end(struct schedule *schedule, struct schedule_entry *entry, uint64_t now_ns);
