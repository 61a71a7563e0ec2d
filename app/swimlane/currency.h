/* When this server last held everything that another had written: from the last write that every
 * packet tells of. Lanes write, control reads; single words, nobody waits.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "causal/causal.h"

enum { CURRENCY_SLOTS = 4 * SW_MEMBERS_MAX, CURRENCY_EVERY_US = 500 };

struct currency {
	struct currency_slot {
		_Atomic uint64_t id;         /* 0: free; set once */
		_Atomic uint64_t current_ns; /* 0: not yet */
		_Atomic uint64_t last_seq;   /* that it was heard to have written */
		_Atomic uint32_t epoch;      /* … in this life */
	} __attribute__((aligned(32))) slots[CURRENCY_SLOTS]; /* none lies in two lines */
};

static inline uint32_t currency_home(uint64_t id)
{
	return sw_home(id, CURRENCY_SLOTS);
}

/* Any lane: the slot of this id, taken if it is new; NULL: all are taken. */
struct currency_slot *currency_slot(struct currency *currency, uint64_t id);

/* Any lane: `writer` has written up to last_seq, and this server holds everything up to held_seq.
 */
static inline void currency_heard(struct currency *c, uint64_t now_ns, struct actor writer,
	uint64_t last_seq, uint64_t held_seq)
{
	struct currency_slot *s = &c->slots[currency_home(writer.id)];
	if (atomic_load_explicit(&s->id, memory_order_acquire) != writer.id)
		s = currency_slot(c, writer.id);
	if (s == NULL)
		return;
	if (atomic_load_explicit(&s->epoch, memory_order_relaxed) != writer.epoch)
		atomic_store_explicit(&s->epoch, writer.epoch, memory_order_relaxed);
	if (atomic_load_explicit(&s->last_seq, memory_order_relaxed) != last_seq)
		atomic_store_explicit(&s->last_seq, last_seq, memory_order_relaxed);
	/* Not for each packet: lanes share the line. */
	uint64_t before = atomic_load_explicit(&s->current_ns, memory_order_relaxed);
	if (last_seq <= held_seq && now_ns - before >= CURRENCY_EVERY_US * SW_NS_PER_US)
		atomic_store_explicit(&s->current_ns, now_ns, memory_order_relaxed);
}

/* False: nothing has been heard of it. *current_ns 0: never held everything. */
bool currency_of_reader(const struct currency *currency, uint64_t id, uint64_t *current_ns,
	uint32_t *epoch, uint64_t *last_seq);
