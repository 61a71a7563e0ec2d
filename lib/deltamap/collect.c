/* A tombstone is collected when nobody who is waited for could still send what it replaced. */
#include "deltamap/internal.h"

enum { COLLECT_PER_TICK = 256, WALK_PER_TICK = 4096 };

/* Else this replica could not tell later that it had seen what the tombstone replaced. */
static bool saw_previous(const struct map *map, const struct record *r)
{
	if (!(r->flags & WIRE_RECORD_PREVIOUS) || MAP_MUTANT(COLLECT_PREVIOUS_UNSEEN))
		return true;
	/* Of an epoch that has left the vector nobody can tell any more: see horizon.c. */
	struct dot previous = *record_previous(r);
	if (previous.actor.epoch <= horizon_epoch(map) &&
		store_actor_reader(&map->store, previous.actor) == NO_ACTOR)
		return true;
	return map_reaches(map, previous);
}

static void collect(struct map *map, record_ref ref)
{
	struct store *s = &map->store;
	const struct record *r = store_at(s, ref);
	struct actor_slot *a = &s->actors[r->actor_slot];
	if (map->config.on_collect != NULL) {
		struct map_view view;
		store_view(r, store_key_hash(s, record_key(r), r->key_len), &view);
		map->config.on_collect(map->config.context, &view);
	}
	a->collected = sw_max_u64(a->collected, record_seq(r));
	if (r->clock > map_floor(map))
		atomic_store_explicit(&map->floor, r->clock, memory_order_release);
	map->counters.collected++;
	store_remove(s, ref);
}

/* What is left when the bound is reached is due again. */
static void collect_slot(struct map *map, uint16_t slot)
{
	struct store *s = &map->store;
	struct actor_slot *a = &s->actors[slot];
	uint64_t stable = UINT64_MAX;
	uint32_t collected = 0, walked = 0;
	a->blocked = false;
	if (a->tomb_oldest == 0)
		return;
	if (!MAP_MUTANT(COLLECT_UNSTABLE))
		stable = sw_min_u64(report_stable(map, slot), store_seq(s, slot));
	for (record_ref ref = a->tomb_oldest; ref != 0;) {
		const struct record *r = store_at(s, ref);
		record_ref newer = record_tomb(r)->newer;
		if (record_seq(r) > stable)
			return;
		if (collected == COLLECT_PER_TICK || ++walked == WALK_PER_TICK) {
			store_due(s, slot);
			return;
		}
		if (saw_previous(map, r)) {
			collect(map, ref);
			collected++;
		} else {
			a->blocked = s->any_blocked = true;
		}
		ref = newer;
	}
}

/* The vector has moved: what waited for it may wait no longer. */
static void look_at_blocked(struct map *map)
{
	struct store *s = &map->store;
	if (!s->any_blocked || map->blocked_hash == map_vector_hash(map))
		return;
	map->blocked_hash = map_vector_hash(map);
	s->any_blocked = false;
	for (uint32_t i = 0; i < s->actor_count; i++)
		if (s->actors[s->actor_order[i]].blocked)
			store_due(s, s->actor_order[i]);
}

/* Nothing is collected while a session is under way: it may still bring, from a snapshot of before,
 * what the tombstone replaced. */
static bool may_collect(const struct map *map)
{
	return map_ready(map) && map->running &&
	       (!map->pulling.open || MAP_MUTANT(COLLECT_IN_SESSION));
}

uint64_t collect_deadline(const struct map *map)
{
	bool any = map->store.any_due ||
		   (map->store.any_blocked && map->blocked_hash != map_vector_hash(map));
	return any && may_collect(map) ? map->next_collect_ns : SW_NEVER_NS;
}

void collect_tick(struct map *map, uint64_t now_ns)
{
	struct store *s = &map->store;
	if (now_ns < map->next_collect_ns || !may_collect(map))
		return;
	look_at_blocked(map);
	if (!s->any_due)
		return;
	uint32_t done = 0;
	map->next_collect_ns = now_ns + SW_NS_PER_MS;
	s->any_due = false;
	for (uint32_t w = 0; w < ACTOR_SLOTS / 64; w++) {
		uint64_t bits = s->due[w];
		if (bits != 0 && done >= DUE_PER_TICK) {
			s->any_due = true;
			return;
		}
		s->due[w] = 0;
		for (; bits != 0; bits &= bits - 1, done++) {
			uint16_t slot = (uint16_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
			if (atomic_load_explicit(&s->actors[slot].state, memory_order_relaxed) !=
				SLOT_USED)
				continue;
			collect_slot(map, slot);
			closing_slot(map, slot);
		}
	}
}

bool collect_is_covered_by(const struct map *map, const struct version_vector *vv)
{
	const struct store *s = &map->store;
	uint32_t at = 0, horizon = horizon_of(vv);
	for (uint32_t i = 0; i < s->actor_count; i++) { /* both in the same order */
		const struct actor_slot *a = &s->actors[s->actor_order[i]];
		if (a->collected == 0)
			continue;
		while (at < vv->count && actor_compare(vv->entries[at].actor, a->actor) < 0)
			at++;
		bool has = at < vv->count && actor_equal(vv->entries[at].actor, a->actor);
		/* It had it closed, and has dropped it: horizon.c. */
		if (!has && a->cap != 0 && a->actor.epoch <= horizon)
			continue;
		if (!has || vv_reach(vv->entries[at].seq) < a->collected)
			return false;
	}
	return true;
}

void collect_vector(const struct map *map, struct version_vector *vv)
{
	const struct store *s = &map->store;
	vv->count = 0;
	for (uint32_t i = 0; i < s->actor_count; i++) {
		const struct actor_slot *a = &s->actors[s->actor_order[i]];
		if (a->collected > 0)
			vv->entries[vv->count++] = (struct vv_entry){a->actor, a->collected};
	}
}
