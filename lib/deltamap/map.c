#include "deltamap/deltamap.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "deltamap/internal.h"
#include "rendezvous/rendezvous.h"

/* A packet ends where the next record does not fit: two in a row carry more than one can. All that
 * there may be to send takes less on the wire than in memory. */
static uint32_t starts_needed(const struct map *map)
{
	uint64_t packets = 2 * map->config.bytes_max / (WIRE_MESSAGES_MAX - SESSION_HEAD) + 1;
	return (uint32_t)sw_min_u64(packets, map->config.records_max) + 1;
}

static int allocate(struct map *map)
{
	struct blocks *blocks = &map->blocks;
	uint32_t n = map->config.records_max;
	/* A packet for each record is the most that a session can have. */
	map->got_words = (n + SW_ACTORS_MAX) / 64 + 1;
	map->pulling.got = blocks_take(blocks, map->got_words * sizeof(uint64_t));
	if (map->pulling.got == NULL ||
		store_init(&map->store, blocks, map->config.cluster_seed, n,
			map->config.bytes_max) < 0 ||
		report_init(map, blocks) < 0)
		return -ENOMEM;
	uint32_t starts = starts_needed(map);
	for (int i = 0; i < MAP_SESSIONS_MAX; i++) {
		map->serving[i].refs = blocks_take(blocks, (n + 1) * sizeof(record_ref));
		map->serving[i].starts = blocks_take(blocks, (size_t)starts * sizeof(uint32_t));
		map->serving[i].starts_max = starts;
		if (map->serving[i].refs == NULL || map->serving[i].starts == NULL)
			return -ENOMEM;
	}
	return 0;
}

struct map *map_create(const struct map_config *config, uint64_t now_ns)
{
	struct blocks blocks;
	blocks_init(&blocks, &config->memory);
	struct map *map = blocks_take_zeroed(&blocks, sizeof(*map));
	if (map == NULL)
		return NULL;
	map->blocks = blocks;
	map->config = *config;
	if (map->config.unknown_after_ns == 0)
		map->config.unknown_after_ns = 3600 * SW_NS_PER_S;
	map->random = sw_random_seed(config->random_seed);
	map->next_snapshot = (uint32_t)sw_random_u64(&map->random);
	map->quiet_since_ns = now_ns;
	map->next_pull_ns = now_ns;
	if (allocate(map) < 0) {
		map_destroy(map);
		return NULL;
	}
	map_self_owner(map, config->self);
	return map;
}

void map_destroy(struct map *map)
{
	if (map != NULL)
		blocks_give_all(&map->blocks);
}

void map_self_owner(struct map *map, struct actor self)
{
	map->self = self;
	/* A vector full of others leaves no room for this life: the map is kept, and takes no local
	 * write. */
	map->self_slot = store_actor(&map->store, self, true);
	atomic_store_explicit(
		&map->last_seq, store_seq(&map->store, map->self_slot), memory_order_release);
}

int map_put_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, const void *value, size_t value_len, struct dot *dot)
{
	int error;
	record_ref ref =
		map_write_local(map, wall_ms, key, key_len, value, value_len, WRITE_PUT, &error);
	if (ref == 0)
		return error;
	*dot = record_dot(store_at(&map->store, ref));
	map->counters.puts++;
	push_write(map, now_ns, ref);
	return 0;
}

static int write_tombstone(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, enum local_write kind, struct dot *dot)
{
	int error;
	record_ref ref = map_write_local(map, wall_ms, key, key_len, NULL, 0, kind, &error);
	if (ref == 0)
		return error;
	*dot = record_dot(store_at(&map->store, ref));
	map->counters.deletes++;
	push_write(map, now_ns, ref);
	if (MAP_MUTANT(NO_TOMBSTONE))
		store_remove(&map->store, ref);
	return 0;
}

int map_del_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, struct dot *dot)
{
	return write_tombstone(map, now_ns, wall_ms, key, key_len, WRITE_DELETE, dot);
}

int map_retire_owner(struct map *map, uint64_t now_ns, uint64_t wall_ms, const void *key,
	size_t key_len, struct dot *dot)
{
	return write_tombstone(map, now_ns, wall_ms, key, key_len, WRITE_RETIRE, dot);
}

/* ---- packets in ---- */

