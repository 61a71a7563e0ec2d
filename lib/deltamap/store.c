#include "deltamap/store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "rendezvous/rendezvous.h"

int store_init(struct store *s, struct blocks *blocks, uint64_t cluster_seed, uint32_t records_max,
	uint64_t bytes_max)
{
	memset(s, 0, sizeof(*s));
	s->cluster_seed = cluster_seed;
	s->records_max = records_max;
	int error = arena_init(&s->arena, blocks, bytes_max);
	if (error == 0)
		error = index_init(&s->index, blocks, records_max);
	if (error == 0)
		error = order_init(&s->order, blocks, arena_records_max(&s->arena), SW_ACTORS_MAX);
	return error;
}

uint64_t store_key_hash(const struct store *s, const void *key, size_t key_len)
{
	return rendezvous_key_hash(s->cluster_seed, key, key_len);
}

/* ---- actors ---- */

static uint32_t actor_home(struct actor actor)
{
	return (uint32_t)sw_mix64(sw_mix64(actor.id) + actor.epoch) % ACTOR_SLOTS;
}

uint16_t store_actor_reader(const struct store *s, struct actor actor)
{
	uint32_t at = actor_home(actor);
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++, at = (at + 1) % ACTOR_SLOTS) {
		const struct actor_slot *slot = &s->actors[at];
		uint8_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
		if (state == SLOT_EMPTY)
			return NO_ACTOR;
		if (state == SLOT_USED && actor_equal(slot->actor, actor))
			return (uint16_t)at;
	}
	return NO_ACTOR;
}

static bool is_taken(const struct actor_slot *slot)
{
	uint8_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
	return state != SLOT_EMPTY && state != SLOT_FREE;
}

uint16_t store_actor(struct store *s, struct actor actor, bool add)
{
	/* Records of one actor come in rows. */
	const struct actor_slot *last = &s->actors[s->last_actor];
	if (atomic_load_explicit(&last->state, memory_order_relaxed) == SLOT_USED &&
		actor_equal(last->actor, actor))
		return s->last_actor;
	uint16_t found = store_actor_reader(s, actor);
	if (found != NO_ACTOR)
		s->last_actor = found;
	if (found != NO_ACTOR || !add || s->actor_count == SW_ACTORS_MAX)
		return found;
	uint32_t at = actor_home(actor), tried = 0;
	while (is_taken(&s->actors[at])) {
		if (++tried == ACTOR_SLOTS)
			return NO_ACTOR; /* too many that readers may still look at */
		at = (at + 1) % ACTOR_SLOTS;
	}
	s->actors[at].actor = actor;
	s->actors[at].hash = vv_actor_hash(actor);
	atomic_store_explicit(&s->actors[at].state, SLOT_USED, memory_order_release);
	uint32_t i = s->actor_count++;
	for (; i > 0 && actor_compare(s->actors[s->actor_order[i - 1]].actor, actor) > 0; i--)
		s->actor_order[i] = s->actor_order[i - 1];
	s->actor_order[i] = (uint16_t)at;
	return (uint16_t)at;
}

uint64_t store_seq(const struct store *s, uint16_t slot)
{
	return slot == NO_ACTOR ? 0
				: atomic_load_explicit(&s->actors[slot].seq, memory_order_acquire);
}

/* The only writer is the owner, so load and store need not be one step. */
static void add_hash(_Atomic uint64_t *sum, uint64_t by)
{
	atomic_store_explicit(
		sum, atomic_load_explicit(sum, memory_order_relaxed) + by, memory_order_relaxed);
}

static void add_count(_Atomic uint32_t *sum, int by)
{
	atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + (uint32_t)by,
		memory_order_relaxed);
}

void store_due(struct store *s, uint16_t slot)
{
	s->due[slot / 64] |= 1ULL << (slot % 64);
	s->any_due = true;
}

