/* The records of a replica: a chained hash table and, for each actor, its records in order of seq.
 *
 * Records are immutable once published: an overwrite puts a new one in the place of the old one.
 * They live in one block taken at start, cut into size classes, and are named by a 32-bit
 * reference. Readers follow the chains without locks; the owner retires what it replaces and frees
 * it when it is told that no reader can hold it any more, and no session has it pinned. Not for
 * other libraries.
 */
#pragma once

#include <stdatomic.h>
#include <string.h>

#include "deltamap/blocks.h"
#include "deltamap/deltamap.h"

typedef uint32_t record_ref; /* in units of STORE_UNIT bytes; 0: none */

enum {
	STORE_UNIT = 64,
	STORE_CLASSES = 12,
	ACTOR_SLOTS = 2 * SW_ACTORS_MAX,
	NO_ACTOR = 0xffff,
	FREE_AHEAD = 8, /* records fetched ahead of their freeing */
};

/* What a reader needs to find a key stands together, right before the key: of a record that it
 * walks past it touches one cache line. */
struct record {
	record_ref older; /* the same actor's records by seq; owner only, as all down to `dead` */
	record_ref newer;
	record_ref free_next;
	uint16_t actor_slot;
	uint16_t pins;
	uint8_t class;
	bool dead; /* replaced; freed when no longer pinned */
	/* immutable from here, but for `next`, and mark and tomb_older, which are the owner's */
	uint8_t rival;
	uint8_t mark; /* the reconciliation in which the peer was last seen to hold this key */
	record_ref tomb_older; /* the same actor's tombstones; the other way: free_next */
	uint64_t key_hash;
	uint64_t clock;
	uint64_t weight;
	uint64_t written_ms;
	struct dot author;
	struct dot dot;
	struct dot previous;
	_Atomic record_ref next; /* chain; owner: rw, readers: ro */
	uint16_t value_len;
	uint8_t flags; /* WIRE_RECORD_* */
	uint8_t key_len;
	uint8_t bytes[]; /* key, value */
};

_Static_assert(offsetof(struct record, next) % STORE_UNIT <= STORE_UNIT - 32,
	"the head of a key stands with its first bytes in one cache line");

/* A slot that was given up is not read any more, but a reader that saw it in use may still look:
 * it is free for another actor when it has passed a seal, as records are. */
enum slot_state { SLOT_EMPTY, SLOT_USED, SLOT_GONE, SLOT_SEALED, SLOT_FREE };

/* One actor: its records and how far this replica's vector reaches. */
struct actor_slot {
	struct actor actor;         /* set before SLOT_USED, constant while it is that */
	_Atomic uint8_t state;      /* enum slot_state; owner: rw, readers: ro */
	bool ahead;                 /* holds records that the vector does not cover */
	bool blocked;               /* has tombstones that wait for this replica's own vector */
	bool over;                  /* no more is written under it: see closing.c */
	_Atomic uint64_t seq;       /* the vector's entry, as it is; owner: rw, readers: ro */
	uint64_t cap;               /* at which it is known to be closed; 0: it is not */
	_Atomic uint64_t collected; /* the highest seq of a tombstone that was collected here */
	uint64_t unknown_ns;        /* since when membership has had no word of it; 0: it has */
	record_ref oldest, newest;
	record_ref tomb_oldest, tomb_newest;
	/* What the snapshot under way has yet to take: from `pending` (0: nothing) down. */
	record_ref pending;
	uint64_t pending_above, pending_upto;
};

struct store {
	uint8_t *arena;
	uint32_t arena_units;
	uint32_t arena_top;
	record_ref free_lists[STORE_CLASSES];
	_Atomic record_ref *buckets;
	uint32_t bucket_mask;
	uint32_t records_max;
	_Atomic uint32_t record_count;
	_Atomic uint32_t tombstone_count;
	_Atomic uint64_t content_hash;
	_Atomic uint64_t vector_hash;
	uint64_t bucket_sums[WIRE_BUCKETS_COUNT]; /* of content_hash; owner only */
	uint32_t actor_count;
	uint16_t last_actor;                   /* that store_actor() found */
	uint16_t actor_order[SW_ACTORS_MAX];   /* slots in use, by (id, epoch); owner only */
	struct actor_slot actors[ACTOR_SLOTS]; /* open addressing */
	uint32_t gone_open, gone_sealed;       /* slots in those states */
	_Atomic uint32_t ahead_count;          /* slots that are ahead */
	/* Slots at which something moved that collecting or closing may have waited for. */
	uint64_t due[ACTOR_SLOTS / 64];
	bool any_due;
	bool any_blocked;
	bool gathering; /* a snapshot is being taken */
	uint16_t gather_slot;
	/* Replaced records in a ring: [tail, seal) wait for the readers, [seal, head) came since.
	 */
	record_ref *retired;
	uint32_t retired_max;
	uint32_t retired_tail, retired_seal, retired_head;
};

