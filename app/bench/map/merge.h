/* How fast the keeper merges: records that are new, and records that overwrite, each beside bare
 * rte_hash insertion of the same keys in the same order. */
#pragma once

#include <stdint.h>

#include "samples.h"

struct merge_result {
	uint32_t records;
	/* of each round; rates in million records/s */
	struct samples fresh, overwrite, table_fresh, table_overwrite;
	struct samples fresh_ratio, overwrite_ratio;
};

void merge_run(struct merge_result *result, uint32_t records, uint32_t rounds, uint64_t seed);
void merge_print(struct merge_result *result);
