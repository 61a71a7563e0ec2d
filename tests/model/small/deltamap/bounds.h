/* The sizes of lib/deltamap/bounds.h for the model's build. */
#pragma once

/* The reference takes a snapshot in one go. */
#ifndef MAP_MODEL_GATHER
#define MAP_MODEL_GATHER 1
#endif

enum {
	OUT_MAX = 16,
	PUSH_QUEUE_MAX = 16,
	PUSH_JOBS_MAX = 2,
	ASSEMBLIES_MAX = 2,
	PENDING_MAX = 32,
	EARLY_MAX = 16,
	PROBES_MAX = 64,
	DUE_PER_TICK = 64,
	GATHER_PER_TICK = MAP_MODEL_GATHER,
	BUCKETS_PER_TICK = 4096,
	AHEAD_MAX = 1,
	BUCKETS_MIN = 8,
};