static inline struct record *store_at(const struct store *s, record_ref ref)
{
	return ref == 0 ? NULL : (struct record *)(void *)(s->arena + (uint64_t)ref * STORE_UNIT);
}

static inline const uint8_t *record_key(const struct record *r)
{
	return r->bytes;
}

static inline const uint8_t *record_value(const struct record *r)
{
	return r->bytes + r->key_len;
}

int store_init(struct store *s, struct blocks *blocks, uint32_t records_max, uint64_t bytes_max);

/* The slot of an actor: NO_ACTOR if unknown, or if `add` and the table is full. */
uint16_t store_actor(struct store *s, struct actor actor, bool add);
uint16_t store_actor_reader(const struct store *s, struct actor actor);
/* The entry as it is: closed epochs cover every dot. 0 for NO_ACTOR. */
uint64_t store_seq(const struct store *s, uint16_t slot);
/* Joins an entry of the vector. */
void store_raise(struct store *s, uint16_t slot, uint64_t seq);
/* The actor is out of the vector; it must have no records. */
void store_forget_actor(struct store *s, uint16_t slot);
void store_due(struct store *s, uint16_t slot);

record_ref store_find(const struct store *s, uint64_t key_hash, const void *key, size_t key_len);

/* The same in steps, so that several keys' memory is fetched side by side. */
static inline void store_prefetch_bucket(const struct store *s, uint64_t key_hash)
{
	__builtin_prefetch(&s->buckets[key_hash & s->bucket_mask]);
}

static inline record_ref store_head(const struct store *s, uint64_t key_hash)
{
	return atomic_load_explicit(&s->buckets[key_hash & s->bucket_mask], memory_order_acquire);
}

/* Harmless if there is none: the arena begins with an empty unit. */
static inline void store_prefetch_key(const struct store *s, record_ref ref)
{
	__builtin_prefetch(s->arena + (uint64_t)ref * STORE_UNIT + offsetof(struct record, next));
}

/* All of its fields. */
static inline void store_prefetch_record(const struct store *s, record_ref ref)
{
	const uint8_t *at = s->arena + (uint64_t)ref * STORE_UNIT;
	__builtin_prefetch(at);
	__builtin_prefetch(at + STORE_UNIT);
	__builtin_prefetch(at + offsetof(struct record, next));
}

/* The memory that an allocation of this size will give after `ahead` others. */
void store_prefetch_room(const struct store *s, uint32_t ahead, size_t payload_len);

/* What taking it out of its actor's order will touch. */
static inline void store_prefetch_neighbours(const struct store *s, record_ref ref)
{
	const struct record *r = store_at(s, ref);
	__builtin_prefetch(s->arena + (uint64_t)r->older * STORE_UNIT);
	__builtin_prefetch(s->arena + (uint64_t)r->newer * STORE_UNIT);
}

static inline record_ref store_find_from(
	const struct store *s, record_ref ref, const void *key, size_t key_len)
{
	while (ref != 0) {
		const struct record *r = store_at(s, ref);
		if (r->key_len == key_len && memcmp(record_key(r), key, key_len) == 0)
			return ref;
		ref = atomic_load_explicit(&r->next, memory_order_acquire);
	}
	return 0;
}

/* A new record with room for key and value, its other fields unset; 0 if there is none. */
record_ref store_alloc(struct store *s, size_t key_len, size_t value_len);
/* Gives back one that was never published. */
void store_release(struct store *s, record_ref ref);
/* Publishes `ref` in the place of `old` (0: as a new key) and puts it into its actor's order. */
void store_publish(struct store *s, record_ref ref, record_ref old);
/* Takes a record out of the table and its actor's order. */
void store_remove(struct store *s, record_ref ref);

/* order.c: an actor's order. With `ahead`, whether it holds what its vector does not cover. */
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

void store_pin(struct store *s, record_ref ref);
void store_unpin(struct store *s, record_ref ref);
/* All records and the vector are gone; what readers hold is retired. */
void store_clear(struct store *s);
bool store_has_retired(const struct store *s);
void store_seal(struct store *s);
void store_free_sealed(struct store *s);
void store_view(const struct record *r, struct map_view *view);
