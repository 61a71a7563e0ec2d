#include <errno.h>

#include "deltamap/internal.h"

int map_restore_record_owner(struct map *map, const struct wire_record *record)
{
	switch (map_merge_record(
		map, record, map_key_hash(map, record->key, record->key_len), MERGE_REPAIR)) {
	case MERGE_NEW:
	case MERGE_OLDER:
	case MERGE_COLLECTED: return 0;
	case MERGE_FULL:
	case MERGE_ACTORS: return -ENOSPC;
	case MERGE_REFUSED: break;
	}
	return -EINVAL;
}

int map_restore_end_owner(struct map *map, const struct version_vector *vv,
	const struct version_vector *collected, uint64_t floor)
{
	if (floor > MAP_CLOCK_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < vv->count; i++)
		if (store_actor(&map->store, vv->entries[i].actor, true) == NO_ACTOR)
			return -ENOSPC;
	/* Nothing that is held lies beyond a cap of this vector, but who wrote the file may have
	 * been closed itself: it is this server's earlier life. */
	if (!closing_learn(map, vv))
		return -ENOSPC;
	for (uint32_t i = 0; i < vv->count; i++) {
		uint16_t slot = store_actor(&map->store, vv->entries[i].actor, true);
		if (slot == NO_ACTOR)
			return -ENOSPC;
		store_raise(&map->store, slot, vv->entries[i].seq);
	}
	for (uint32_t i = 0; i < collected->count; i++) {
		uint16_t slot = store_actor(&map->store, collected->entries[i].actor, true);
		if (slot == NO_ACTOR)
			return -ENOSPC;
		map->store.actors[slot].collected = vv_reach(collected->entries[i].seq);
	}
	if (floor > map_floor(map))
		atomic_store_explicit(&map->floor, floor, memory_order_release);
	atomic_store_explicit(
		&map->last_seq, store_seq(&map->store, map->self_slot), memory_order_release);
	atomic_store_explicit(&map->ready, true, memory_order_release);
	return 0;
}

void map_restore_none_owner(struct map *map)
{
	gather_end_all(map);
	store_clear(&map->store);
	atomic_store_explicit(&map->floor, 0, memory_order_release);
	atomic_store_explicit(&map->ready, false, memory_order_release);
}
