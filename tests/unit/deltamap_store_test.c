#include "sw_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "deltamap/internal.h"

/* What holds the records, each part against the simplest thing that does the same. */

enum { RECORDS = 1024, ACTORS = 3, STEPS = 60000, SEQS = 4096, HASHES_MAX = 64 };

struct parts {
	struct blocks blocks;
	struct store store;
	record_ref held[ACTORS][SEQS]; /* by seq */
	uint32_t held_count;
};

static struct parts *make(void)
{
	struct map_memory heap = {0};
	struct parts *p = aligned_alloc(_Alignof(struct parts), sizeof(*p));
	memset(p, 0, sizeof(*p));
	blocks_init(&p->blocks, &heap);
	SW_EXPECT_EQ(arena_init(&p->store.arena, &p->blocks, RECORDS * STORE_SMALLEST), 0);
	SW_EXPECT_EQ(index_init(&p->store.index, &p->blocks, RECORDS), 0);
	SW_EXPECT_EQ(order_init(&p->store.order, &p->blocks, RECORDS, ACTORS), 0);
	return p;
}

static void destroy(struct parts *p)
{
	blocks_give_all(&p->blocks);
	free(p);
}

/* ---- the order ---- */

static bool enter(struct parts *p, uint16_t actor, uint32_t seq, bool adopted)
{
	struct wire_record w = {.key_len = 1,
		.key = (const uint8_t *)"k",
		.value = (const uint8_t *)"",
		.clock = 1,
		.author = {{actor + 1u, 1}, seq},
		.dot = {{actor + 1u, 1}, seq}};
	if (adopted) {
		w.flags = WIRE_RECORD_ADOPTED;
		w.author.seq = SEQS + seq;
	}
	record_ref ref = store_write(&p->store, &w, actor);
	if (ref == 0)
		return false;
	order_take_in(&p->store, ref);
	p->held[actor][seq] = ref;
	p->held_count++;
	return true;
}

static void leave(struct parts *p, uint16_t actor, uint32_t seq)
{
	record_ref ref = p->held[actor][seq];
	order_take_out(&p->store, ref);
	arena_give(&p->store.arena, ref);
	p->held[actor][seq] = 0;
	p->held_count--;
}

static void expect_order(const struct parts *p)
{
	for (uint16_t actor = 0; actor < ACTORS; actor++) {
		record_ref ref = order_newest(&p->store, &p->store.actors[actor]);
		for (uint32_t seq = SEQS; seq-- > 0;) {
			if (p->held[actor][seq] == 0)
				continue;
			SW_ASSERT_EQ(ref, p->held[actor][seq]);
			ref = order_older(&p->store, ref);
		}
		SW_ASSERT_EQ(ref, 0u);
	}
}

/* Rising, falling, or anywhere; few gaps or many. */
static uint32_t next_seq(struct sw_random *random, uint32_t phase, uint32_t step)
{
	switch (phase % 3) {
	case 0: return step % SEQS;
	case 1: return SEQS - 1 - step % SEQS;
	default: return (uint32_t)sw_random_below(random, SEQS);
	}
}

SW_TEST(order, walks_an_actors_records_from_new_to_old_whatever_came_and_went)
{
	struct parts *p = make();
	struct sw_random random = sw_random_seed(3);
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t phase = step / 3000;
		uint16_t actor = (uint16_t)sw_random_below(&random, ACTORS);
		uint32_t seq = next_seq(&random, phase, step);
		/* Full, half full, nearly empty. */
		bool drain = p->held_count > RECORDS * (phase % 4) / 4;
		if (drain || p->held[actor][seq] != 0)
			seq = (uint32_t)sw_random_below(&random, SEQS);
		if (p->held[actor][seq] != 0)
			leave(p, actor, seq);
		else if (!drain)
			(void)enter(p, actor, seq, seq % 5 == 0);
		if (step % 500 == 0)
			expect_order(p);
	}
	expect_order(p);
	destroy(p);
}

/* One record of each small array stays: without joining them there would soon be none left. */
SW_TEST(order, always_has_room_however_sparse_it_has_become)
{
	struct parts *p = make();
	uint32_t seq = 0;
	for (; seq + ORDER_CHUNK <= SEQS; seq += ORDER_CHUNK) {
		for (uint32_t i = 0; i < ORDER_CHUNK; i++)
			SW_ASSERT_TRUE(enter(p, 0, seq + i, false));
		for (uint32_t i = 1; i < ORDER_CHUNK; i++)
			leave(p, 0, seq + i);
	}
	SW_EXPECT_GT(p->held_count, 2 * p->store.order.chunks_max);
	for (seq = 0; p->held_count < RECORDS - 2; seq++)
		if (p->held[1][seq] == 0)
			SW_ASSERT_TRUE(enter(p, 1, seq, false));
	expect_order(p);
	for (uint16_t actor = 0; actor < ACTORS; actor++)
		for (seq = 0; seq < SEQS; seq++)
			if (p->held[actor][seq] != 0)
				leave(p, actor, seq);
	expect_order(p);
	SW_EXPECT_EQ(p->store.order.free_count, p->store.order.top - 1);
	destroy(p);
}

