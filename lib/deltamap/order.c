#include "deltamap/order.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "deltamap/store.h"

enum { SWEEP_AT_ONCE = 4 };

_Static_assert(ORDER_CHUNK <= 1 << ORDER_PLACE_BITS, "an entry has its number");

static uint32_t place_of(uint32_t chunk, uint32_t entry)
{
	return chunk << ORDER_PLACE_BITS | entry;
}

static inline struct order_chunk *chunk_of(const struct store *s, record_ref ref, uint32_t *entry)
{
	uint32_t place = store_at(s, ref)->place;
	*entry = place % (1 << ORDER_PLACE_BITS);
	return &s->order.chunks[place >> ORDER_PLACE_BITS];
}

static inline uint64_t seq_of(const struct store *s, record_ref ref)
{
	return record_seq(store_at(s, ref));
}

int order_init(struct order *o, struct blocks *blocks, uint32_t records, uint32_t actors)
{
	/* Number 0, and one for what is to be split. */
	*o = (struct order){.chunks_max = 2 * (records / (ORDER_CHUNK + 1) + 1) + actors + 2};
	o->chunks = blocks_take(blocks, o->chunks_max * sizeof(o->chunks[0]));
	order_clear(o);
	return o->chunks == NULL ? -ENOMEM : 0;
}

void order_clear(struct order *o)
{
	o->top = o->hand = 1;
	o->free_list = o->free_count = 0;
}

/* ---- chunks ---- */

static inline void put(struct store *s, uint32_t chunk, uint32_t entry, record_ref ref)
{
	s->order.chunks[chunk].refs[entry] = ref;
	store_at(s, ref)->place = place_of(chunk, entry);
}

static void unlink_chunk(struct store *s, struct order_chunk *c)
{
	struct order_chunk *chunks = s->order.chunks;
	struct actor_slot *a = &s->actors[c->slot];
	*(c->older != 0 ? &chunks[c->older].newer : &a->oldest) = c->newer;
	*(c->newer != 0 ? &chunks[c->newer].older : &a->newest) = c->older;
	c->live = c->used = 0;
	c->newer = s->order.free_list;
	s->order.free_list = (uint32_t)(c - chunks);
	s->order.free_count++;
}

/* Takes its newer neighbour in, if both fit. */
static void join_newer(struct store *s, uint32_t chunk)
{
	struct order_chunk *c = &s->order.chunks[chunk];
	struct order_chunk *next = &s->order.chunks[c->newer];
	uint32_t used = 0;
	if (c->live == 0 || c->newer == 0 || c->live + next->live > ORDER_CHUNK)
		return;
	for (uint32_t i = 0; i < c->used; i++)
		if (c->refs[i] != 0)
			put(s, chunk, used++, c->refs[i]);
	for (uint32_t i = 0; i < next->used; i++)
		if (next->refs[i] != 0)
			put(s, chunk, used++, next->refs[i]);
	c->live = c->used = (uint8_t)used;
	unlink_chunk(s, next);
}

/* Looks at the next chunks for some to join. */
static void sweep(struct store *s)
{
	struct order *o = &s->order;
	for (int i = 0; i < SWEEP_AT_ONCE && o->top > 1; i++) {
		if (o->hand >= o->top)
			o->hand = 1;
		join_newer(s, o->hand++);
	}
}

static uint32_t free_chunks(const struct order *o)
{
	return o->chunks_max - o->top + o->free_count;
}

/* So that an insertion finds one. Begun long before it must, a sweep goes a few steps at a time. */
static void reserve(struct store *s)
{
	const struct order *o = &s->order;
	if (free_chunks(o) < o->chunks_max / 8)
		sweep(s);
	for (uint32_t n = 0; free_chunks(o) < 1; n += SWEEP_AT_ONCE) {
		assert(n < 2 * o->chunks_max); /* there are neighbours that fit into one */
		sweep(s);
	}
}

/* Empty, behind `older` (0: before all) in the actor's list. */
static uint32_t new_chunk(struct store *s, uint16_t slot, uint32_t older)
{
	struct order *o = &s->order;
	struct actor_slot *a = &s->actors[slot];
	uint32_t n = o->free_list;
	if (n != 0) {
		o->free_list = o->chunks[n].newer;
		o->free_count--;
	} else {
		assert(o->top < o->chunks_max);
		n = o->top++;
	}
	struct order_chunk *c = &o->chunks[n];
	c->slot = slot;
	c->live = c->used = 0;
	c->older = older;
	c->newer = older != 0 ? o->chunks[older].newer : a->oldest;
	*(c->older != 0 ? &o->chunks[c->older].newer : &a->oldest) = n;
	*(c->newer != 0 ? &o->chunks[c->newer].older : &a->newest) = n;
	return n;
}