void store_raise(struct store *s, uint16_t slot, uint64_t seq)
{
	struct actor_slot *a = &s->actors[slot];
	uint64_t old = atomic_load_explicit(&a->seq, memory_order_relaxed);
	seq = vv_seq_join(old, seq);
	if (seq == old)
		return;
	add_hash(&s->vector_hash, vv_seq_hash(a->hash, seq) - vv_seq_hash(a->hash, old));
	atomic_store_explicit(&a->seq, seq, memory_order_release);
	if (a->ahead)
		order_look_ahead(s, a);
	if (a->tomb_oldest != 0 || a->over)
		store_due(s, slot);
}

void store_forget_actor(struct store *s, uint16_t slot)
{
	struct actor_slot *a = &s->actors[slot];
	uint64_t seq = atomic_load_explicit(&a->seq, memory_order_relaxed);
	assert(a->oldest == 0 && a->tomb_oldest == 0);
	add_hash(&s->vector_hash, -vv_seq_hash(a->hash, seq));
	atomic_store_explicit(&a->seq, 0, memory_order_release);
	atomic_store_explicit(&a->state, SLOT_GONE, memory_order_release);
	a->cap = a->unknown_ns = 0;
	atomic_store_explicit(&a->collected, 0, memory_order_relaxed);
	a->over = a->blocked = false;
	s->gone_open++;
	uint32_t i = 0;
	while (s->actor_order[i] != slot)
		i++;
	s->actor_count--;
	memmove(&s->actor_order[i], &s->actor_order[i + 1],
		(s->actor_count - i) * sizeof(s->actor_order[0]));
}

static void move_slots(struct store *s, uint8_t from, uint8_t to)
{
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++)
		if (atomic_load_explicit(&s->actors[i].state, memory_order_relaxed) == from)
			atomic_store_explicit(&s->actors[i].state, to, memory_order_release);
}

/* ---- readers and sessions that hold what is replaced ---- */

static void retire(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	if (r->pins == 0)
		arena_retire(&s->arena, ref);
	else
		r->dead = true; /* the last unpin retires it */
}

void store_pin(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	assert(r->pins > 0 || !r->dead); /* else it is on its way to be freed */
	r->pins++;
}

void store_unpin(struct store *s, record_ref ref)
{
	struct record *r = store_at(s, ref);
	assert(r->pins > 0);
	if (--r->pins == 0 && r->dead)
		retire(s, ref);
}

void store_seal(struct store *s)
{
	arena_seal(&s->arena);
	if (s->gone_open > 0)
		move_slots(s, SLOT_GONE, SLOT_SEALED);
	s->gone_sealed = s->gone_open;
	s->gone_open = 0;
}

bool store_has_retired(const struct store *s)
{
	return arena_has_retired(&s->arena) || s->gone_open > 0;
}

void store_free_sealed(struct store *s)
{
	arena_free_sealed(&s->arena);
	if (s->gone_sealed > 0)
		move_slots(s, SLOT_SEALED, SLOT_FREE);
	s->gone_sealed = 0;
}

/* ---- records ---- */

/* Field by field, here and below: a copy of the whole reads wider than what the decoder has just
 * written, and waits until that has left the store buffer, behind the last record's cache misses.
 */
static void set_dot(struct dot *to, const struct dot *from)
{
	to->actor.id = from->actor.id;
	to->actor.epoch = from->actor.epoch;
	to->seq = from->seq;
}

/* In a packet the value stands right behind the key: one copy then. */
static void copy_payload(struct record *r, const uint8_t *key, const uint8_t *value)
{
	if (value == key + r->key_len) {
		memcpy(r->bytes, key, (size_t)r->key_len + r->value_len);
		return;
	}
	memcpy(r->bytes, key, r->key_len);
	if (r->value_len > 0)
		memcpy(r->bytes + r->key_len, value, r->value_len);
}

record_ref store_write(struct store *s, const struct wire_record *w, uint16_t slot)
{
	record_ref ref = arena_take(&s->arena, record_len(w->flags, w->key_len, w->value_len));
	if (ref == 0)
		return 0;
	struct record *r = store_at(s, ref);
	r->value_len = w->value_len;
	r->flags = w->flags;
	r->key_len = w->key_len;
	r->clock = w->clock;
	r->author_id = w->author.actor.id;
	r->author_seq = w->author.seq;
	r->author_epoch = w->author.actor.epoch;
	r->actor_slot = slot;
	copy_payload(r, w->key, w->value);
	*record_written_ms(r) = w->written_ms;
	if (w->flags & WIRE_RECORD_ADOPTED)
		set_dot(record_own_dot(r), &w->dot);
	if (w->flags & WIRE_RECORD_PREVIOUS)
		set_dot(record_previous(r), &w->previous);
	return ref;
}