static bool input_version(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *m, struct sw_reader *messages)
{
	struct wire_version_req req;
	struct vv_entry entry;
	bool has_buckets = false;
	if (!wire_get_version_req(&m->payload, &req))
		return false;
	vv_clear(&map->scratch);
	while (wire_next(messages, m)) {
		if (m->type == WIRE_BUCKETS && !wire_get_buckets(&m->payload, map->buckets))
			return false;
		has_buckets |= m->type == WIRE_BUCKETS;
		if (m->type != WIRE_VECTOR)
			continue;
		while (wire_next_vector_entry(&m->payload, &entry))
			if (vv_raise(&map->scratch, entry.actor, entry.seq) < 0)
				return false;
		if (m->payload.failed)
			return false;
	}
	if (messages->failed || (req.repair && !has_buckets))
		return false;
	serve_version(map, now_ns, header, from, &req, &map->scratch);
	return true;
}

/* Of a packet that says that its records are to be passed on. */
struct relay {
	uint8_t hops;
	bool news;
	const uint8_t *records;
};

static bool input_one(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct sw_endpoint *from, struct wire_message *m, struct sw_reader *messages,
	struct relay *relay)
{
	struct ahead_record room;
	const struct ahead_record *known;
	struct wire_session_data data;
	struct wire_session_get get;
	struct wire_session_refuse refusal;
	uint64_t nonce;
	switch (m->type) {
	case WIRE_RECORD:
		known = ahead_record(map, &m->payload, &room);
		if (known == NULL)
			return false;
		relay->news |= push_input(map, &known->record, known->hash);
		return true;
	case WIRE_RELAY:
		relay->records = messages->at;
		return wire_get_relay(&m->payload, &relay->hops);
	case WIRE_VERSION_REQ: return input_version(map, now_ns, header, from, m, messages);
	case WIRE_SESSION_DATA:
		if (!wire_get_session_data(&m->payload, &data))
			return false;
		/* What follows belongs to the session, and is not a push. */
		pull_data(map, now_ns, header, &data, messages);
		messages->at = messages->end;
		return true;
	case WIRE_SESSION_GET:
		if (!wire_get_session_get(&m->payload, &get))
			return false;
		serve_get(map, now_ns, header, from, &get);
		return true;
	case WIRE_SESSION_DONE:
		if (!wire_get_session_done(&m->payload, &nonce))
			return false;
		serve_done(map, header, nonce);
		return true;
	case WIRE_SESSION_REFUSE:
		if (!wire_get_session_refuse(&m->payload, &refusal))
			return false;
		pull_refused(map, now_ns, header, &refusal);
		return true;
	default: return true;
	}
}

void map_input_owner(struct map *map, uint64_t now_ns, const struct wire_header *header,
	const struct wire_prelude *prelude, const struct sw_endpoint *from,
	struct sw_reader *messages)
{
	if (header->sender.id == map->self.id ||
		(member_is_over(map, header->sender) && !MAP_MUTANT(NO_FENCE))) {
		map->counters.refused_fenced++;
		return;
	}
	if (prelude->floor > MAP_CLOCK_MAX) {
		map->counters.malformed++;
		return;
	}
	map->input_floor = prelude->floor;
	if (prelude->floor > map_floor(map) && !MAP_MUTANT(NO_FLOOR_IN_HEADERS))
		atomic_store_explicit(&map->floor, prelude->floor, memory_order_release);
	struct wire_message m;
	struct relay relay = {.hops = 0};
	while (wire_next(messages, &m)) {
		if (!input_one(map, now_ns, header, from, &m, messages, &relay)) {
			map->counters.malformed++;
			return;
		}
	}
	map->counters.malformed += messages->failed;
	if (relay.hops > 0 && relay.news && !messages->failed)
		push_relay(map, relay.hops - 1, relay.records,
			(size_t)(messages->end - relay.records));
	if (prelude->last_seq > map_seq_reader(map, header->sender))
		pull_soon(map, now_ns, header->sender.id);
}

void map_hint_owner(struct map *map, uint64_t now_ns, uint64_t server_id)
{
	pull_soon(map, now_ns, server_id);
}

/* ---- time and packets out ---- */

void map_tick_owner(struct map *map, uint64_t now_ns)
{
	push_tick(map, now_ns);
	members_tick(map, now_ns);
	report_tick(map, now_ns);
	collect_tick(map, now_ns);
	horizon_tick(map, now_ns);
	pull_tick(map, now_ns);
	serve_tick(map, now_ns);
}

