/* Epochs that are over leave the vector's moving part: closed at a cap, adopted beyond it. */
#include "deltamap/internal.h"

uint32_t map_closed_epoch(const struct map *map)
{
	return atomic_load_explicit(&map->closed_epoch, memory_order_acquire);
}

/* Records of this actor from `above` on get dots of this server's own. */
static bool adopt_above(struct map *map, uint16_t slot, uint64_t above)
{
	struct store *s = &map->store;
	for (record_ref ref = order_newest(s, &s->actors[slot]);
		ref != 0 && record_seq(store_at(s, ref)) > above;) {
		record_ref older = order_older(s, ref);
		if (!store_at(s, ref)->dead && !map_adopt(map, ref)) {
			map->counters.refused_full++;
			return false;
		}
		ref = older;
	}
	return true;
}

/* What was collected here lies beyond the cap, where nobody's vector will reach: a dot of this
 * server's own says it instead, so that who does not have that must reconcile. */
bool closing_mark(struct map *map, struct actor_slot *a, uint64_t cap)
{
	if (a->collected <= cap || MAP_MUTANT(NO_MARKER))
		return true;
	struct dot dot = map_own_dot(map);
	if (dot.seq == 0)
		return false;
	map->store.actors[map->self_slot].collected = dot.seq;
	a->collected = cap;
	map->counters.markers++;
	return true;
}

static bool learn(struct map *map, struct actor actor, uint64_t cap)
{
	uint16_t slot = store_actor_reader(&map->store, actor);
	if (slot == NO_ACTOR)
		return true; /* nothing of it is here; the vector will bring it */
	struct actor_slot *a = &map->store.actors[slot];
	if ((a->cap != 0 && a->cap <= cap) || MAP_MUTANT(NO_ADOPTION))
		return true;
	if (slot == map->self_slot && !MAP_MUTANT(OWN_CLOSED_KEPT)) {
		if (map_closed_epoch(map) != actor.epoch)
			map->counters.own_closed++;
		atomic_store_explicit(&map->closed_epoch, actor.epoch, memory_order_release);
		return false; /* until membership has taken a larger one */
	}
	if (!adopt_above(map, slot, cap) || !closing_mark(map, a, cap))
		return false;
	struct map_event event = {.kind = MAP_EVENT_CLOSED, .winner = {actor, cap}};
	a->cap = cap;
	map->counters.closed++;
	map_event(map, &event);
	return true;
}

bool closing_learn(struct map *map, const struct version_vector *vv)
{
	bool all = true;
	for (uint32_t i = 0; i < vv->count; i++)
		if (vv_is_closed(vv->entries[i].seq))
			all &= learn(map, vv->entries[i].actor, vv_reach(vv->entries[i].seq));
	return all;
}

/* Do all that are waited for report this entry, or the epoch closed? */
static bool all_report(const struct map *map, uint16_t slot, uint64_t seq)
{
	if (MAP_MUTANT(CLOSE_UNEQUAL))
		return true;
	for (uint32_t i = 0; i < map->row_end; i++) {
		const struct row *row = &map->rows[i];
		if (atomic_load_explicit(&row->id, memory_order_relaxed) == 0)
			continue;
		uint64_t theirs = atomic_load_explicit(&row->seqs[slot], memory_order_relaxed);
		if (theirs != seq && !vv_is_closed(theirs))
			return false;
	}
	return true;
}

void closing_slot(struct map *map, uint16_t slot)
{
	struct store *s = &map->store;
	struct actor_slot *a = &s->actors[slot];
	uint64_t seq = store_seq(s, slot);
	if (!a->over || slot == map->self_slot)
		return;
	/* Held ahead of the vector, and the hole before it will never be filled. */
	if (!vv_is_closed(seq) && a->ahead && !adopt_above(map, slot, seq)) {
		store_due(s, slot);
		return;
	}
	if (seq == 0 && a->oldest == 0 && a->cap == 0 && a->collected == 0) {
		report_forget(map, slot);
		store_forget_actor(s, slot);
		return;
	}
	if (seq == 0 || vv_is_closed(seq) || !all_report(map, slot, seq))
		return;
	if (learn(map, a->actor, seq))
		store_raise(s, slot, VV_CLOSED | seq);
}
