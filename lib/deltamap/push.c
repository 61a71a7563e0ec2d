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

static uint32_t fanout(const struct map *map)
{
	uint32_t k = map->config.push_fanout != 0 ? map->config.push_fanout : 4;
	return k < PUSH_FANOUT_MAX ? k : PUSH_FANOUT_MAX;
}

/* Packets of queued jobs that are still to be sent. */
static uint32_t backlog(const struct map *map)
{
	uint32_t n = 0;
	for (uint32_t j = map->job_tail; j != map->job_head; j++) {
		const struct push_job *job = &map->jobs[j % PUSH_JOBS_MAX];
		n += job->end - job->next;
	}
	return n;
}

static bool goes_by_epidemic(const struct map *map)
{
	if (map->config.push != MAP_PUSH_BY_BUDGET)
		return map->config.push == MAP_PUSH_EPIDEMIC;
	uint64_t allowed =
		(uint64_t)map->config.packets_per_s_max * (BUDGET_DEPTH_NS / 2) / SW_NS_PER_S;
	return map->peer_count > fanout(map) && backlog(map) + map->peer_count > allowed;
}

/* As many as it takes to reach everybody if nobody is reached twice, and one more. */
static uint8_t hops_needed(const struct map *map)
{
	uint32_t reached = 1, k = fanout(map) > 1 ? fanout(map) : 2;
	uint8_t hops = 1;
	for (; reached < map->peer_count && hops < 16; hops++)
		reached *= k;
	return hops;
}

/* A few peers at random, none twice. */
static void choose_targets(struct map *map, struct push_job *job)
{
	uint32_t want = fanout(map) < map->peer_count ? fanout(map) : map->peer_count;
	job->end = 0;
	for (uint32_t tries = 0; job->end < want && tries < 8 * PUSH_FANOUT_MAX; tries++) {
		uint16_t peer = (uint16_t)sw_random_below(&map->random, map->peer_count);
		bool twice = false;
		for (uint32_t i = 0; i < job->end; i++)
			twice |= job->targets[i] == peer;
		if (!twice)
			job->targets[job->end++] = peer;
	}
}

static void address(struct map *map, struct push_job *job, bool epidemic)
{
	job->next = 0;
	job->epidemic = epidemic;
	memset(job->had, 0, sizeof(job->had));
	if (epidemic)
		choose_targets(map, job);
	else
		job->end = (uint16_t)map->peer_count;
	map->job_head++;
}

/* One packet of the queued writes, in order of seq. */
static void encode_job(struct map *map)
{
	struct push_job *job = &map->jobs[map->job_head % PUSH_JOBS_MAX];
	struct sw_writer w = sw_writer_init(job->bytes, sizeof(job->bytes));
	bool epidemic = goes_by_epidemic(map);
	if (epidemic)
		wire_put_relay(&w, hops_needed(map));
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
	assert(job->len > 0);
	address(map, job, epidemic);
}

void push_tick(struct map *map, uint64_t now_ns)
{
	while (map->push_tail != map->push_head && map->job_head - map->job_tail < PUSH_JOBS_MAX &&
		(now_ns >= map->push_due_ns || map->push_bytes >= WIRE_MESSAGES_MAX))
		encode_job(map);
}

void push_relay(struct map *map, uint8_t hops, const uint8_t *records, size_t len)
{
	struct push_job *job = &map->jobs[map->job_head % PUSH_JOBS_MAX];
	struct sw_writer w = sw_writer_init(job->bytes, sizeof(job->bytes));
	if (hops == 0 || map->peer_count == 0)
		return;
	if (map->job_head - map->job_tail == PUSH_JOBS_MAX) {
		map->counters.pushes_skipped++;
		return;
	}
	wire_put_relay(&w, hops);
	if (len > sw_writer_left(&w))
		return; /* nobody sends so full a packet */
	sw_put_bytes(&w, records, len);
	job->len = (uint16_t)(w.at - job->bytes);
	map->counters.relayed++;
	address(map, job, true);
}

/* Later ones to the same peer ride along where its path carries more than one packet's worth. */
static void put_later(struct map *map, uint32_t peer, struct sw_writer *w, size_t room)
{
	const uint8_t *begin = w->at;
	for (uint32_t j = map->job_tail + 1; j != map->job_head; j++) {
		struct push_job *later = &map->jobs[j % PUSH_JOBS_MAX];
		bool wanted = !later->epidemic && peer >= later->next && peer < later->end &&
			      (later->had[peer / 64] >> (peer % 64) & 1) == 0;
		if (!wanted)
			continue;
		if ((size_t)(w->at - begin) + later->len > room)
			return; /* in order: what is behind it waits, too */
		sw_put_bytes(w, later->bytes, later->len);
		later->had[peer / 64] |= 1ull << (peer % 64);
		map->counters.pushes_joined++;
	}
}

bool push_output(struct map *map, struct sw_writer *w, uint64_t *to_id, struct sw_endpoint *to)
{
	while (map->job_tail != map->job_head) {
		struct push_job *job = &map->jobs[map->job_tail % PUSH_JOBS_MAX];
		uint32_t at = job->next;
		if (at < job->end && job->epidemic)
			at = job->targets[at];
		if (job->next >= job->end) {
			map->job_tail++;
			continue;
		}
		job->next++;
		if (at >= map->peer_count || (job->had[at / 64] >> (at % 64) & 1) != 0)
			continue;
		const struct peer *p = &map->peers[at];
		sw_put_bytes(w, job->bytes, job->len);
		if (!job->epidemic && p->room > WIRE_MESSAGES_MAX)
			put_later(map, at, w, p->room - job->len);
		*to_id = p->actor.id;
		*to = p->at;
		map->counters.pushes++;
		return true;
	}
	return false;
}

bool push_input(struct map *map, const struct wire_record *record, uint64_t hash)
{
	struct store *s = &map->store;
	if (!map_ready(map) && !MAP_MUTANT(NO_FIRST_SESSION)) {
		map->counters.refused_starting++;
		return false;
	}
	enum merge_result result = map_merge_record(map, record, hash, MERGE_PUSH);
	map->counters.refused_floor += result == MERGE_COLLECTED;
	if (result > MERGE_OLDER)
		return false;
	uint16_t slot = store_actor(s, record->dot.actor, true);
	if (slot == NO_ACTOR) {
		map->counters.refused_actors++;
		return false;
	}
	uint64_t seq = store_seq(s, slot);
	if (vv_is_closed(seq))
		return result == MERGE_NEW;
	if (seq + 1 == record->dot.seq || MAP_MUTANT(PUSH_OVER_GAP))
		store_raise(s, slot, record->dot.seq);
	else if (seq < record->dot.seq)
		map->counters.gaps++;
	return result == MERGE_NEW;
}