/* ---- the index ---- */

struct entry {
	uint64_t hash;
	uint32_t key;
	record_ref ref;
};

static record_ref write_key(struct parts *p, uint32_t key)
{
	struct wire_record w = {.key_len = sizeof(key),
		.key = (const uint8_t *)&key,
		.value = (const uint8_t *)"",
		.clock = 1,
		.author = {{1, 1}, 1},
		.dot = {{1, 1}, 1}};
	return store_write(&p->store, &w, 0);
}

static uint32_t walked(const struct parts *p)
{
	uint32_t n = 0;
	for (uint32_t b = 0; b <= p->store.index.mask; b++) {
		struct index_walk w = index_walk(&p->store.index, b);
		while (index_next(&p->store.arena, &w) != 0)
			n++;
	}
	return n;
}

static void churn(struct parts *p, struct sw_random *random, struct entry *e)
{
	struct store *s = &p->store;
	if (e->ref == 0) {
		e->ref = write_key(p, e->key);
		if (e->ref != 0)
			index_insert(&s->index, &s->arena, e->hash, e->ref);
		p->held_count += e->ref != 0;
		return;
	}
	record_ref next = sw_random_below(random, 2) == 0 ? write_key(p, e->key) : 0;
	if (next != 0) {
		index_replace(&s->index, &s->arena, e->hash, e->ref, next);
	} else {
		index_remove(&s->index, &s->arena, e->hash, e->ref);
		p->held_count--;
	}
	arena_give(&s->arena, e->ref);
	e->ref = next;
}

/* Of all hashes there are, or so few that most keys share bucket and tag with others and stand in
 * chains. */
static void expect_found(uint64_t hashes)
{
	struct parts *p = make();
	struct sw_random random = sw_random_seed(hashes);
	struct entry *entries = calloc(RECORDS, sizeof(entries[0]));
	for (uint32_t i = 0; i < RECORDS; i++)
		entries[i] = (struct entry){
			.key = i, .hash = sw_mix64(sw_random_below(&random, hashes))};
	for (uint32_t step = 0; step < STEPS; step++) {
		struct entry *e = &entries[sw_random_below(&random, RECORDS)];
		churn(p, &random, e);
		e = &entries[sw_random_below(&random, RECORDS)];
		SW_ASSERT_EQ(store_find(&p->store, e->hash, &e->key, sizeof(e->key)), e->ref);
		if (step % 5000 == 0)
			SW_ASSERT_EQ(walked(p), p->held_count);
	}
	SW_EXPECT_EQ(walked(p), p->held_count);
	index_clear(&p->store.index);
	SW_EXPECT_EQ(walked(p), 0u);
	free(entries);
	destroy(p);
}

SW_TEST(index, finds_what_is_there_and_nothing_else)
{
	expect_found(UINT64_MAX);
}

SW_TEST(index, tells_keys_apart_that_share_bucket_and_tag)
{
	expect_found(1);
	expect_found(HASHES_MAX);
}

/* ---- records ---- */

SW_TEST(record, says_what_was_written_with_any_options)
{
	struct parts *p = make();
	for (uint32_t flags = 0; flags < 8; flags++) {
		struct wire_record got, w = {.flags = (uint8_t)flags,
						.key_len = 5,
						.value_len = flags & WIRE_RECORD_TOMBSTONE ? 0 : 3,
						.clock = 7,
						.author = {{1, 2}, 3},
						.dot = {{1, 2}, 3},
						.written_ms = 99,
						.key = (const uint8_t *)"horse",
						.value = (const uint8_t *)"car"};
		if (flags & WIRE_RECORD_ADOPTED)
			w.dot = (struct dot){{4, 5}, 6};
		if (flags & WIRE_RECORD_PREVIOUS)
			w.previous = (struct dot){{7, 8}, 9};
		record_ref ref = store_write(&p->store, &w, 1);
		SW_ASSERT_NE(ref, 0u);
		const struct record *r = store_at(&p->store, ref);
		if (flags & WIRE_RECORD_TOMBSTONE)
			*record_tomb(r) = (struct tomb_links){~0u, ~0u};
		map_record_to_wire(r, &got);
		SW_EXPECT_EQ(got.flags, w.flags);
		SW_EXPECT_EQ(got.clock, w.clock);
		SW_EXPECT_EQ(got.written_ms, w.written_ms);
		SW_EXPECT_TRUE(dot_equal(got.author, w.author) && dot_equal(got.dot, w.dot));
		SW_EXPECT_TRUE(dot_equal(got.previous, w.previous));
		SW_EXPECT_EQ(record_seq(r), w.dot.seq);
		SW_EXPECT_TRUE(got.key_len == 5 && memcmp(got.key, "horse", 5) == 0);
		SW_EXPECT_TRUE(
			got.value_len == w.value_len && memcmp(got.value, "car", w.value_len) == 0);
	}
	destroy(p);
}
