#include <assert.h>
#include <errno.h>
#include <string.h>

#include "deltamap/internal.h"
#include "rendezvous/rendezvous.h"

uint64_t map_key_hash(const struct map *map, const void *key, size_t key_len)
{
	return rendezvous_key_hash(map->config.cluster_seed, key, key_len);
}

static uint64_t stamp_weight(uint64_t hash, struct actor writer)
{
	return rendezvous_weight(hash, rendezvous_server_hash(writer.id));
}

static int compare_stamps(uint64_t clock_a, uint64_t weight_a, const struct dot *a,
	uint64_t clock_b, uint64_t weight_b, const struct dot *b)
{
	if (clock_a != clock_b)
		return clock_a < clock_b ? -1 : 1;
	if (weight_a != weight_b)
		return weight_a < weight_b ? -1 : 1;
	int actors = actor_compare(a->actor, b->actor);
	if (actors != 0)
		return actors;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return 0;
}

int map_stamp_compare(const struct map_view *a, const struct map_view *b)
{
	return compare_stamps(a->clock, a->weight, &a->author, b->clock, b->weight, &b->author);
}

static int compare_to_held(const struct wire_record *w, uint64_t weight, const struct record *held)
{
	return compare_stamps(
		w->clock, weight, &w->author, held->clock, held->weight, &held->author);
}

/* Field by field: a copy of the whole reads wider than what the decoder has just written, and waits
 * until that has left the store buffer, behind the last record's cache misses. */
static void set_dot(struct dot *to, const struct dot *from)
{
	to->actor.id = from->actor.id;
	to->actor.epoch = from->actor.epoch;
	to->seq = from->seq;
}

