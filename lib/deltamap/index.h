/* From a key's hash to its record: buckets of one cache line.
 *
 * A bucket has eight slots, each a reference and 15 bits of the key's hash, so that a lookup
 * touches the bucket and then, but for one in thousands, the record that it looks for and no other.
 * What finds no slot is chained behind the bucket: with four records a bucket at the most that is
 * one in a hundred.
 *
 * One owner, readers without locks. A key that is held does not move: what replaces its record
 * takes the slot, or the link, by one store. So a reader that walks the slots and then the chain
 * finds every key that was there all the while, in one version or another; which key it has found
 * only the record tells. Not for other libraries.
 */
#pragma once

#include <string.h>

#include "deltamap/arena.h"

enum { BUCKET_SLOTS = 8, TAGS_A_WORD = 4 };

struct bucket {
	_Alignas(64) _Atomic uint64_t tags[2]; /* 16 bits of each slot; 0: it is free */
	_Atomic record_ref refs[BUCKET_SLOTS];
	_Atomic record_ref more; /* chained by record->next */
};

_Static_assert(sizeof(struct bucket) == 64, "one cache line");

struct index {
	struct bucket *buckets;
	uint32_t mask;
};

int index_init(struct index *index, struct blocks *blocks, uint32_t records_max);

static inline struct bucket *index_bucket(const struct index *x, uint64_t key_hash)
{
	return &x->buckets[key_hash & x->mask];
}

/* Never 0, which is a free slot's. */
static inline uint64_t index_tag(uint64_t key_hash)
{
	return key_hash >> 48 | 1;
}

/* A bit for each slot that has the tag, at index_slot_of()'s places: both words at once, since a
 * branch that depends on where a key stands is foretold wrongly every other time. Behind a slot
 * that has it others of its word may show it too; the lowest bit is right. */
static inline uint64_t index_hits(const struct bucket *b, uint64_t tag)
{
	const uint64_t ones = 0x0001000100010001ULL, highs = 0x8000800080008000ULL;
	uint64_t x = atomic_load_explicit(&b->tags[0], memory_order_relaxed) ^ tag * ones;
	uint64_t y = atomic_load_explicit(&b->tags[1], memory_order_relaxed) ^ tag * ones;
	return ((x - ones) & ~x & highs) >> 15 | ((y - ones) & ~y & highs) >> 14;
}

static inline uint32_t index_slot_of(uint64_t hits)
{
	uint32_t at = (uint32_t)__builtin_ctzll(hits);
	return at / 16 + at % 2 * TAGS_A_WORD;
}

static inline record_ref index_at(const struct bucket *b, uint64_t hits)
{
	return atomic_load_explicit(&b->refs[index_slot_of(hits)], memory_order_acquire);
}

/* What is most likely this key's record: to fetch its memory. */
static inline record_ref index_guess(const struct index *x, uint64_t key_hash)
{
	const struct bucket *b = index_bucket(x, key_hash);
	uint64_t hits = index_hits(b, index_tag(key_hash));
	return hits != 0 ? index_at(b, hits) : atomic_load_explicit(&b->more, memory_order_acquire);
}

/* Does the record hold this key? Keys are short: a call would take longer than the comparison. */
static inline bool index_is_key(const struct record *r, const uint8_t *key, size_t key_len)
{
	uint64_t a, b;
	if (r->key_len != key_len)
		return false;
	if (key_len < sizeof(a))
		return memcmp(record_key(r), key, key_len) == 0;
	for (size_t at = 0; at + sizeof(a) < key_len; at += sizeof(a)) {
		memcpy(&a, record_key(r) + at, sizeof(a));
		memcpy(&b, key + at, sizeof(b));
		if (a != b)
			return false;
	}
	memcpy(&a, record_key(r) + key_len - sizeof(a), sizeof(a));
	memcpy(&b, key + key_len - sizeof(b), sizeof(b));
	return a == b;
}

/* Any core. 0: the key is not there. */
static inline record_ref index_find(const struct index *x, const struct arena *arena,
	uint64_t key_hash, const void *key, size_t key_len)
{
	const struct bucket *b = index_bucket(x, key_hash);
	for (uint64_t hits = index_hits(b, index_tag(key_hash)); hits != 0; hits &= hits - 1) {
		record_ref ref = index_at(b, hits);
		if (ref != 0 && index_is_key(arena_at(arena, ref), key, key_len))
			return ref;
	}
	record_ref ref = atomic_load_explicit(&b->more, memory_order_acquire);
	while (ref != 0 && !index_is_key(arena_at(arena, ref), key, key_len))
		ref = atomic_load_explicit(&arena_at(arena, ref)->next, memory_order_acquire);
	return ref;
}

/* A record for a key that is not there. */
void index_insert(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref ref);
/* One for the same key, in the place of the one that is there. */
void index_replace(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref old,
	record_ref ref);
void index_remove(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref ref);
void index_clear(struct index *x);

/* All records of a bucket, any core. The owner may take out or replace the one given last. */
struct index_walk {
	const struct bucket *bucket;
	uint32_t slot;
	record_ref next;
};

static inline struct index_walk index_walk(const struct index *x, uint32_t bucket)
{
	return (struct index_walk){.bucket = &x->buckets[bucket]};
}

/* 0: that was all. */
static inline record_ref index_next(const struct arena *arena, struct index_walk *w)
{
	while (w->slot < BUCKET_SLOTS) {
		record_ref ref =
			atomic_load_explicit(&w->bucket->refs[w->slot++], memory_order_acquire);
		if (ref != 0)
			return ref;
	}
	record_ref ref = w->next;
	if (w->slot++ == BUCKET_SLOTS)
		ref = atomic_load_explicit(&w->bucket->more, memory_order_acquire);
	if (ref != 0)
		w->next = atomic_load_explicit(&arena_at(arena, ref)->next, memory_order_acquire);
	return ref;
}
