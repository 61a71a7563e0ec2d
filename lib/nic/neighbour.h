/* The neighbours: which Ethernet address stands behind an IP address.
 *
 * A fixed open-addressed table, linear probing (Knuth, TAOCP 3, 6.4). An entry's address is written
 * once, before the entry's word is released, and never changes while the table lives; the word
 * holds state and MAC together, so that a reader sees both of the same moment. One writer (control
 * where the port is shared, lane 0 where it is exclusive), any number of readers, nobody waits.
 * Entries are never taken out: 2,048 different addresses in one process's life is the bound, then
 * -ENOSPC.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"

enum {
	NEIGHBOURS_MAX = 2048,
	NEIGHBOUR_SLOTS = 2 * NEIGHBOURS_MAX, /* a power of two, at most half full */
};

enum neighbour_state {
	NEIGHBOUR_FREE,    /* no entry */
	NEIGHBOUR_UNKNOWN, /* wanted, no MAC yet */
	NEIGHBOUR_KNOWN,   /* confirmed not long ago */
	NEIGHBOUR_DOUBTED, /* not confirmed lately: still used, and asked for again */
};

struct neighbour {
	_Atomic uint64_t word; /* writer: rw, lanes: ro; state above 48 bits of MAC */
	uint8_t addr[16];      /* writer: w once, lanes: ro after the word */
	uint64_t unused;
};

struct neighbours {
	struct neighbour slots[NEIGHBOUR_SLOTS];
	uint32_t count; /* writer only */
};

static inline uint32_t neighbour_home(const uint8_t addr[16])
{
	uint64_t high, low;
	memcpy(&high, addr, sizeof(high));
	memcpy(&low, addr + 8, sizeof(low));
	return (uint32_t)(sw_mix64(low ^ sw_mix64(high)) % NEIGHBOUR_SLOTS);
}

static inline enum neighbour_state neighbour_word_state(uint64_t word)
{
	return (enum neighbour_state)(word >> 48);
}

static inline void neighbour_word_mac(uint64_t word, uint8_t mac[6])
{
	memcpy(mac, &word, 6); /* little-endian hosts only, see neighbour.c */
}

uint64_t neighbour_word(enum neighbour_state state, const uint8_t mac[6]);

/* Any core. The entry's slot, or -ENOENT. */
int neighbour_find(const struct neighbours *table, const uint8_t addr[16]);

/* Any core. True and the MAC if one is known. */
static inline bool neighbour_mac(
	const struct neighbours *table, const uint8_t addr[16], uint8_t mac[6])
{
	int slot = neighbour_find(table, addr);
	if (slot < 0)
		return false;
	uint64_t word = atomic_load_explicit(&table->slots[slot].word, memory_order_acquire);
	if (neighbour_word_state(word) < NEIGHBOUR_KNOWN)
		return false;
	neighbour_word_mac(word, mac);
	return true;
}

/* Writer. The entry's slot, new (NEIGHBOUR_UNKNOWN) or old; -ENOSPC. */
int neighbour_claim_owner(struct neighbours *table, const uint8_t addr[16]);

/* Writer. */
void neighbour_set_owner(
	struct neighbours *table, int slot, enum neighbour_state state, const uint8_t mac[6]);
