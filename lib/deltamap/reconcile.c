/* The full-state join of two replicas of which one does not cover what the other has collected.
 *
 * What the peer holds is merged as it comes (merge.c) and marked. What only this replica holds is
 * looked through when all is in: if the peer's vector reaches it, the peer had it and has collected
 * what came after it, so it is dropped; else it is kept, and written anew where it would stand at
 * or below something that was collected.
 */
#include "deltamap/internal.h"

/* One mark for each reconciliation; when they are used up, all are wiped. */
void reconcile_begin(struct map *map)
{
	struct store *s = &map->store;
	map->join_bucket = 0;
	map->join_dropped = map->join_lifted = 0;
	if (++map->mark != 0)
		return;
	map->mark = 1;
	for (uint32_t i = 0; i < s->actor_count; i++)
		for (record_ref ref = order_newest(s, &s->actors[s->actor_order[i]]); ref != 0;
			ref = order_older(s, ref))
			store_at(s, ref)->mark = 0;
}

static bool reaches(const struct version_vector *vv, struct dot dot)
{
	return vv_reach(vv_get(vv, dot.actor)) >= dot.seq;
}

/* False: it must be written anew, and there is no room. */
static bool join_record(struct map *map, record_ref ref, const struct version_vector *theirs)
{
	struct store *s = &map->store;
	const struct record *r = store_at(s, ref);
	if (r->mark == map->mark)
		return true;
	if (reaches(theirs, record_dot(r)) ||
		(reaches(theirs, record_author(r)) && !MAP_MUTANT(NO_AUTHOR_DOT))) {
		if (MAP_MUTANT(RECONCILE_NO_DROP))
			return true;
		map->join_dropped++;
		map->counters.reconcile_dropped++;
		if (!(r->flags & WIRE_RECORD_TOMBSTONE))
			map_changed(
				map, r, map_key_hash(map, record_key(r), r->key_len), false, true);
		store_remove(s, ref);
		return true;
	}
	if (r->clock <= map_floor(map) && !MAP_MUTANT(RECONCILE_NO_LIFT))
		return map_lift(map, ref);
	return true;
}

bool reconcile_join(struct map *map, const struct version_vector *theirs)
{
	struct store *s = &map->store;
	/* One that was given up half-way leaves it odd, for the next one to end. */
	if (map_joins_reader(map) % 2 == 0)
		atomic_fetch_add_explicit(&map->joins, 1, memory_order_acq_rel);
	for (uint32_t n = 0; n < BUCKETS_PER_TICK && map->join_bucket <= s->index.mask; n++) {
		struct index_walk w = index_walk(&s->index, map->join_bucket);
		for (record_ref ref; (ref = index_next(&s->arena, &w)) != 0;)
			if (!join_record(map, ref, theirs))
				return false; /* what is retired will be free */
		map->join_bucket++;
	}
	return map->join_bucket > s->index.mask;
}