void map_record_to_wire(const struct record *r, struct wire_record *w)
{
	*w = (struct wire_record){
		.flags = r->flags,
		.key_len = r->key_len,
		.value_len = r->value_len,
		.clock = r->clock,
		.author = r->author,
		.dot = r->dot,
		.previous = r->previous,
		.written_ms = r->written_ms,
		.key = record_key(r),
		.value = record_value(r),
	};
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

static void publish(struct map *map, record_ref ref, record_ref old, bool local)
{
	store_publish(&map->store, ref, old);
	if (map->config.on_change == NULL)
		return;
	struct map_view view;
	store_view(store_at(&map->store, ref), &view);
	map->config.on_change(map->config.context, &view, local);
}

static void tell_displaced(struct map *map, const struct wire_record *w, uint64_t weight,
	const struct record *held, int order, bool rival)
{
	if (map->config.on_displaced == NULL)
		return;
	struct map_view view, *mine = &view;
	store_view(held, mine);
	struct map_view theirs = {
		.key = w->key,
		.key_len = w->key_len,
		.key_hash = held->key_hash,
		.value = w->value,
		.value_len = w->value_len,
		.tombstone = (w->flags & WIRE_RECORD_TOMBSTONE) != 0,
		.clock = w->clock,
		.weight = weight,
		.author = w->author,
		.dot = w->dot,
		.written_ms = w->written_ms,
	};
	map->config.on_displaced(
		map->config.context, order > 0 ? &theirs : mine, order > 0 ? mine : &theirs, rival);
}

/* Merging is max over stamps. The caller moves the vector, and only if this is MERGE_NEW or
 * MERGE_OLDER. */
enum merge_result map_merge_record(struct map *map, const struct wire_record *w)
{
	struct store *s = &map->store;
	if (w->clock > MAP_CLOCK_MAX) {
		map->counters.malformed++;
		return MERGE_REFUSED;
	}
	uint64_t hash = map_key_hash(map, w->key, w->key_len);
	uint64_t weight = stamp_weight(hash, w->author.actor);
	record_ref old = store_find(s, hash, w->key, w->key_len);
	bool rival = false;
	if (old != 0) {
		const struct record *o = store_at(s, old);
		int order = compare_to_held(w, weight, o);
		rival = w->clock == o->clock && w->author.actor.id != o->author.actor.id;
		map->counters.rivals += rival;
		if (order != 0 && (rival || w->key[0] == '\0'))
			tell_displaced(map, w, weight, o, order, rival);
		if (order <= 0) {
			map->counters.older++;
			return MERGE_OLDER;
		}
	}
	uint16_t slot = store_actor(s, w->dot.actor, true);
	if (slot == NO_ACTOR) {
		map->counters.refused_actors++;
		return MERGE_ACTORS;
	}
	bool full = old == 0 &&
		    atomic_load_explicit(&s->record_count, memory_order_relaxed) >= s->records_max;
	record_ref ref = full ? 0 : store_alloc(s, w->key_len, w->value_len);
	if (ref == 0) {
		map->counters.refused_full++;
		return MERGE_FULL;
	}
	struct record *r = store_at(s, ref);
	r->flags = w->flags;
	r->rival = rival;
	r->actor_slot = slot;
	r->key_hash = hash;
	r->clock = w->clock;
	r->weight = weight;
	r->written_ms = w->written_ms;
	set_dot(&r->author, &w->author);
	set_dot(&r->dot, &w->dot);
	set_dot(&r->previous, &w->previous);
	copy_payload(r, w->key, w->value);
	publish(map, ref, old, false);
	map->counters.merged++;
	return MERGE_NEW;
}

static int check_local(const struct map *map, size_t key_len, size_t value_len)
{
	if (!atomic_load_explicit(&map->ready, memory_order_relaxed))
		return -EAGAIN;
	if (key_len == 0)
		return -EINVAL;
	if (key_len > SW_KEY_MAX || key_len + value_len > MAP_PAYLOAD_MAX)
		return -EMSGSIZE;
	return 0;
}

/* Is a write of this life above `o` at the same clock? */
static bool is_above(const struct map *map, uint64_t hash, uint64_t seq, const struct record *o)
{
	struct map_view theirs, mine = {.clock = o->clock,
					.weight = stamp_weight(hash, map->self),
					.author = {map->self, seq}};
	store_view(o, &theirs);
	return map_stamp_compare(&mine, &theirs) > 0;
}

/* A write that knows what it replaces takes that clock + 1; a birth stands above the floor. */
record_ref map_write_local(struct map *map, uint64_t wall_ms, const void *key, size_t key_len,
	const void *value, size_t value_len, enum local_write kind, int *error)
{
	struct store *s = &map->store;
	bool tombstone = kind != WRITE_PUT;
	*error = check_local(map, key_len, value_len);
	if (*error < 0)
		return 0;
	uint64_t hash = map_key_hash(map, key, key_len);
	record_ref old = store_find(s, hash, key, key_len);
	const struct record *o = store_at(s, old);
	*error = -ENOENT;
	if (tombstone && (o == NULL || (o->flags & WIRE_RECORD_TOMBSTONE)))
		return 0;
	uint64_t seq = store_seq(s, map->self_slot) + 1;
	uint64_t clock =
		(o != NULL ? o->clock : atomic_load_explicit(&map->floor, memory_order_relaxed)) +
		1;
	if (kind == WRITE_RETIRE && is_above(map, hash, seq, o))
		clock = o->clock;
	*error = -EOVERFLOW;
	if (seq > SEQ_MAX || clock > MAP_CLOCK_MAX)
		return 0;
	*error = -ENOSPC;
	if (map->self_slot == NO_ACTOR)
		return 0;
	if (o == NULL &&
		atomic_load_explicit(&s->record_count, memory_order_relaxed) >= s->records_max)
		return 0;
	record_ref ref = store_alloc(s, key_len, value_len);
	if (ref == 0)
		return 0;
	*error = 0;
	struct record *r = store_at(s, ref);
	r->flags = tombstone ? WIRE_RECORD_TOMBSTONE : 0;
	if (tombstone) {
		r->flags |= WIRE_RECORD_PREVIOUS;
		r->previous = o->author;
	}
	r->actor_slot = map->self_slot;
	r->key_hash = hash;
	r->clock = clock;
	r->weight = stamp_weight(hash, map->self);
	r->written_ms = wall_ms;
	r->author = (struct dot){map->self, seq};
	r->dot = r->author;
	copy_payload(r, key, value);
	/* The vector last: who reads that it covers this write finds it, and its change told. */
	publish(map, ref, old, true);
	store_raise(s, map->self_slot, seq);
	atomic_store_explicit(&map->last_seq, seq, memory_order_release);
	return ref;
}
