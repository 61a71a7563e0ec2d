#include <assert.h>
#include <errno.h>
#include <string.h>

#include "deltamap/internal.h"
#include "deltamap/typed.h"
#include "rendezvous/rendezvous.h"

uint64_t map_key_hash(const struct map *map, const void *key, size_t key_len)
{
	return store_key_hash(&map->store, key, key_len);
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

/* Most clocks differ, and then no weights are needed. */
static int compare_with_held(const struct wire_record *w, const struct record *held, uint64_t hash)
{
	struct dot author = record_author(held);
	if (w->clock != held->clock)
		return w->clock < held->clock ? -1 : 1;
	return compare_stamps(w->clock, stamp_weight(hash, w->author.actor), &w->author,
		held->clock, stamp_weight(hash, author.actor), &author);
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
		.author = record_author(r),
		.dot = record_dot(r),
		.written_ms = *record_written_ms(r),
		.key = record_key(r),
		.value = record_value(r),
	};
	if (r->flags & WIRE_RECORD_PREVIOUS)
		w->previous = *record_previous(r);
}

void map_changed(struct map *map, const struct record *r, uint64_t hash, bool local, bool gone)
{
	if (map->config.on_change == NULL)
		return;
	struct map_view view;
	store_view(r, hash, &view);
	view.tombstone |= gone;
	map->config.on_change(map->config.context, &view, local);
}

