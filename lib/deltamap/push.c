#include <assert.h>
#include <string.h>

#include "deltamap/internal.h"

/* A full queue leaves the write to pull: the hole is seen with the next packet that says last_seq.
 */
void push_write(struct map *map, uint64_t now_ns, record_ref ref)
{
	if (map->peer_count == 0)
		return;
	if (map->push_head - map->push_tail == PUSH_QUEUE_MAX) {
		map->counters.pushes_skipped++;
		return;
	}
	struct wire_record w;
	map_record_to_wire(store_at(&map->store, ref), &w);
	store_pin(&map->store, ref);
	if (map->push_head == map->push_tail)
		map->push_due_ns = now_ns + map->config.push_flush_ns;
	map->push_queue[map->push_head++ % PUSH_QUEUE_MAX] = ref;
	map->push_bytes += (uint32_t)wire_record_len(&w);
}

/* One packet of the queued writes, in order of seq. */
static void encode_job(struct map *map)
{
	struct push_job *job = &map->jobs[map->job_head % PUSH_JOBS_MAX];
	struct sw_writer w = sw_writer_init(job->bytes, sizeof(job->bytes));
	while (map->push_tail != map->push_head) {
		record_ref ref = map->push_queue[map->push_tail % PUSH_QUEUE_MAX];
		struct wire_record record;
		map_record_to_wire(store_at(&map->store, ref), &record);
		size_t len = wire_record_len(&record);
		if (len > sw_writer_left(&w))
			break;
		wire_put_record(&w, &record);
		map->push_bytes -= (uint32_t)len;
		map->push_tail++;
		store_unpin(&map->store, ref);
	}
	job->len = (uint16_t)(w.at - job->bytes);
	job->next = 0;
	job->end = (uint16_t)map->peer_count;
	assert(job->len > 0);
	map->job_head++;
}

void push_tick(struct map *map, uint64_t now_ns)
{
	while (map->push_tail != map->push_head && map->job_head - map->job_tail < PUSH_JOBS_MAX &&
		(now_ns >= map->push_due_ns || map->push_bytes >= WIRE_MESSAGES_MAX))
		encode_job(map);
}

bool push_output(struct map *map, struct sw_writer *w, uint64_t *to_id, struct sw_endpoint *to)
{
	while (map->job_tail != map->job_head) {
		struct push_job *job = &map->jobs[map->job_tail % PUSH_JOBS_MAX];
		if (job->next >= job->end || job->next >= map->peer_count) {
			map->job_tail++;
			continue;
		}
		const struct peer *p = &map->peers[job->next++];
		sw_put_bytes(w, job->bytes, job->len);
		*to_id = p->actor.id;
		*to = p->at;
		map->counters.pushes++;
		return true;
	}
	return false;
}

void push_input(struct map *map, const struct wire_header *header, const struct wire_record *record)
{
	(void)header;
	struct store *s = &map->store;
	if (!map_ready(map) && !MAP_MUTANT(NO_FIRST_SESSION)) {
		map->counters.refused_starting++;
		return;
	}
	switch (map_merge_record(map, record, MERGE_PUSH)) {
	case MERGE_NEW:
	case MERGE_OLDER: break;
	case MERGE_COLLECTED: map->counters.refused_floor++; return;
	default: return;
	}
	uint16_t slot = store_actor(s, record->dot.actor, true);
	if (slot == NO_ACTOR) {
		map->counters.refused_actors++;
		return;
	}
	uint64_t seq = store_seq(s, slot);
	if (vv_is_closed(seq))
		return;
	if (seq + 1 == record->dot.seq || MAP_MUTANT(PUSH_OVER_GAP))
		store_raise(s, slot, record->dot.seq);
	else if (seq < record->dot.seq)
		map->counters.gaps++;
}
