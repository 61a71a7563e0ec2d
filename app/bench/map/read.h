/* How fast another core reads in bulk, when the keeper rests and while it merges at full speed;
 * beside bare rte_hash lock-free bulk lookups of the same keys. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "samples.h"

struct read_side {
	struct samples rate;   /* million reads/s, of each round */
	struct samples p99_ns; /* of one bulk of READ_BULK keys, of each round */
};

enum { READ_BULK = 32 };

struct read_result {
	uint32_t records;
	struct read_side map_idle, map_busy, table_idle, table_busy;
	struct samples merged;    /* million records/s while the other core read */
	struct samples ratio;     /* reads beside the busy keeper / bare table, of each round */
	struct samples p99_ratio; /* busy / idle, of each round */
	bool failed;              /* a read found nothing, or the threads could not be placed */
};

/* Two cores: the caller's thread is the keeper. */
void read_run(struct read_result *result, uint32_t records, uint32_t rounds, uint64_t slice_ns,
	uint32_t keeper_cpu, uint32_t reader_cpu, uint64_t seed);
void read_print(struct read_result *result);