static uint64_t content_of(const struct record *r, uint64_t key_hash)
{
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		return 0;
	uint64_t h = sw_mix64(key_hash + r->clock);
	h = sw_mix64(h + r->author_id);
	return sw_mix64(h + ((uint64_t)r->author_epoch << 40) + r->author_seq);
}

static void count(struct store *s, const struct record *r, uint64_t key_hash, int by)
{
	add_count(&s->record_count, by);
	if (r->flags & WIRE_RECORD_TOMBSTONE)
		add_count(&s->tombstone_count, by);
	uint64_t content = by > 0 ? content_of(r, key_hash) : -content_of(r, key_hash);
	add_hash(&s->content_hash, content);
	s->bucket_sums[key_hash % WIRE_BUCKETS_COUNT] += content;
}

void store_publish(struct store *s, uint64_t key_hash, record_ref ref, record_ref old)
{
	if (old != 0)
		index_replace(&s->index, &s->arena, key_hash, old, ref);
	else
		index_insert(&s->index, &s->arena, key_hash, ref);
	order_take_in(s, ref);
	count(s, store_at(s, ref), key_hash, 1);
	if (old != 0) {
		store_at(s, ref)->mark = store_at(s, old)->mark;
		count(s, store_at(s, old), key_hash, -1);
		order_take_out(s, old);
		retire(s, old);
	}
}

void store_remove(struct store *s, record_ref ref)
{
	const struct record *r = store_at(s, ref);
	uint64_t key_hash = store_key_hash(s, record_key(r), r->key_len);
	index_remove(&s->index, &s->arena, key_hash, ref);
	count(s, r, key_hash, -1);
	order_take_out(s, ref);
	retire(s, ref);
}

void store_clear(struct store *s)
{
	bool empty = atomic_load_explicit(&s->record_count, memory_order_relaxed) == 0;
	assert(!s->gathering); /* who begins anew serves nobody */
	for (uint32_t b = 0; !empty && b <= s->index.mask; b++) {
		struct index_walk w = index_walk(&s->index, b);
		for (record_ref ref; (ref = index_next(&s->arena, &w)) != 0;)
			retire(s, ref);
	}
	if (!empty)
		index_clear(&s->index);
	order_clear(&s->order);
	for (uint32_t i = 0; i < s->actor_count; i++) {
		struct actor_slot *a = &s->actors[s->actor_order[i]];
		a->oldest = a->newest = a->tomb_oldest = a->tomb_newest = 0;
		a->cap = 0;
		atomic_store_explicit(&a->collected, 0, memory_order_relaxed);
		a->ahead = a->blocked = false;
		atomic_store_explicit(&a->seq, 0, memory_order_release);
	}
	memset(s->bucket_sums, 0, sizeof(s->bucket_sums));
	atomic_store_explicit(&s->record_count, 0, memory_order_relaxed);
	atomic_store_explicit(&s->tombstone_count, 0, memory_order_relaxed);
	atomic_store_explicit(&s->content_hash, 0, memory_order_relaxed);
	atomic_store_explicit(&s->ahead_count, 0, memory_order_relaxed);
	atomic_store_explicit(&s->vector_hash, 0, memory_order_relaxed);
}

void store_view(const struct record *r, uint64_t key_hash, struct map_view *view)
{
	*view = (struct map_view){
		.key = record_key(r),
		.value = record_value(r),
		.key_len = r->key_len,
		.value_len = r->value_len,
		.tombstone = (r->flags & WIRE_RECORD_TOMBSTONE) != 0,
		.rival = r->rival,
		.key_hash = key_hash,
		.clock = r->clock,
		.weight = rendezvous_weight(key_hash, rendezvous_server_hash(r->author_id)),
		.author = record_author(r),
		.dot = record_dot(r),
		.written_ms = *record_written_ms(r),
	};
}
