#include "deltamap/internal.h"

/* As many records as four full packets of 100-byte values; what they touch still fits the first
 * cache. */
enum { RECORDS_AHEAD = 32 };

struct ahead {
	uint32_t count;
	struct {
		const uint8_t *key;
		size_t key_len;
		uint64_t hash;
		record_ref head;
	} records[RECORDS_AHEAD];
};

static void take_records(const struct map *map, struct ahead *a, struct sw_reader messages)
{
	struct wire_message m;
	struct wire_record r;
	while (a->count < RECORDS_AHEAD && wire_next(&messages, &m)) {
		if (m.type != WIRE_RECORD || !wire_get_record(&m.payload, &r))
			continue;
		uint64_t hash = map_key_hash(map, r.key, r.key_len);
		store_prefetch_bucket(&map->store, hash);
		store_prefetch_room(&map->store, a->count, (size_t)r.key_len + r.value_len);
		a->records[a->count].key = r.key;
		a->records[a->count].key_len = r.key_len;
		a->records[a->count++].hash = hash;
	}
}

void map_prefetch_owner(
	const struct map *map, const struct sw_reader *packets, uint32_t packet_count)
{
	const struct store *s = &map->store;
	struct ahead a;
	a.count = 0;
	for (uint32_t i = 0; i < packet_count; i++)
		take_records(map, &a, packets[i]);
	for (uint32_t i = 0; i < a.count; i++) {
		a.records[i].head = store_head(s, a.records[i].hash);
		store_prefetch_record(s, a.records[i].head);
	}
	for (uint32_t i = 0; i < a.count; i++) {
		record_ref found = store_find_from(
			s, a.records[i].head, a.records[i].key, a.records[i].key_len);
		if (found != 0)
			store_prefetch_neighbours(s, found);
	}
}
