/* What a delta costs: a peer lacks the newest DELTA_RECORDS of a map's records. The cost must
 * follow what is sent, not what is stored. */
#pragma once

#include <stdint.h>

#include "samples.h"

enum { DELTA_SIZES = 3, DELTA_RECORDS = 1000 };

struct delta_result {
	uint32_t records[DELTA_SIZES];  /* 10,000 … 1,000,000 */
	struct samples us[DELTA_SIZES]; /* from the request to the last packet, encoded */
	uint32_t packets;               /* of one delta */
	struct samples ratio;           /* largest map / smallest, of each round */
};

void delta_run(struct delta_result *result, uint32_t rounds, uint64_t seed);
void delta_print(struct delta_result *result);
