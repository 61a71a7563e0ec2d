#include <assert.h>
#include <errno.h>
#include <string.h>

#include "deltamap/internal.h"
#include "deltamap/typed.h"
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

/* Field by field: a copy of the whole reads wider than what the decoder has just written, and waits
 * until that has left the store buffer, behind the last record's cache misses. */
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

void map_changed(struct map *map, const struct record *r, bool local, bool gone)
{
	if (map->config.on_change == NULL)
		return;
	struct map_view view;
	store_view(r, &view);
	view.tombstone |= gone;
	map->config.on_change(map->config.context, &view, local);
}

static void tell_displaced(struct map *map, const struct wire_record *w, uint64_t weight,
	const struct record *held, int order, bool rival)
{
	map->counters.rivals += rival;
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

void map_event(struct map *map, const struct map_event *event)
{
	if (map->config.on_event != NULL)
		map->config.on_event(map->config.context, event);
}

bool map_reaches(const struct map *map, struct dot dot)
{
	const struct store *s = &map->store;
	return vv_reach(store_seq(s, store_actor_reader(s, dot.actor))) >= dot.seq;
}

static struct dot next_dot(const struct map *map)
{
	uint64_t seq = vv_reach(store_seq(&map->store, map->self_slot)) + 1;
	if (map->self_slot == NO_ACTOR || seq > SEQ_MAX)
		return (struct dot){map->self, 0};
	return (struct dot){map->self, seq};
}

/* The vector last: who reads that it covers a write finds the record, and its change told. */
static void take_dot(struct map *map, struct dot dot)
{
	store_raise(&map->store, map->self_slot, dot.seq);
	atomic_store_explicit(&map->last_seq, dot.seq, memory_order_release);
}

struct dot map_own_dot(struct map *map)
{
	struct dot dot = next_dot(map);
	if (dot.seq > 0)
		take_dot(map, dot);
	return dot;
}

/* A record for an absent key that had been here: what came after it was collected. The vector tells
 * so, of sessions by the present dot, of a full-state join by the author's too, since adoption in
 * the other island changed the former. A push may also come late, from before the collection, from
 * whom this replica has nothing else: it is at or below the floor, and comes again by pull if it
 * was no ghost. */
static bool was_collected(const struct map *map, const struct wire_record *w, enum merge_how how)
{
	if (how == MERGE_REPAIR)
		return false;
	if (how == MERGE_PUSH && !MAP_MUTANT(NO_FLOOR_AT_PUSH) && w->clock <= map_floor(map))
		return true;
	if (how == MERGE_RECONCILE)
		return !MAP_MUTANT(RECONCILE_NO_SKIP) &&
		       (map_reaches(map, w->dot) ||
			       (!MAP_MUTANT(NO_AUTHOR_DOT) && map_reaches(map, w->author)));
	return !MAP_MUTANT(ABSENT_COVERED_TAKEN) && map_reaches(map, w->dot);
}

static record_ref place(struct map *map, record_ref old, size_t key_len, size_t value_len)
{
	struct store *s = &map->store;
	if (old == 0 &&
		atomic_load_explicit(&s->record_count, memory_order_relaxed) >= s->records_max)
		return 0;
	return store_alloc(s, key_len, value_len);
}

static void fill(struct record *r, const struct wire_record *w, uint64_t hash, uint64_t weight)
{
	r->flags = w->flags;
	r->key_hash = hash;
	r->clock = w->clock;
	r->weight = weight;
	r->written_ms = w->written_ms;
	set_dot(&r->author, &w->author);
	set_dot(&r->dot, &w->dot);
	set_dot(&r->previous, &w->previous);
	copy_payload(r, w->key, w->value);
}

/* Under a dot of this server's own: beyond the cap of a closed epoch there are no dots. */
static void redot(struct map *map, struct record *r)
{
	r->dot = next_dot(map);
	r->actor_slot = map->self_slot;
	r->flags |= WIRE_RECORD_ADOPTED;
	map->counters.adopted++;
}

/* Above everything that was collected, as a write of this server's. */
static void lift(struct map *map, struct record *r)
{
	struct map_event event = {.kind = MAP_EVENT_LIFTED,
		.key = record_key(r),
		.key_len = r->key_len,
		.loser = r->author};
	r->clock = map_floor(map) + 1;
	r->weight = stamp_weight(r->key_hash, map->self);
	r->author = r->dot = event.winner = next_dot(map);
	r->actor_slot = map->self_slot;
	r->flags &= (uint8_t)~WIRE_RECORD_ADOPTED;
	map->counters.lifted++;
	map->join_lifted++;
	map_event(map, &event);
}

static bool is_beyond_cap(const struct map *map, uint16_t slot, uint64_t seq)
{
	uint64_t cap = map->store.actors[slot].cap;
	return cap != 0 && seq > cap && !MAP_MUTANT(NO_ADOPTION);
}

static void mark(struct map *map, record_ref ref, enum merge_how how)
{
	if (how == MERGE_RECONCILE)
		store_at(&map->store, ref)->mark = map->mark;
}

/* A copy of a published record that will take its place; 0: no room. */
static record_ref copy_of(struct map *map, record_ref ref)
{
	struct wire_record w;
	const struct record *o = store_at(&map->store, ref);
	record_ref next =
		map->self_slot == NO_ACTOR ? 0 : store_alloc(&map->store, o->key_len, o->value_len);
	if (next == 0)
		return 0;
	map_record_to_wire(o, &w);
	fill(store_at(&map->store, next), &w, o->key_hash, o->weight);
	store_at(&map->store, next)->rival = o->rival;
	return next;
}

/* The same record under another dot, of an epoch that goes on, where this one's is to leave the
 * vector: see horizon.c. If there is no room it is offered again. */
static void take_over_dot(struct map *map, record_ref ref, struct dot dot)
{
	struct store *s = &map->store;
	const struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	if (a->cap == 0 || a->actor.epoch > horizon_epoch(map))
		return;
	uint16_t slot = store_actor(s, dot.actor, true);
	if (slot == NO_ACTOR || s->actors[slot].cap != 0)
		return;
	record_ref next = copy_of(map, ref);
	if (next == 0)
		return;
	struct record *r = store_at(s, next);
	r->dot = dot;
	r->actor_slot = slot;
	if (dot_equal(r->dot, r->author))
		r->flags &= (uint8_t)~WIRE_RECORD_ADOPTED;
	else
		r->flags |= WIRE_RECORD_ADOPTED;
	store_publish(s, next, ref);
}

enum merge_result map_merge_record(
	struct map *map, const struct wire_record *w, uint64_t hash, enum merge_how how)
{
	struct store *s = &map->store;
	if (w->clock > MAP_CLOCK_MAX) {
		map->counters.malformed++;
		return MERGE_REFUSED;
	}
	uint64_t weight = stamp_weight(hash, w->author.actor);
	record_ref old = store_find(s, hash, w->key, w->key_len);
	bool rival = false;
	if (old != 0) {
		const struct record *o = store_at(s, old);
		int order = compare_stamps(
			w->clock, weight, &w->author, o->clock, o->weight, &o->author);
		/* With one clock, neither knew of the other. */
		rival = w->clock == o->clock && w->author.actor.id != o->author.actor.id;
		if (order != 0 && (rival || typed_is_reserved(w->key, w->key_len)))
			tell_displaced(map, w, weight, o, order, rival);
		if (order == 0 && !dot_equal(w->dot, o->dot))
			take_over_dot(map, old, w->dot);
		if (order <= 0) {
			mark(map, store_find(s, hash, w->key, w->key_len), how);
			map->counters.older++;
			return MERGE_OLDER;
		}
	} else if (was_collected(map, w, how)) {
		map->counters.absent_covered += how != MERGE_PUSH;
		return MERGE_COLLECTED;
	}
	uint16_t slot = store_actor(s, w->dot.actor, true);
	bool beyond = slot != NO_ACTOR && is_beyond_cap(map, slot, w->dot.seq);
	bool lifted = old == 0 && how == MERGE_RECONCILE && w->clock <= map_floor(map) &&
		      !MAP_MUTANT(RECONCILE_NO_LIFT);
	if (slot == NO_ACTOR || ((beyond || lifted) && map->self_slot == NO_ACTOR)) {
		map->counters.refused_actors++;
		return MERGE_ACTORS;
	}
	record_ref ref = place(map, old, w->key_len, w->value_len);
	if (ref == 0) {
		map->counters.refused_full++;
		return MERGE_FULL;
	}
	struct record *r = store_at(s, ref);
	fill(r, w, hash, weight);
	r->rival = rival;
	r->actor_slot = slot;
	if (lifted)
		lift(map, r);
	else if (beyond)
		redot(map, r);
	store_publish(s, ref, old);
	mark(map, ref, how);
	map->counters.merged++;
	map_changed(map, r, lifted, false);
	if (lifted || beyond)
		take_dot(map, r->dot);
	return MERGE_NEW;
}

bool map_adopt(struct map *map, record_ref ref)
{
	record_ref next = copy_of(map, ref);
	if (next == 0)
		return false;
	redot(map, store_at(&map->store, next));
	store_publish(&map->store, next, ref);
	take_dot(map, store_at(&map->store, next)->dot);
	return true;
}

bool map_lift(struct map *map, record_ref ref)
{
	record_ref next = copy_of(map, ref);
	if (next == 0)
		return false;
	lift(map, store_at(&map->store, next));
	store_publish(&map->store, next, ref);
	map_changed(map, store_at(&map->store, next), true, false);
	take_dot(map, store_at(&map->store, next)->dot);
	return true;
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
static bool is_above(const struct map *map, uint64_t hash, const struct record *o)
{
	struct map_view theirs, mine = {.clock = o->clock,
					.weight = stamp_weight(hash, map->self),
					.author = {map->self, 1}};
	store_view(o, &theirs);
	return !actor_equal(map->self, o->author.actor) && map_stamp_compare(&mine, &theirs) > 0;
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
	uint64_t floor = MAP_MUTANT(NO_FLOOR_AT_BIRTH) ? 0 : map_floor(map);
	uint64_t clock = (o != NULL ? o->clock : floor) + 1;
	if (kind == WRITE_RETIRE && is_above(map, hash, o))
		clock = o->clock;
	*error = -EOVERFLOW;
	if (vv_reach(store_seq(s, map->self_slot)) >= SEQ_MAX || clock > MAP_CLOCK_MAX)
		return 0;
	*error = -ENOSPC;
	record_ref ref = map->self_slot == NO_ACTOR ? 0 : place(map, old, key_len, value_len);
	if (ref == 0)
		return 0;
	*error = 0;
	struct wire_record w = {.flags = tombstone ? WIRE_RECORD_TOMBSTONE : 0,
		.key_len = (uint8_t)key_len,
		.value_len = (uint16_t)value_len,
		.clock = clock,
		.author = next_dot(map),
		.written_ms = wall_ms,
		.key = key,
		.value = value};
	w.dot = w.author;
	if (tombstone) {
		w.flags |= WIRE_RECORD_PREVIOUS;
		w.previous = o->author;
	}
	fill(store_at(s, ref), &w, hash, stamp_weight(hash, map->self));
	store_at(s, ref)->actor_slot = map->self_slot;
	store_publish(s, ref, old);
	map_changed(map, store_at(s, ref), true, false);
	take_dot(map, w.dot);
	return ref;
}
