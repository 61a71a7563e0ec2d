/* An actor's records in order of seq: what a delta walks, and what a snapshot is taken from.
 *
 * A list of small arrays, a cache line each, of references to records; a record knows its place. So
 * who enters at the end writes where the last one did, and who leaves touches one line that is not
 * its own, where links from record to record would touch two, and larger ones. What leaves leaves a
 * hole; an array without any record is given back. Of arrays that have become sparse, neighbours
 * are joined before there would be none left: two that do not fit into one hold more than one can,
 * so with twice as many as full ones would be needed, and one for each actor, there is always a
 * free one to be had. (Insertion into and splitting of sorted arrays in a list: an unrolled linked
 * list, as Shao, Reppy, Appel, Unrolling Lists, 1994.) One owner. Not for other libraries.
 */
#pragma once

#include "base/prefetch.h"
#include "deltamap/blocks.h"
#include "deltamap/record.h"

enum { ORDER_CHUNK = 13 };

struct order_chunk {
	uint32_t older, newer; /* the same actor's; 0: none. Of a free one: `newer` is the next */
	uint16_t slot;
	uint8_t live; /* entries that are not 0 */
	uint8_t used; /* up to the last of them */
	record_ref refs[ORDER_CHUNK];
};

_Static_assert(sizeof(struct order_chunk) == 64, "one cache line");

struct order {
	struct order_chunk *chunks; /* number 0 is none */
	uint32_t chunks_max;
	uint32_t top;       /* all from here on were never used */
	uint32_t free_list; /* and those that were given back */
	uint32_t free_count;
	uint32_t hand; /* where sparse ones are looked for */
};

struct store;
struct actor_slot;

enum { ORDER_PLACE_BITS = 4 }; /* of a place: the entry; the rest is the chunk */

static inline void order_prefetch(const struct order *order, uint32_t place)
{
	sw_prefetch(&order->chunks[place >> ORDER_PLACE_BITS]);
}

/* For as many records as that of as many actors. */
int order_init(struct order *order, struct blocks *blocks, uint32_t records, uint32_t actors);
/* No actor has records any more. */
void order_clear(struct order *order);

record_ref order_newest(const struct store *s, const struct actor_slot *a);
/* The next older one of the same actor; 0: none. */
record_ref order_older(const struct store *s, record_ref ref);
/* With `ahead`, whether an actor holds what its vector does not cover. */
void order_look_ahead(struct store *s, struct actor_slot *a);
void order_take_in(struct store *s, record_ref ref);
void order_take_out(struct store *s, record_ref ref);

/* A snapshot of the records that a vector does not cover (NULL: of all), as they are when it
 * begins, taken piece by piece while the owner goes on writing. One at a time. A record that is
 * replaced before its turn is pinned and stays in its actor's order, dead, until then: whoever
 * walks an order meets dead ones and passes them by. What enters meanwhile is not in it, but for
 * one that fills a gap in what is still to be taken, which does no harm. */
void order_gather_begin(struct store *s, const struct version_vector *above);
/* The next one, pinned: of each actor the newest first. 0: that was all. */
record_ref order_gather_next(struct store *s);
