#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

uint64_t map_get_bulk_reader(
	const struct map *map, const struct map_key *keys, uint32_t count, struct map_found *found)
{
	const struct store *s = &map->store;
	uint64_t hashes[MAP_BULK_MAX], hits = 0;
	record_ref heads[MAP_BULK_MAX];
	assert(count <= MAP_BULK_MAX);
	for (uint32_t i = 0; i < count; i++) {
		hashes[i] = map_key_hash(map, keys[i].bytes, keys[i].len);
		store_prefetch_bucket(s, hashes[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		heads[i] = store_head(s, hashes[i]);
		store_prefetch_key(s, heads[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		record_ref ref = store_find_from(s, heads[i], keys[i].bytes, keys[i].len);
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

void map_view_reader(const struct record *record, struct map_view *view)
{
	store_view(record, view);
}
