/* From a key's hash to its record: buckets of one cache line.
 *
 * A bucket has eight slots, each a reference and 16 bits of the key's hash, so that a lookup touches
 * the bucket and then, but for one in thousands, the record that it looks for and no other. What
 * finds no slot is chained behind the bucket: with four records a bucket at the most that is one
 * in a hundred.
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
	_Alignas(64) _Atomic uint64_t tags[BUCKET_SLOTS / TAGS_A_WORD];
	_Atomic record_ref refs[BUCKET_SLOTS]; /* 0: the slot is free */
	_Atomic record_ref more;               /* chained by record->next */
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

/* The hash's tag in each of a word's places. */
static inline uint64_t index_tags(uint64_t key_hash)
{
	return (key_hash >> 48) * 0x0001000100010001ULL;
}

/* The highest bit of each 16 that are equal to the tag's; those above such ones may have it too. */
static inline uint64_t index_hits(const struct bucket *b, uint32_t word, uint64_t tags)
{
	uint64_t x = atomic_load_explicit(&b->tags[word], memory_order_relaxed) ^ tags;
	return (x - 0x0001000100010001ULL) & ~x & 0x8000800080008000ULL;
}

static inline record_ref index_slot(const struct bucket *b, uint32_t word, uint64_t hits)
{
	uint32_t slot = word * TAGS_A_WORD + (uint32_t)__builtin_ctzll(hits) / 16;
	return atomic_load_explicit(&b->refs[slot], memory_order_acquire);
}

/* What is most likely this key's record: to fetch its memory. */
static inline record_ref index_guess(const struct index *x, uint64_t key_hash)
{
	const struct bucket *b = index_bucket(x, key_hash);
	uint64_t tags = index_tags(key_hash);
	for (uint32_t word = 0; word < BUCKET_SLOTS / TAGS_A_WORD; word++) {
		uint64_t hits = index_hits(b, word, tags);
		if (hits != 0)
			return index_slot(b, word, hits);
	}
	return atomic_load_explicit(&b->more, memory_order_acquire);
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
	uint64_t tags = index_tags(key_hash);
	for (uint32_t word = 0; word < BUCKET_SLOTS / TAGS_A_WORD; word++) {
		for (uint64_t hits = index_hits(b, word, tags); hits != 0; hits &= hits - 1) {
			record_ref ref = index_slot(b, word, hits);
			if (ref != 0 && index_is_key(arena_at(arena, ref), key, key_len))
				return ref;
		}
	}
	record_ref ref = atomic_load_explicit(&b->more, memory_order_acquire);
	while (ref != 0 && !index_is_key(arena_at(arena, ref), key, key_len))
		ref = atomic_load_explicit(&arena_at(arena, ref)->next, memory_order_acquire);
	return ref;
}

/* A record for a key that is not there. */
void index_insert(
	struct index *x, const struct arena *arena, uint64_t key_hash, record_ref ref);
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
