/* Taking the snapshot of a session that is served, and giving it back.
 *
 * A map of 100,000 records takes some 20 ms to walk. So the keeper does a bounded piece of it in a
 * turn, and between two pieces merges, writes and sends as ever. The snapshot is nevertheless that
 * of one moment: the vectors are taken at its beginning, and a record that is replaced before its
 * turn is kept for it (store.h). One session is gathered at a time, the others wait for theirs.
 *
 * The walk goes from new to old. Packets are cut as it goes and go out from the last one to the
 * first, so that the asker gets each actor's records in order of seq.
 */
#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

bool gather_is_free(const struct map *map, const struct serving *sv)
{
	return !sv->open && sv->ref_count == 0 && map->gathering != sv;
}

static void give_back(struct map *map, struct serving *sv, uint32_t *budget)
{
	for (; sv->ref_count > 0 && *budget > 0; --*budget)
		store_unpin(&map->store, sv->refs[--sv->ref_count]);
	if (gather_is_free(map, sv))
		map->serving_count--;
}

/* The record's place in the last packet, or in a new one. False: there are more than fit, since
 * some came late: see order_gather_next(). */
static bool take(struct map *map, struct serving *sv, record_ref ref)
{
	struct wire_record w;
	map_record_to_wire(store_at(&map->store, ref), &w);
	uint32_t len = (uint32_t)wire_record_len(&w);
	if (sv->ref_count == map->config.records_max)
		return false;
	if (len > sv->room) {
		assert(sv->data_packets + 1 < sv->starts_max);
		sv->starts[sv->data_packets++] = sv->ref_count;
		sv->room = sv->packet_room - SESSION_HEAD;
	}
	sv->room -= len;
	sv->refs[sv->ref_count++] = ref;
	return true;
}

static uint32_t packets_of(const struct version_vector *vv)
{
	return (vv->count + VECTOR_PER_PACKET - 1) / VECTOR_PER_PACKET;
}

/* The vectors go first: by them the asker tells whether it may take the rest. */
static void end(struct map *map, struct serving *sv)
{
	map->gathering = NULL;
	sv->starts[sv->data_packets] = sv->ref_count;
	sv->vector_packets = packets_of(&sv->vector);
	if (sv->vector_packets == 0)
		sv->vector_packets = 1;
	sv->heads = sv->vector_packets + packets_of(&sv->collected);
	sv->packets = sv->heads + sv->data_packets;
	if (sv->open)
		serve_gathered(sv);
	else
		give_back(map, sv, &(uint32_t){0});
}

/* The asker has gone, or the records are too many: what is left must still be looked at, for the
 * dead that wait in it. */
static void drop(struct map *map, struct serving *sv, record_ref ref)
{
	store_unpin(&map->store, ref);
	if (!sv->open)
		return;
	sv->open = false;
	map->counters.sessions_expired++;
}

static void gather_delta(struct map *map, struct serving *sv, uint32_t *budget)
{
	for (; *budget > 0; --*budget) {
		record_ref ref = order_gather_next(&map->store);
		if (ref == 0) {
			end(map, sv);
			return;
		}
		if (!sv->open || !take(map, sv, ref))
			drop(map, sv, ref);
	}
}

static bool take_bucket(struct map *map, struct serving *sv, uint32_t bucket, uint32_t *budget)
{
	struct index_walk w = index_walk(&map->store.index, bucket);
	for (record_ref ref; (ref = index_next(&map->store.arena, &w)) != 0;) {
		store_pin(&map->store, ref);
		if (!take(map, sv, ref)) {
			drop(map, sv, ref);
			return false;
		}
		*budget -= *budget > 0;
	}
	return true;
}

/* The parts of the map whose hashes differ from the asker's. It joins no vector after it, so the
 * records need not be those of one moment. */
