/* The records of a replica: by key (index.h) and, for each actor, in order of seq (order.h).
 *
 * Records are immutable once published: an overwrite puts a new one in the place of the old one.
 * They live in one block taken at start (arena.h) and are named by a 32-bit reference. Readers look
 * up without locks; the owner retires what it replaces and frees it when it is told that no reader
 * can hold it any more, and no session has it pinned. Not for other libraries.
 */
#pragma once

#include "deltamap/index.h"
#include "deltamap/order.h"

enum {
	ACTOR_SLOTS = 2 * SW_ACTORS_MAX,
	NO_ACTOR = 0xffff,
};

/* A slot that was given up is not read any more, but a reader that saw it in use may still look:
 * it is free for another actor when it has passed a seal, as records are. */
enum slot_state { SLOT_EMPTY, SLOT_USED, SLOT_GONE, SLOT_SEALED, SLOT_FREE };

/* One actor: its records and how far this replica's vector reaches. */
struct actor_slot {
	struct actor actor;         /* set before SLOT_USED, constant while it is that */
	uint64_t hash;              /* vv_actor_hash() */
	_Atomic uint8_t state;      /* enum slot_state; owner: rw, readers: ro */
	bool ahead;                 /* holds records that the vector does not cover */
	bool blocked;               /* has tombstones that wait for this replica's own vector */
	bool over;                  /* no more is written under it: see closing.c */
	_Atomic uint64_t seq;       /* the vector's entry, as it is; owner: rw, readers: ro */
	uint64_t cap;               /* at which it is known to be closed; 0: it is not */
	_Atomic uint64_t collected; /* the highest seq of a tombstone that was collected here */
	uint64_t unknown_ns;        /* since when membership has had no word of it; 0: it has */
	uint32_t oldest, newest;    /* chunks of its order; 0: it has no records */
	record_ref tomb_oldest, tomb_newest;
	/* What the snapshot under way has yet to take: from `pending` (0: nothing) down. */
	record_ref pending;
	uint64_t pending_above, pending_upto;
};

struct store {
	/* In lines of their own: what the owner writes with every record would be fetched anew with
	 * every key that a reader looks for. */
	_Alignas(64) struct index index; /* constant, as the next two */
	uint64_t cluster_seed;           /* of the keys' hashes */
	uint32_t records_max;
	_Alignas(64) struct arena arena;
	_Alignas(64) struct order order;
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
	bool gathering;                       /* a snapshot is being taken */
	uint64_t to_gather[ACTOR_SLOTS / 64]; /* slots that have something pending */
	uint32_t gather_word;                 /* all before it are done */
};

static inline struct record *store_at(const struct store *s, record_ref ref)
{
	return ref == 0 ? NULL : arena_at(&s->arena, ref);
}

int store_init(struct store *s, struct blocks *blocks, uint64_t cluster_seed, uint32_t records_max,
	uint64_t bytes_max);

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

static inline record_ref store_find(
	const struct store *s, uint64_t key_hash, const void *key, size_t key_len)
{
	return index_find(&s->index, &s->arena, key_hash, key, key_len);
}

/* ---- the same in steps, so that several keys' memory is fetched side by side ----
 *
 * To the second cache: there is room for more lines on their way there than to the first. Harmless
 * where there is nothing: the arena begins with an empty piece. */

static inline void store_prefetch_bucket(const struct store *s, uint64_t key_hash)
{
	sw_prefetch(index_bucket(&s->index, key_hash));
}

/* What a lookup of a key of this length touches. */
static inline void store_prefetch_key(const struct store *s, record_ref ref, size_t key_len)
{
	const uint8_t *at = (const uint8_t *)arena_at(&s->arena, ref);
	size_t len = sizeof(struct record) + key_len;
	for (size_t line = 0; line < len; line += STORE_UNIT)
		sw_prefetch(at + line);
}

/* What taking it out of its actor's order touches. */
static inline void store_prefetch_place(const struct store *s, record_ref ref)
{
	if (ref != 0)
		order_prefetch(&s->order, arena_at(&s->arena, ref)->place);
}

/* A record that says what `w` does, not published yet; 0: no room. `slot`: of its dot's actor. */
record_ref store_write(struct store *s, const struct wire_record *w, uint16_t slot);
/* Publishes `ref` in the place of `old` (0: as a new key) and puts it into its actor's order. */
void store_publish(struct store *s, uint64_t key_hash, record_ref ref, record_ref old);
/* Takes a record out of the table and its actor's order. */
void store_remove(struct store *s, record_ref ref);

void store_pin(struct store *s, record_ref ref);
void store_unpin(struct store *s, record_ref ref);
/* All records and the vector are gone; what readers hold is retired. */
void store_clear(struct store *s);
bool store_has_retired(const struct store *s);
void store_seal(struct store *s);
void store_free_sealed(struct store *s);
uint64_t store_key_hash(const struct store *s, const void *key, size_t key_len);
void store_view(const struct record *r, uint64_t key_hash, struct map_view *view);
