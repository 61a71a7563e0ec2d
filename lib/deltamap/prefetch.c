#include "deltamap/internal.h"

/* The records of a packet lie anywhere in memory: one by one, each would wait for several cache
 * misses in turn. So the misses of a group of packets run side by side, in steps of which each
 * needs what the last one fetched, and between which the group before is merged. Nothing is
 * changed, and what merging has moved meanwhile was fetched in vain. */

static void take_records(
	const struct map *map, struct ahead *a, uint32_t before, struct sw_reader messages)
{
	struct wire_message m;
	struct wire_record r;
	while (a->count < AHEAD_MAX && wire_next(&messages, &m)) {
		if (m.type != WIRE_RECORD || !wire_get_record(&m.payload, &r))
			continue;
		struct ahead_record *next = &a->records[a->count];
		next->key = r.key;
		next->key_len = r.key_len;
		next->hash = map_key_hash(map, r.key, r.key_len);
		store_prefetch_bucket(&map->store, next->hash);
		store_prefetch_room(
			&map->store, before + a->count++, (size_t)r.key_len + r.value_len);
	}
}

static void fetch_heads(const struct store *s, struct ahead *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		a->records[i].ref = store_head(s, a->records[i].hash);
		store_prefetch_record(s, a->records[i].ref);
	}
}

/* The record itself, where it is not the first of its chain. */
static void fetch_found(const struct store *s, struct ahead *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		struct ahead_record *r = &a->records[i];
		record_ref found = store_find_from(s, r->ref, r->key, r->key_len);
		if (found != r->ref)
			store_prefetch_record(s, found);
		r->ref = found;
	}
}

static void fetch_neighbours(const struct store *s, const struct ahead *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->records[i].ref != 0)
			store_prefetch_neighbours(s, a->records[i].ref);
}

void map_ahead_owner(struct map *map, const struct sw_reader *packets, uint32_t packet_count)
{
	uint32_t before = map->ahead.count; /* records of the last group: merged after this */
	map->ahead.count = 0;
	map->ahead.step = 0;
	for (uint32_t i = 0; i < packet_count; i++)
		take_records(map, &map->ahead, before, packets[i]);
}

void map_ahead_step_owner(struct map *map)
{
	switch (map->ahead.step++) {
	case 0: fetch_heads(&map->store, &map->ahead); return;
	case 1: fetch_found(&map->store, &map->ahead); return;
	case 2: fetch_neighbours(&map->store, &map->ahead); return;
	default: return;
	}
}
