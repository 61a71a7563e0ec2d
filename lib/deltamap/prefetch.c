#include "deltamap/internal.h"

/* The records of a packet lie anywhere in memory: one by one, each would wait for several cache
 * misses in turn. So the misses of a group of packets run side by side, in steps of which each
 * needs what the last one fetched, and between which the group before is merged. Nothing is
 * changed, and what merging has moved meanwhile was fetched in vain. */

static bool decode(const struct map *map, struct sw_reader *payload, struct ahead_record *to)
{
	to->payload = payload->at;
	if (!wire_get_record(payload, &to->record))
		return false;
	to->hash = map_key_hash(map, to->record.key, to->record.key_len);
	return true;
}

static void take_records(
	const struct map *map, struct ahead *a, struct arena_look *look, struct sw_reader messages)
{
	struct wire_message m;
	while (a->count < AHEAD_MAX && wire_next(&messages, &m)) {
		struct ahead_record *next = &a->records[a->count];
		if (m.type != WIRE_RECORD || !decode(map, &m.payload, next))
			continue;
		store_prefetch_bucket(&map->store, next->hash);
		const struct wire_record *r = &next->record;
		arena_prefetch(
			&map->store.arena, look, record_len(r->flags, r->key_len, r->value_len));
		a->count++;
	}
}

/* They come in the order in which they were fetched, but for those of packets that are not taken.
 */
const struct ahead_record *ahead_record(
	struct map *map, struct sw_reader *payload, struct ahead_record *room)
{
	struct ahead *a = &map->ahead[!map->ahead_now];
	for (uint32_t i = a->taken; i < a->count; i++) {
		if (a->records[i].payload != payload->at)
			continue;
		a->taken = i + 1;
		return &a->records[i];
	}
	return decode(map, payload, room) ? room : NULL;
}

static void fetch_records(const struct store *s, struct ahead *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		struct ahead_record *r = &a->records[i];
		r->ref = index_guess(&s->index, r->hash);
		store_prefetch_key(s, r->ref, r->record.key_len);
	}
}

static void fetch_places(const struct store *s, const struct ahead *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		store_prefetch_place(s, a->records[i].ref);
}

void map_ahead_owner(struct map *map, const struct sw_reader *packets, uint32_t packet_count)
{
	/* The last group's records are merged before these. */
	struct arena_look look = {.skip = map->ahead[map->ahead_now].count};
	map->ahead_now = !map->ahead_now;
	struct ahead *a = &map->ahead[map->ahead_now];
	a->count = a->step = a->taken = 0;
	for (uint32_t i = 0; i < packet_count; i++)
		take_records(map, a, &look, packets[i]);
}

void map_ahead_step_owner(struct map *map)
{
	struct ahead *a = &map->ahead[map->ahead_now];
	switch (a->step++) {
	case 0: fetch_records(&map->store, a); return;
	case 1: fetch_places(&map->store, a); return;
	default: return;
	}
}
