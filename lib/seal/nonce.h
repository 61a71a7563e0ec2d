/* The nonce of a packet. Private to lib/seal. */
#pragma once

#include "base/bytes.h"
#include "seal/seal.h"

static inline void seal_nonce(uint8_t nonce[SEAL_NONCE_LEN], uint8_t lane, uint64_t counter)
{
	uint32_t lane_be = htobe32(lane);
	uint64_t counter_be = htobe64(counter);
	memcpy(nonce, &lane_be, sizeof(lane_be));
	memcpy(nonce + sizeof(lane_be), &counter_be, sizeof(counter_be));
}