static void tell_displaced(struct map *map, const struct wire_record *w, uint64_t hash,
	const struct record *held, int order, bool rival)
{
	map->counters.rivals += rival;
	if (map->config.on_displaced == NULL)
		return;
	struct map_view view, *mine = &view;
	store_view(held, hash, mine);
	struct map_view theirs = {
		.key = w->key,
		.key_len = w->key_len,
		.key_hash = hash,
		.value = w->value,
		.value_len = w->value_len,
		.tombstone = (w->flags & WIRE_RECORD_TOMBSTONE) != 0,
		.clock = w->clock,
		.weight = stamp_weight(hash, w->author.actor),
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

/* Is there a place in the table for it? */
static bool has_place(const struct map *map, record_ref old)
{
	const struct store *s = &map->store;
	return old != 0 ||
	       atomic_load_explicit(&s->record_count, memory_order_relaxed) < s->records_max;
}

/* Under a dot of this server's own: beyond the cap of a closed epoch there are no dots. */
static void redot(const struct map *map, struct wire_record *w)
{
	w->dot = next_dot(map);
	w->flags |= WIRE_RECORD_ADOPTED;
}

/* Above everything that was collected, as a write of this server's. */
static void lift(const struct map *map, struct wire_record *w)
{
	w->clock = map_floor(map) + 1;
	w->author = w->dot = next_dot(map);
	w->flags &= (uint8_t)~WIRE_RECORD_ADOPTED;
}

static void tell_lifted(struct map *map, const struct wire_record *w, struct dot loser)
{
	struct map_event event = {.kind = MAP_EVENT_LIFTED,
		.key = w->key,
		.key_len = w->key_len,
		.winner = w->author,
		.loser = loser};
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

/* A published record said anew, to take its place; 0: no room. */
static record_ref write_anew(
	struct map *map, record_ref ref, const struct wire_record *w, uint16_t slot)
{
	struct store *s = &map->store;
	record_ref next = map->self_slot == NO_ACTOR ? 0 : store_write(s, w, slot);
	if (next != 0)
		store_at(s, next)->rival = store_at(s, ref)->rival;
	return next;
}

static uint64_t hash_of(const struct map *map, const struct wire_record *w)
{
	return map_key_hash(map, w->key, w->key_len);
}

/* The same record under another dot, of an epoch that goes on, where this one's is to leave the
 * vector: see horizon.c. If there is no room it is offered again. */
static void take_over_dot(struct map *map, record_ref ref, struct dot dot)
{
	struct store *s = &map->store;
	struct wire_record w;
	const struct actor_slot *a = &s->actors[store_at(s, ref)->actor_slot];
	if (a->cap == 0 || a->actor.epoch > horizon_epoch(map))
		return;
	uint16_t slot = store_actor(s, dot.actor, true);
	if (slot == NO_ACTOR || s->actors[slot].cap != 0)
		return;
	map_record_to_wire(store_at(s, ref), &w);
	w.dot = dot;
	if (dot_equal(w.dot, w.author))
		w.flags &= (uint8_t)~WIRE_RECORD_ADOPTED;
	else
		w.flags |= WIRE_RECORD_ADOPTED;
	record_ref next = write_anew(map, ref, &w, slot);
	if (next != 0)
		store_publish(s, hash_of(map, &w), next, ref);
}

/* A record that is news, where nothing is held that is newer. */
static enum merge_result enter(struct map *map, const struct wire_record *w, uint64_t hash,
	enum merge_how how, record_ref old, bool rival)
{
	struct store *s = &map->store;
	struct wire_record anew;
	uint16_t slot = store_actor(s, w->dot.actor, true);
	bool beyond = slot != NO_ACTOR && is_beyond_cap(map, slot, w->dot.seq);
	bool lifted = old == 0 && how == MERGE_RECONCILE && w->clock <= map_floor(map) &&
		      !MAP_MUTANT(RECONCILE_NO_LIFT);
	if (slot == NO_ACTOR || ((beyond || lifted) && map->self_slot == NO_ACTOR)) {
		map->counters.refused_actors++;
		return MERGE_ACTORS;
	}
	struct dot author = w->author;
	if (lifted || beyond) {
		anew = *w;
		(lifted ? lift : redot)(map, &anew);
		w = &anew;
		slot = map->self_slot;
	}
	record_ref ref = has_place(map, old) ? store_write(s, w, slot) : 0;
	if (ref == 0) {
		map->counters.refused_full++;
		return MERGE_FULL;
	}
	struct record *r = store_at(s, ref);
	r->rival = rival;
	if (lifted)
		tell_lifted(map, w, author);
	else
		map->counters.adopted += beyond;
	store_publish(s, hash, ref, old);
	mark(map, ref, how);
	map->counters.merged++;
	map_changed(map, r, hash, lifted, false);
	if (lifted || beyond)
		take_dot(map, w->dot);
	return MERGE_NEW;
}

enum merge_result map_merge_record(
	struct map *map, const struct wire_record *w, uint64_t hash, enum merge_how how)
{
	struct store *s = &map->store;
	if (w->clock > MAP_CLOCK_MAX) {
		map->counters.malformed++;
		return MERGE_REFUSED;
	}
	record_ref old = store_find(s, hash, w->key, w->key_len);
	bool rival = false;
	if (old != 0) {
		const struct record *o = store_at(s, old);
		int order = compare_with_held(w, o, hash);
		/* With one clock, neither knew of the other. */
		rival = w->clock == o->clock && w->author.actor.id != o->author_id;
		if (order != 0 && (rival || typed_is_reserved(w->key, w->key_len)))
			tell_displaced(map, w, hash, o, order, rival);
		if (order == 0 && !dot_equal(w->dot, record_dot(o)))
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
	return enter(map, w, hash, how, old, rival);
}

bool map_adopt(struct map *map, record_ref ref)
{
	struct wire_record w;
	map_record_to_wire(store_at(&map->store, ref), &w);
	redot(map, &w);
	record_ref next = write_anew(map, ref, &w, map->self_slot);
	if (next == 0)
		return false;
	map->counters.adopted++;
	store_publish(&map->store, hash_of(map, &w), next, ref);
	take_dot(map, w.dot);
	return true;
}

bool map_lift(struct map *map, record_ref ref)
{
	struct wire_record w;
	struct dot loser = record_author(store_at(&map->store, ref));
	map_record_to_wire(store_at(&map->store, ref), &w);
	lift(map, &w);
	record_ref next = write_anew(map, ref, &w, map->self_slot);
	if (next == 0)
		return false;
	uint64_t hash = hash_of(map, &w);
	tell_lifted(map, &w, loser);
	store_publish(&map->store, hash, next, ref);
	map_changed(map, store_at(&map->store, next), hash, true, false);
	take_dot(map, w.dot);
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
	store_view(o, hash, &theirs);
	return !actor_equal(map->self, theirs.author.actor) &&
	       map_stamp_compare(&mine, &theirs) > 0;
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
		w.previous = record_author(o);
	}
	*error = -ENOSPC;
	record_ref ref = map->self_slot == NO_ACTOR || !has_place(map, old)
				 ? 0
				 : store_write(s, &w, map->self_slot);
	if (ref == 0)
		return 0;
	*error = 0;
	store_publish(s, hash, ref, old);
	map_changed(map, store_at(s, ref), hash, true, false);
	take_dot(map, w.dot);
	return ref;
}