/* ---- records ---- */

static inline record_ref newest_of(const struct store *s, const struct actor_slot *a)
{
	const struct order_chunk *c = &s->order.chunks[a->newest];
	return a->newest == 0 ? 0 : c->refs[c->used - 1];
}

record_ref order_newest(const struct store *s, const struct actor_slot *a)
{
	return newest_of(s, a);
}

record_ref order_older(const struct store *s, record_ref ref)
{
	uint32_t i;
	const struct order_chunk *c = chunk_of(s, ref, &i);
	while (i-- > 0)
		if (c->refs[i] != 0)
			return c->refs[i];
	const struct order_chunk *older = &s->order.chunks[c->older];
	return c->older == 0 ? 0 : older->refs[older->used - 1];
}

static uint64_t first_seq(const struct store *s, const struct order_chunk *c)
{
	uint32_t i = 0;
	while (c->refs[i] == 0)
		i++;
	return seq_of(s, c->refs[i]);
}

/* Moves what stands from entry i on into a new chunk behind it. */
static void split(struct store *s, uint32_t chunk, uint32_t i)
{
	struct order_chunk *c = &s->order.chunks[chunk];
	uint32_t behind = new_chunk(s, c->slot, chunk);
	struct order_chunk *to = &s->order.chunks[behind];
	for (uint32_t from = i; from < ORDER_CHUNK; from++, to->used++)
		put(s, behind, to->used, c->refs[from]);
	to->live = to->used;
	c->live = c->used = (uint8_t)i;
}

/* A hole right before the first entry that is larger. */
static uint32_t make_room(struct store *s, uint32_t chunk, uint64_t seq)
{
	struct order_chunk *c = &s->order.chunks[chunk];
	uint32_t i = 0, hole;
	while (i < c->used && (c->refs[i] == 0 || seq_of(s, c->refs[i]) < seq))
		i++;
	if (i > 0 && c->refs[i - 1] == 0)
		return i - 1;
	for (hole = i; hole < c->used && c->refs[hole] != 0;)
		hole++;
	if (hole < ORDER_CHUNK) {
		if (hole == c->used)
			c->used++;
		for (; hole > i; hole--)
			put(s, chunk, hole, c->refs[hole - 1]);
		return i;
	}
	for (hole = i; hole-- > 0;)
		if (c->refs[hole] == 0)
			break;
	if (hole < i) {
		for (; hole + 1 < i; hole++)
			put(s, chunk, hole, c->refs[hole + 1]);
		return i - 1;
	}
	split(s, chunk, i);
	return i;
}

/* By the newest record's seq. */
static inline void set_ahead(struct store *s, struct actor_slot *a, bool ahead)
{
	if (ahead == a->ahead)
		return;
	a->ahead = ahead;
	if (a->over)
		store_due(s, (uint16_t)(a - s->actors));
	uint32_t n = atomic_load_explicit(&s->ahead_count, memory_order_relaxed);
	atomic_store_explicit(&s->ahead_count, ahead ? n + 1 : n - 1, memory_order_relaxed);
}

/* Where it is not the newest: a chunk that begins below it, or the oldest. */
static void insert_between(struct store *s, struct actor_slot *a, record_ref ref, uint64_t seq)
{
	uint32_t chunk = a->newest;
	while (s->order.chunks[chunk].older != 0 && first_seq(s, &s->order.chunks[chunk]) > seq)
		chunk = s->order.chunks[chunk].older;
	struct order_chunk *c = &s->order.chunks[chunk];
	uint32_t i = make_room(s, chunk, seq);
	if (i == ORDER_CHUNK) { /* behind a full one */
		chunk = c->newer;
		c = &s->order.chunks[chunk];
		i = 0;
	}
	put(s, chunk, i, ref);
	c->live++;
	if (c->used <= i)
		c->used = (uint8_t)(i + 1);
}

/* Nearly always at the end: writes and sessions come in order of seq. */
static inline void insert(struct store *s, struct actor_slot *a, record_ref ref)
{
	const struct record *r = store_at(s, ref);
	record_ref newest = newest_of(s, a);
	uint64_t seq = record_seq(r);
	if (newest != 0 && seq_of(s, newest) > seq) {
		reserve(s);
		insert_between(s, a, ref, seq);
		return;
	}
	if (a->newest == 0 || s->order.chunks[a->newest].used == ORDER_CHUNK) {
		reserve(s);
		new_chunk(s, r->actor_slot, a->newest);
	}
	struct order_chunk *c = &s->order.chunks[a->newest];
	put(s, a->newest, c->used++, ref);
	c->live++;
	set_ahead(s, a, seq > atomic_load_explicit(&a->seq, memory_order_relaxed));
}

