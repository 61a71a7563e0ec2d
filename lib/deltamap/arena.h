/* The memory of records: one block, taken at start, cut into pieces of some sizes.
 *
 * A piece that was cut once stays one and is given out again for records of its size or below.
 * What readers may still hold waits in a ring until the owner is told that nobody does. One owner.
 * Not for other libraries.
 */
#pragma once

#include "base/prefetch.h"
#include "deltamap/blocks.h"
#include "deltamap/record.h"

enum {
	STORE_UNIT = 64,
	STORE_CLASSES = 13,
	FREE_AHEAD = 8, /* records fetched ahead of their freeing */
	/* The smallest pieces: there are never more records than fit of them. */
	STORE_SMALLEST = 128,
};

struct arena {
	uint8_t *bytes; /* constant, as all down to class_of: readers look here with every key */
	uint32_t units;
	uint8_t class_of[RECORD_MAX / STORE_UNIT + 2]; /* by units */
	_Alignas(64) record_ref free_lists[STORE_CLASSES];
	uint32_t top; /* never used from here on */
	/* Replaced records in a ring: [tail, seal) wait for the readers, [seal, head) came since.
	 */
	record_ref *retired;
	uint32_t retired_max;
	uint32_t retired_tail, retired_seal, retired_head;
};

static inline struct record *arena_at(const struct arena *a, record_ref ref)
{
	return (struct record *)(void *)(a->bytes + (uint64_t)ref * STORE_UNIT);
}

int arena_init(struct arena *a, struct blocks *blocks, uint64_t bytes_max);
/* How many records there is memory for, at the most. */
uint32_t arena_records_max(const struct arena *a);

/* Of so many bytes, its owner's fields zero, the rest unset; 0 if there is none. */
record_ref arena_take(struct arena *a, size_t bytes);
/* Gives back one that no reader can hold. */
void arena_give(struct arena *a, record_ref ref);

/* What arena_take() will give, one after the other, after `skip` others: brought to the caches. */
struct arena_look {
	uint32_t skip;
	uint8_t class; /* that the rest is of */
	bool begun;
	record_ref chunk; /* free records: the next of them are the first `count` of this one's */
	uint32_t count;
	uint32_t top; /* behind the free ones */
};

void arena_prefetch(const struct arena *a, struct arena_look *look, size_t bytes);

/* Waits for the readers. */
void arena_retire(struct arena *a, record_ref ref);
bool arena_has_retired(const struct arena *a);
void arena_seal(struct arena *a);
void arena_free_sealed(struct arena *a);
