/* How the vector stays small for years.
 *
 * Each restart of a server closes an epoch, and a closed entry says which of its writes had been
 * seen: that is needed as long as somebody may come who missed them. So entries are kept while
 * there is room, and when more than actors_high are held the oldest closed ones go. Which, is an
 * entry of the vector itself, the horizon: closed epochs up to that number are on their way out. It
 * only grows, and is joined like any other entry, so that all drop the same.
 *
 * An entry goes when no record has a dot of it (the server with the smallest id adopts them, the
 * others take over its dots) and when whoever is waited for has reported it closed. What was
 * collected under it is then said by a marker that all have reported, so that who does not have
 * that must reconcile.
 */
#include <stdlib.h>

#include "deltamap/internal.h"

enum {
	ACTORS_HIGH = SW_ACTORS_MAX * 3 / 4,
	ADOPT_PER_LOOK = 256,
	LOOKS_BEFORE_ADOPTING = 16,
};

static const struct actor horizon_actor = {MAP_HORIZON_ID, 1};

uint32_t horizon_epoch(const struct map *map)
{
	const struct store *s = &map->store;
	return (uint32_t)store_seq(s, store_actor_reader(s, horizon_actor));
}

bool horizon_is_entry(struct actor actor)
{
	return actor.id == MAP_HORIZON_ID;
}

uint32_t horizon_of(const struct version_vector *vv)
{
	return (uint32_t)vv_get(vv, horizon_actor);
}

/* ---- which ---- */

static uint32_t actors_high(const struct map *map)
{
	return map->config.actors_high != 0 ? map->config.actors_high : ACTORS_HIGH;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static bool is_closed(const struct map *map, uint16_t slot)
{
	return vv_is_closed(store_seq(&map->store, slot));
}

/* The closed epochs up to it are as many as must go. */
static void raise_horizon(struct map *map)
{
	static _Thread_local uint32_t epochs[SW_ACTORS_MAX];
	struct store *s = &map->store;
	uint32_t n = 0, high = actors_high(map);
	uint32_t excess = s->actor_count - high + high / 12; /* some more at a time */
	for (uint32_t i = 0; i < s->actor_count; i++)
		if (is_closed(map, s->actor_order[i]))
			epochs[n++] = s->actors[s->actor_order[i]].actor.epoch;
	if (n == 0)
		return;
	qsort(epochs, n, sizeof(epochs[0]), by_number);
	uint16_t slot = store_actor(s, horizon_actor, true);
	if (slot != NO_ACTOR)
		store_raise(s, slot, epochs[(excess < n ? excess : n) - 1]);
}

/* ---- dropping one ---- */

static bool is_smallest(const struct map *map)
{
	for (uint32_t i = 0; i < map->peer_count; i++)
		if (map->peers[i].actor.id < map->self.id)
			return false;
	return true;
}

static void adopt_some(struct map *map, uint16_t slot)
{
	struct store *s = &map->store;
	record_ref ref = order_newest(s, &s->actors[slot]);
	for (int n = 0; n < ADOPT_PER_LOOK && ref != 0; n++) {
		record_ref older = order_older(s, ref);
		if (!store_at(s, ref)->dead && !map_adopt(map, ref))
			return;
		ref = older;
	}
}

/* Closed, or not known at all, to all that are waited for. */
static bool all_have_closed(const struct map *map, uint16_t slot)
{
	for (uint32_t i = 0; i < map->row_end; i++) {
		const struct row *row = &map->rows[i];
		if (atomic_load_explicit(&row->id, memory_order_relaxed) == 0)
			continue;
		uint64_t seq = atomic_load_explicit(&row->seqs[slot], memory_order_relaxed);
		if (atomic_load_explicit(&row->at_ns, memory_order_relaxed) == 0 ||
			(seq != 0 && !vv_is_closed(seq)))
			return false;
	}
	return true;
}

/* One marker says for all that go what was collected under them. */
static bool is_marked(struct map *map)
{
	if (map->horizon_marker == 0 || map->horizon_marker_slot != map->self_slot) {
		struct dot dot = map_own_dot(map);
		if (dot.seq == 0)
			return false;
		map->horizon_marker = dot.seq;
		map->horizon_marker_slot = map->self_slot;
		map->counters.markers++;
		return false;
	}
	return report_stable(map, map->self_slot) >= map->horizon_marker;
}

static bool drop_entry(struct map *map, uint16_t slot)
{
	struct actor_slot *a = &map->store.actors[slot];
	if (a->newest != 0) {
		/* What the others offered under another dot before, they do not offer again. */
		if (is_smallest(map) || map->horizon_looks > LOOKS_BEFORE_ADOPTING)
			adopt_some(map, slot);
		return false;
	}
	if (!all_have_closed(map, slot))
		return false;
	if (a->collected > 0) {
		if (!is_marked(map))
			return false;
		struct actor_slot *self = &map->store.actors[map->self_slot];
		self->collected = sw_max_u64(self->collected, map->horizon_marker);
	}
	report_forget(map, slot);
	store_forget_actor(&map->store, slot);
	map->counters.dropped_actors++;
	return true;
}

/* Once in a while: whether more must go, and what can. */
void horizon_tick(struct map *map, uint64_t now_ns)
{
	struct store *s = &map->store;
	if (now_ns < map->next_horizon_ns || !map_ready(map) || !map->running || map->pulling.open)
		return;
	map->next_horizon_ns = now_ns + 8 * map->config.pull_interval_ns;
	uint32_t horizon = horizon_epoch(map);
	bool waiting = false;
	for (uint32_t i = 0; i < s->actor_count;) {
		uint16_t slot = s->actor_order[i];
		bool goes = is_closed(map, slot) && s->actors[slot].actor.epoch <= horizon;
		if (goes && drop_entry(map, slot))
			continue; /* the next one stands in its place */
		waiting |= goes;
		i++;
	}
	map->horizon_looks = waiting ? map->horizon_looks + 1 : 0;
	if (!waiting)
		map->horizon_marker = 0;
	if (!waiting && s->actor_count > actors_high(map))
		raise_horizon(map);
}
