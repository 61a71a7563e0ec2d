/* Quiescent states for stress tests: the smallest thing that gives grace periods, so that what is
 * tested beside it is not DPDK. One writer, READERS_MAX readers; a reader holds nothing when it
 * announces.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { READERS_MAX = 64 };

struct quiescent {
	_Atomic uint64_t now; /* writer: rw, readers: ro */
	struct {
		_Atomic uint64_t seen; /* its reader: w, writer: ro */
	} __attribute__((aligned(64))) readers[READERS_MAX];
	uint32_t reader_count;
};

static inline void quiescent_announce_reader(struct quiescent *q, uint32_t reader)
{
	uint64_t now = atomic_load_explicit(&q->now, memory_order_acquire);
	atomic_store_explicit(&q->readers[reader].seen, now, memory_order_release);
}

/* Returns the token that all readers must have seen. */
static inline uint64_t quiescent_start_owner(struct quiescent *q)
{
	return atomic_fetch_add_explicit(&q->now, 1, memory_order_seq_cst) + 1;
}

static inline bool quiescent_check_owner(const struct quiescent *q, uint64_t token)
{
	for (uint32_t i = 0; i < q->reader_count; i++)
		if (atomic_load_explicit(&q->readers[i].seen, memory_order_acquire) < token)
			return false;
	return true;
}
