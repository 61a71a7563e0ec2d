/* How long a write takes until it can be read on every server, and what is sent for it: in a quiet
 * cluster, and while all servers together write at a rate.
 *
 * Virtual time: packets take their links' time and wait for their sender's link (10 Gbit/s), but
 * the servers themselves compute in no time at all, and lane and keeper hand over at once. What a
 * real server adds to each hop is in docs/performance-map.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "deltamap/deltamap.h"
#include "samples.h"

struct writes_plan {
	uint64_t seed;
	uint32_t servers;
	enum map_push push;
	uint32_t idle_writes;
	uint32_t loaded_per_s; /* of all servers together */
	double loaded_s;
};

struct writes_result {
	bool failed; /* the cluster did not come up */
	struct samples idle_ms, loaded_ms;
	uint32_t unread; /* writes that some server could not read in time: a mistake */
	/* Sent by all, Ethernet, IP and UDP headers with it; without what an idle map sends. */
	double idle_bytes, idle_packets, loaded_bytes, loaded_packets; /* for each write */
	double background_bytes_s; /* of one server's idle map */
};

void writes_run(const struct writes_plan *plan, struct writes_result *result);
void writes_print(const struct writes_plan *plan, struct writes_result *result, bool first);
void writes_free(struct writes_result *result);
