/* When this server last held everything that another had written: from the last write that every
 * packet tells of. Lanes write, control reads; single words, nobody waits.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/limits.h"
#include "causal/causal.h"

enum { CURRENCY_SLOTS = 4 * SW_MEMBERS_MAX, CURRENCY_EVERY_US = 500 };

struct currency {
	struct currency_slot {
		_Atomic uint64_t id;         /* 0: free; set once */
		_Atomic uint64_t current_ns; /* 0: not yet */
		_Atomic uint64_t last_seq;   /* that it was heard to have written */
		_Atomic uint32_t epoch;      /* … in this life */
	} slots[CURRENCY_SLOTS];
};

/* Any lane: `writer` has written up to last_seq, and this server holds everything up to held_seq.
 */
void currency_heard(struct currency *currency, uint64_t now_ns, struct actor writer,
	uint64_t last_seq, uint64_t held_seq);
/* False: nothing has been heard of it. *current_ns 0: never held everything. */
bool currency_of_reader(const struct currency *currency, uint64_t id, uint64_t *current_ns,
	uint32_t *epoch, uint64_t *last_seq);
