/* Packets of records that the source's peers write, each new to the server: their own next dots,
 * over a fixed number of keys. */
#pragma once

#include "identity.h"

enum {
	DELTAS_KEYS = 256, /* of each peer: written again and again */
	DELTAS_KEY_LEN = 12,
	DELTAS_VALUE_MAX = 1000,
	DELTAS_RECORDS_MAX = 16, /* in a packet */
};

struct deltas {
	uint64_t seqs[SEAL_SENDERS_MAX]; /* of each peer's last record */
	uint16_t records, value_len;
};

/* How many records of this value fit a packet. */
uint16_t deltas_most(uint16_t value_len);

/* Writes one packet into each of `count` (at most SEAL_BURST) fresh mbufs: i is of peer first + i.
 */
void deltas_fill(struct deltas *deltas, struct identity *identity, struct rte_mbuf **mbufs,
	uint32_t first, uint32_t count);
