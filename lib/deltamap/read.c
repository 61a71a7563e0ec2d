#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

uint64_t map_get_bulk_reader(
	const struct map *map, const struct map_key *keys, uint32_t count, struct map_found *found)
{
	const struct store *s = &map->store;
	uint64_t hashes[MAP_BULK_MAX], hits = 0;
	assert(count <= MAP_BULK_MAX);
	for (uint32_t i = 0; i < count; i++) {
		hashes[i] = map_key_hash(map, keys[i].bytes, keys[i].len);
		store_prefetch_bucket(s, hashes[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		record_ref guess = index_guess(&s->index, hashes[i]);
		store_prefetch_key(s, guess, keys[i].len);
	}
	for (uint32_t i = 0; i < count; i++) {
		record_ref ref = store_find(s, hashes[i], keys[i].bytes, keys[i].len);
		if (ref == 0)
			continue;
		const struct record *r = store_at(s, ref);
		found[i] = (struct map_found){.value = record_value(r),
			.record = r,
			.value_len = r->value_len,
			.tombstone = (r->flags & WIRE_RECORD_TOMBSTONE) != 0};
		hits |= 1ULL << i;
	}
	return hits;
}

void map_view_reader(const struct map *map, const struct record *record, struct map_view *view)
{
	uint64_t hash = map_key_hash(map, record_key(record), record->key_len);
	store_view(record, hash, view);
}
