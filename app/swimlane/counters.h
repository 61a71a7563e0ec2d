/* What is counted, once: name, place and meaning. The RPC `stats`, GET /metrics, DPDK's telemetry
 * and the table in docs/operations.md are made from these lists; a test holds them against the
 * structs, so that a counter that is added and not told here fails it.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum counter_kind {
	COUNTER_EVENTS,   /* only grows */
	COUNTER_DROPS,    /* the same: something that was not done; told by reason */
	COUNTER_GAUGE,    /* how many there are now */
	COUNTER_GAUGE_MS, /* a time, in milliseconds: its name ends in _ms */
	COUNTER_CYCLES,   /* only grows: cycles of the time stamp counter */
	COUNTER_NS,       /* only grows: nanoseconds */
	COUNTER_BYTES,    /* only grows */
};

struct counter {
	const char *name; /* NULL: the end */
	uint32_t offset;  /* of a uint64_t */
	enum counter_kind kind;
	const char *help;
};

extern const struct counter counters_core[];       /* struct idle */
extern const struct counter counters_nic[];        /* struct nic_stats, but for rx_drops */
extern const struct counter counters_lane[];       /* struct lane_counters, but for drops */
extern const struct counter counters_membership[]; /* struct swim_counters */
extern const struct counter counters_path[];       /* struct path_counters */
extern const struct counter counters_keeper[];     /* struct keeper_counters */
extern const struct counter counters_map[];        /* struct map_counters */
extern const struct counter counters_watch[];      /* struct watch_counters */
extern const struct counter counters_persist[];    /* struct persist_counters */
extern const struct counter counters_rpc[];        /* struct rpc_server_stats */
extern const struct counter counters_health[];     /* struct health_stats */
extern const struct counter counters_duty[];       /* struct duty_totals */

static inline uint64_t counter_value(const struct counter *counter, const void *of)
{
	return __atomic_load_n(
		(const uint64_t *)((const char *)of + counter->offset), __ATOMIC_RELAXED);
}

/* The counters as a Markdown table. */
void counters_reference(FILE *out);
