#include "deltamap/index.h"

#include <errno.h>

#include "deltamap/bounds.h"

enum { RECORDS_A_BUCKET = BUCKET_SLOTS / 2 };

int index_init(struct index *x, struct blocks *blocks, uint32_t records_max)
{
	uint32_t buckets = BUCKETS_MIN;
	while (buckets < records_max / RECORDS_A_BUCKET && buckets < (1u << 30))
		buckets *= 2;
	x->mask = buckets - 1;
	x->buckets = blocks_take_zeroed(blocks, buckets * sizeof(x->buckets[0]));
	return x->buckets == NULL ? -ENOMEM : 0;
}

/* The only writer is the owner, so load and store need not be one step. */
static void set_tag(struct bucket *b, uint32_t slot, uint64_t tag)
{
	uint32_t word = slot / TAGS_A_WORD, shift = slot % TAGS_A_WORD * 16;
	uint64_t tags = atomic_load_explicit(&b->tags[word], memory_order_relaxed);
	tags = (tags & ~(0xffffULL << shift)) | tag << shift;
	atomic_store_explicit(&b->tags[word], tags, memory_order_relaxed);
}

void index_insert(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref ref)
{
	struct bucket *b = index_bucket(x, key_hash);
	uint64_t free = index_hits(b, 0);
	if (free != 0) {
		set_tag(b, index_slot_of(free), index_tag(key_hash));
		atomic_store_explicit(&b->refs[index_slot_of(free)], ref, memory_order_release);
		return;
	}
	record_ref next = atomic_load_explicit(&b->more, memory_order_relaxed);
	atomic_store_explicit(&arena_at(arena, ref)->next, next, memory_order_relaxed);
	atomic_store_explicit(&b->more, ref, memory_order_release);
}

/* Where ref stands: its slot, or the link of the chain that points to it. */
static _Atomic record_ref *place_of(struct bucket *b, const struct arena *arena, uint64_t key_hash,
	record_ref ref, uint32_t *slot)
{
	for (uint64_t hits = index_hits(b, index_tag(key_hash)); hits != 0; hits &= hits - 1) {
		*slot = index_slot_of(hits);
		if (atomic_load_explicit(&b->refs[*slot], memory_order_relaxed) == ref)
			return &b->refs[*slot];
	}
	*slot = BUCKET_SLOTS;
	_Atomic record_ref *link = &b->more;
	record_ref at;
	while ((at = atomic_load_explicit(link, memory_order_relaxed)) != ref)
		link = &arena_at(arena, at)->next;
	return link;
}

void index_replace(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref old,
	record_ref ref)
{
	uint32_t slot;
	_Atomic record_ref *place =
		place_of(index_bucket(x, key_hash), arena, key_hash, old, &slot);
	if (slot == BUCKET_SLOTS)
		atomic_store_explicit(&arena_at(arena, ref)->next,
			atomic_load_explicit(&arena_at(arena, old)->next, memory_order_relaxed),
			memory_order_relaxed);
	atomic_store_explicit(place, ref, memory_order_release);
}

void index_remove(struct index *x, const struct arena *arena, uint64_t key_hash, record_ref ref)
{
	struct bucket *b = index_bucket(x, key_hash);
	uint32_t slot;
	_Atomic record_ref *place = place_of(b, arena, key_hash, ref, &slot);
	record_ref next = 0;
	if (slot < BUCKET_SLOTS)
		set_tag(b, slot, 0);
	else
		next = atomic_load_explicit(&arena_at(arena, ref)->next, memory_order_relaxed);
	atomic_store_explicit(place, next, memory_order_release);
}

void index_clear(struct index *x)
{
	for (uint32_t b = 0; b <= x->mask; b++) {
		for (uint32_t i = 0; i < BUCKET_SLOTS; i++) {
			set_tag(&x->buckets[b], i, 0);
			atomic_store_explicit(&x->buckets[b].refs[i], 0, memory_order_release);
		}
		atomic_store_explicit(&x->buckets[b].more, 0, memory_order_release);
	}
}