static bool serves_anything(const struct map *map)
{
	for (int i = 0; map->serving_count > 0 && i < MAP_SESSIONS_MAX; i++)
		if (map->serving[i].open &&
			map->serving[i].pending_head != map->serving[i].pending_tail)
			return true;
	return false;
}

uint64_t map_deadline(const struct map *map)
{
	uint64_t next = sw_min_u64(pull_deadline(map), serve_deadline(map));
	next = sw_min_u64(next, collect_deadline(map));
	if (map->push_tail != map->push_head)
		next = sw_min_u64(next, map->push_due_ns);
	/* Held back by the budget. */
	uint64_t paid_ns = map->budget_ns + SW_NS_PER_S / map->config.packets_per_s_max;
	if (map->out_tail != map->out_head || map->job_tail != map->job_head)
		next = sw_min_u64(next, paid_ns);
	else if (serves_anything(map))
		next = sw_min_u64(next, paid_ns + SESSION_RESERVE_NS);
	return next;
}

void map_out_push(struct map *map, const struct out *out)
{
	if (map->out_head - map->out_tail == OUT_MAX) {
		map->counters.output_full++;
		return;
	}
	map->out[map->out_head++ % OUT_MAX] = *out;
}

static void write_out(struct map *map, const struct out *out, struct sw_writer *w)
{
	struct wire_version_req req = {.nonce = out->nonce,
		.first_session = out->first_session,
		.reconcile = out->reconcile,
		.report = out->report,
		.repair = out->repair,
		.part = out->part,
		.parts = out->parts};
	struct wire_session_refuse refusal = {out->nonce, out->reason};
	uint32_t first = (uint32_t)out->part * VECTOR_PER_PACKET;
	uint32_t n;
	switch (out->kind) {
	case OUT_GET: wire_put_session_get(w, &out->get); break;
	case OUT_DONE: wire_put_session_done(w, out->nonce); break;
	case OUT_REFUSE: wire_put_session_refuse(w, &refusal); break;
	case OUT_VERSION:
		/* The vector may have grown since the parts were counted: the last one ends where
		 * it ended. */
		map_vector_owner(map, &map->scratch);
		n = map->scratch.count > first ? map->scratch.count - first : 0;
		wire_put_version_req(w, &req);
		if (out->repair) { /* the vectors are equal */
			wire_put_buckets(w, map->store.bucket_sums);
			break;
		}
		wire_put_vector(w, map->scratch.entries + first,
			n < VECTOR_PER_PACKET ? n : VECTOR_PER_PACKET);
		break;
	}
}

/* A token bucket. `reserve_ns` of it is left to others. */
static bool take_budget(struct map *map, uint64_t now_ns, uint64_t reserve_ns)
{
	uint64_t cost_ns = SW_NS_PER_S / map->config.packets_per_s_max;
	uint64_t start_ns =
		sw_max_u64(map->budget_ns, now_ns - sw_min_u64(now_ns, BUDGET_DEPTH_NS));
	if (start_ns + cost_ns + reserve_ns > now_ns)
		return false;
	map->budget_ns = start_ns + cost_ns;
	return true;
}

/* Requests and pushes go first, and half of the budget's depth is theirs alone: however much a
 * newcomer asks for, a write of this moment goes to everybody at once. */
bool map_output_owner(struct map *map, uint64_t now_ns, struct sw_writer *messages, uint64_t *to_id,
	struct sw_endpoint *to)
{
	if (map->out_tail != map->out_head) {
		if (!take_budget(map, now_ns, 0))
			return false;
		const struct out *out = &map->out[map->out_tail++ % OUT_MAX];
		write_out(map, out, messages);
		*to_id = out->to_id;
		*to = out->to;
		assert(!messages->failed);
		return true;
	}
	if (map->job_tail != map->job_head) {
		if (!take_budget(map, now_ns, 0))
			return false;
		if (push_output(map, messages, to_id, to))
			return true;
	}
	return serves_anything(map) && take_budget(map, now_ns, SESSION_RESERVE_NS) &&
	       serve_output(map, now_ns, messages, to_id, to);
}

/* ---- reclamation ---- */

bool map_has_retired_owner(const struct map *map)
{
	return store_has_retired(&map->store);
}

void map_seal_owner(struct map *map)
{
	store_seal(&map->store);
}

void map_free_owner(struct map *map)
{
	store_free_sealed(&map->store);
}

/* ---- reading ---- */