static void gather_repair(struct map *map, struct serving *sv, uint32_t *budget)
{
	struct store *s = &map->store;
	for (uint32_t n = 0; *budget > 0 && n < BUCKETS_PER_TICK; n++) {
		uint32_t b = sv->next_bucket++, part = b % WIRE_BUCKETS_COUNT;
		if (b > s->index.mask || !sv->open) {
			end(map, sv);
			return;
		}
		if (map->repairing[part] != s->bucket_sums[part])
			(void)take_bucket(map, sv, b, budget);
	}
}

/* `vector` is the asker's, and becomes this replica's. */
static void begin(struct map *map, struct serving *sv)
{
	map->gathering = sv;
	sv->waiting = false;
	sv->snapshot = map->next_snapshot++;
	if (!sv->repair)
		order_gather_begin(&map->store, sv->full ? NULL : &sv->vector);
	map_vector_owner(map, &sv->vector);
	vv_clear(&sv->collected);
	if (sv->full)
		collect_vector(map, &sv->collected);
}

/* While it waited, a tombstone was collected that the asker has not seen: a delta would not hold
 * it, and its vector would say that it did. Asking again, it is told to reconcile. */
static bool is_overtaken(const struct map *map, const struct serving *sv)
{
	return !sv->full && !sv->repair && !collect_is_covered_by(map, &sv->vector) &&
	       !MAP_MUTANT(NO_RECONCILE);
}

static void begin_next(struct map *map)
{
	for (int i = 0; map->gathering == NULL && i < MAP_SESSIONS_MAX; i++) {
		struct serving *sv = &map->serving[i];
		if (!sv->waiting)
			continue;
		if (is_overtaken(map, sv)) {
			gather_close(map, sv);
			map->counters.sessions_expired++;
		} else {
			begin(map, sv);
		}
	}
}

static void gather(struct map *map, uint32_t *budget)
{
	begin_next(map);
	if (map->gathering == NULL)
		return;
	if (map->gathering->repair)
		gather_repair(map, map->gathering, budget);
	else
		gather_delta(map, map->gathering, budget);
}

void gather_want(struct map *map, struct serving *sv)
{
	uint32_t budget = GATHER_PER_TICK;
	sv->waiting = true;
	sv->ref_count = sv->data_packets = sv->room = sv->packets = sv->heads = 0;
	sv->next_bucket = 0;
	sv->pending_head = sv->pending_tail = 0;
	if (map->gathering == NULL)
		gather(map, &budget);
}

void gather_close(struct map *map, struct serving *sv)
{
	uint32_t budget = GATHER_PER_TICK;
	sv->open = sv->waiting = false;
	if (map->gathering != sv)
		give_back(map, sv, &budget);
}

void gather_end_all(struct map *map)
{
	uint32_t all = UINT32_MAX;
	for (int i = 0; i < MAP_SESSIONS_MAX; i++)
		map->serving[i].open = map->serving[i].waiting = false;
	while (map->gathering != NULL)
		gather(map, &all);
	for (int i = 0; i < MAP_SESSIONS_MAX; i++)
		if (map->serving[i].ref_count > 0)
			give_back(map, &map->serving[i], &all);
	map->serving_count = 0;
}

bool gather_has_work(const struct map *map)
{
	if (map->serving_count == 0)
		return false;
	bool work = map->gathering != NULL;
	for (int i = 0; i < MAP_SESSIONS_MAX; i++)
		work |= map->serving[i].waiting ||
			(!map->serving[i].open && map->serving[i].ref_count > 0);
	return work;
}

void gather_tick(struct map *map)
{
	uint32_t budget = GATHER_PER_TICK;
	if (map->serving_count == 0)
		return;
	for (int i = 0; i < MAP_SESSIONS_MAX && budget > 0; i++) {
		struct serving *sv = &map->serving[i];
		if (!sv->open && map->gathering != sv && sv->ref_count > 0)
			give_back(map, sv, &budget);
	}
	if (budget > 0)
		gather(map, &budget);
}