static inline void take_from(struct store *s, record_ref ref)
{
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	uint32_t i;
	struct order_chunk *c = chunk_of(s, ref, &i);
	assert(c->refs[i] == ref);
	c->refs[i] = 0;
	if (--c->live == 0)
		unlink_chunk(s, c);
	else
		while (c->refs[c->used - 1] == 0)
			c->used--;
	if (a->ahead)
		order_look_ahead(s, a);
}

/* ---- with the vector, and tombstones ---- */

void order_look_ahead(struct store *s, struct actor_slot *a)
{
	record_ref newest = newest_of(s, a);
	set_ahead(s, a,
		newest != 0 &&
			seq_of(s, newest) > atomic_load_explicit(&a->seq, memory_order_relaxed));
}

static struct tomb_links *tomb_of(const struct store *s, record_ref ref)
{
	return record_tomb(store_at(s, ref));
}

static void tomb_insert(struct store *s, record_ref ref)
{
	struct tomb_links *t = tomb_of(s, ref);
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	record_ref below = a->tomb_newest;
	while (below != 0 && seq_of(s, below) > seq_of(s, ref))
		below = tomb_of(s, below)->older;
	t->older = below;
	t->newer = below != 0 ? tomb_of(s, below)->newer : a->tomb_oldest;
	*(below != 0 ? &tomb_of(s, below)->newer : &a->tomb_oldest) = ref;
	*(t->newer != 0 ? &tomb_of(s, t->newer)->older : &a->tomb_newest) = ref;
	store_due(s, store_at(s, ref)->actor_slot);
}

static void tomb_remove(struct store *s, record_ref ref)
{
	const struct tomb_links *t = tomb_of(s, ref);
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	*(t->older != 0 ? &tomb_of(s, t->older)->newer : &a->tomb_oldest) = t->newer;
	*(t->newer != 0 ? &tomb_of(s, t->newer)->older : &a->tomb_newest) = t->older;
}

void order_take_in(struct store *s, record_ref ref)
{
	struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	insert(s, a, ref);
	if (store_at(s, ref)->flags & WIRE_RECORD_TOMBSTONE)
		tomb_insert(s, ref);
}

static bool is_pending(const struct actor_slot *a, uint64_t seq)
{
	return seq <= a->pending_upto && seq > a->pending_above;
}

void order_take_out(struct store *s, record_ref ref)
{
	const struct record *r = store_at(s, ref);
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		tomb_remove(s, ref);
	if (s->gathering && is_pending(&s->actors[r->actor_slot], record_seq(r)))
		store_pin(s, ref); /* stays until it is its turn */
	else
		take_from(s, ref);
}

/* ---- a snapshot ---- */

void order_gather_begin(struct store *s, const struct version_vector *above)
{
	s->gathering = true;
	s->gather_word = 0;
	for (uint32_t i = 0; i < s->actor_count; i++) {
		uint32_t slot = s->actor_order[i];
		struct actor_slot *a = &s->actors[slot];
		record_ref newest = newest_of(s, a);
		if (newest == 0)
			continue;
		a->pending_above = above != NULL ? vv_get(above, a->actor) : 0;
		a->pending_upto = seq_of(s, newest);
		a->pending = a->pending_upto > a->pending_above ? newest : 0;
		if (a->pending != 0)
			s->to_gather[slot / 64] |= UINT64_C(1) << slot % 64;
	}
}

/* The one after it. What is below the asker's vector may go at any time: it is no place to wait. */
static void go_on_from(struct store *s, struct actor_slot *a, record_ref ref)
{
	record_ref older = order_older(s, ref);
	bool more = older != 0 && seq_of(s, older) > a->pending_above;
	a->pending = more ? older : 0;
	a->pending_upto = more ? seq_of(s, older) : 0;
	if (more)
		__builtin_prefetch(arena_at(&s->arena, order_older(s, older)));
}

record_ref order_gather_next(struct store *s)
{
	while (s->gather_word < ACTOR_SLOTS / 64 && s->to_gather[s->gather_word] == 0)
		s->gather_word++;
	if (s->gather_word == ACTOR_SLOTS / 64) {
		s->gathering = false;
		return 0;
	}
	uint64_t *word = &s->to_gather[s->gather_word];
	uint16_t slot = (uint16_t)(s->gather_word * 64 + __builtin_ctzll(*word));
	struct actor_slot *a = &s->actors[slot];
	record_ref ref = a->pending;
	go_on_from(s, a, ref);
	if (a->pending == 0)
		*word &= *word - 1;
	if (!store_at(s, ref)->dead) {
		store_pin(s, ref);
		return ref;
	}
	take_from(s, ref); /* pinned when it was replaced */
	if (a->over)
		store_due(s, slot);
	return ref;
}