bool map_get_reader(const struct map *map, const void *key, size_t key_len, struct map_view *view)
{
	uint64_t hash = map_key_hash(map, key, key_len);
	record_ref ref = store_find(&map->store, hash, key, key_len);
	if (ref == 0)
		return false;
	store_view(store_at(&map->store, ref), hash, view);
	return true;
}

bool map_scan_reader(const struct map *map, uint32_t *cursor, uint32_t buckets,
	void (*visit)(void *context, const struct map_view *view), void *context)
{
	const struct store *s = &map->store;
	for (uint32_t n = 0; n < buckets && *cursor <= s->index.mask; n++, (*cursor)++) {
		struct index_walk w = index_walk(&s->index, *cursor);
		for (record_ref ref; (ref = index_next(&s->arena, &w)) != 0;) {
			struct map_view view;
			const struct record *r = store_at(s, ref);
			store_view(r, map_key_hash(map, record_key(r), r->key_len), &view);
			visit(context, &view);
		}
	}
	return *cursor <= s->index.mask;
}

uint64_t map_seq_reader(const struct map *map, struct actor actor)
{
	return vv_reach(store_seq(&map->store, store_actor_reader(&map->store, actor)));
}

bool map_covers_reader(const struct map *map, struct dot dot)
{
	return store_seq(&map->store, store_actor_reader(&map->store, dot.actor)) >= dot.seq;
}

bool map_ready(const struct map *map)
{
	return atomic_load_explicit(&map->ready, memory_order_acquire);
}

uint64_t map_vector_hash(const struct map *map)
{
	return atomic_load_explicit(&map->store.vector_hash, memory_order_relaxed);
}

uint64_t map_content_hash(const struct map *map)
{
	return atomic_load_explicit(&map->store.content_hash, memory_order_relaxed);
}

uint64_t map_settled_hash(const struct map *map)
{
	if (atomic_load_explicit(&map->store.ahead_count, memory_order_relaxed) > 0)
		return 0;
	return map_content_hash(map) | 1;
}

uint64_t map_floor(const struct map *map)
{
	return atomic_load_explicit(&map->floor, memory_order_acquire);
}

uint64_t map_last_seq(const struct map *map)
{
	return atomic_load_explicit(&map->last_seq, memory_order_acquire);
}

uint32_t map_record_count(const struct map *map)
{
	return atomic_load_explicit(&map->store.record_count, memory_order_relaxed);
}

uint32_t map_tombstone_count(const struct map *map)
{
	return atomic_load_explicit(&map->store.tombstone_count, memory_order_relaxed);
}

uint64_t map_memory_bytes(const struct map *map)
{
	return blocks_bytes(&map->blocks);
}

void map_vector_owner(const struct map *map, struct version_vector *vv)
{
	const struct store *s = &map->store;
	vv->count = 0;
	for (uint32_t i = 0; i < s->actor_count; i++) { /* in the vector's own order */
		const struct actor_slot *a = &s->actors[s->actor_order[i]];
		uint64_t seq = atomic_load_explicit(&a->seq, memory_order_relaxed);
		if (seq > 0)
			vv->entries[vv->count++] = (struct vv_entry){a->actor, seq};
	}
}

void map_vector_reader(const struct map *map, struct version_vector *vv)
{
	vv_clear(vv);
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++) {
		const struct actor_slot *a = &map->store.actors[i];
		if (atomic_load_explicit(&a->state, memory_order_acquire) != SLOT_USED)
			continue;
		uint64_t seq = atomic_load_explicit(&a->seq, memory_order_acquire);
		if (seq > 0)
			(void)vv_raise(vv, a->actor, seq); /* as many as the map has: they fit */
	}
}

uint32_t map_joins_reader(const struct map *map)
{
	return atomic_load_explicit(&map->joins, memory_order_acquire);
}

void map_collected_reader(const struct map *map, struct version_vector *vv)
{
	vv_clear(vv);
	for (uint32_t i = 0; i < ACTOR_SLOTS; i++) {
		const struct actor_slot *a = &map->store.actors[i];
		if (atomic_load_explicit(&a->state, memory_order_acquire) == SLOT_USED)
			(void)vv_raise(vv, a->actor,
				atomic_load_explicit(&a->collected, memory_order_acquire));
	}
}

struct actor map_self(const struct map *map)
{
	return map->self;
}

const struct map_counters *map_counters(const struct map *map)
{
	return &map->counters;
}
